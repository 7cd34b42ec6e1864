"""What can be read here is read by content, whatever it is called; what cannot is counted and named."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import picture, tiny_settings
from tests.inference.conftest import MakeCheckpoint
from translate.cli import main
from translate.config import TrainConfig
from translate.data.images import UnreadableImage, image_size, read_array
from translate.data.listing import survey
from translate.data.report import inspect_folder
from translate.training.trainer import train

SIZE = (40, 24)


def encoded(kind: str) -> bytes:
    file = io.BytesIO()
    if kind == "HEIF":
        pytest.importorskip("pillow_heif", reason="pillow-heif is not installed").register_heif_opener()
    if kind == "NPY":
        np.save(file, np.asarray(picture(1, SIZE)))
    elif kind == "MPO":
        picture(1, SIZE).save(file, "MPO", save_all=True, append_images=[picture(2, SIZE)])
    else:
        picture(1, SIZE).save(file, kind)
    return file.getvalue()


KINDS = {  # name: what it is
    "iphone.heic": "HEIF",
    "web.jfif": "JPEG",
    "old.jpe": "JPEG",
    "stereo.mpo": "MPO",
    "film scan.j2k": "JPEG2000",
    "web.webp": "WEBP",
    "phone.avif": "AVIF",
    "SHOUTED.HIF": "HEIF",
    "sent.jpx": "JPEG2000",
    "windows.dib": "DIB",
    "a photo without suffix": "JPEG",
    "cache.0001": "PNG",
    "renamed by a messenger.jpg": "HEIF",
    "download.txt": "WEBP",
    "texture.dds": "DDS",
    "workstation.sgi": "SGI",
    "icon.ico": "ICO",
    "array.bin": "NPY",
    "microscope.scan": "TIFF",
}
OTHERS: dict[str, Callable[[], bytes]] = {
    "notes.txt": lambda: b"not an image",
    "clip.mp4": lambda: bytes([0, 0, 0, 24]) + b"ftypisom" + bytes(200),
    "song.m4a": lambda: bytes([0, 0, 0, 24]) + b"ftypM4A " + bytes(200),
    "empty": lambda: b"",
    "paper.pdf": lambda: b"%PDF-1.7" + bytes(100),
    "header.h": lambda: b"#define WIDTH 16",
    "raw.nef": lambda: encoded("TIFF"),
    "deep/er/labels.json": lambda: b"{}",
}


@pytest.mark.parametrize("name", KINDS)
def test_it_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(encoded(KINDS[name]))
    assert survey(tmp_path).images == [name]
    pixels = read_array(path, 3)
    assert image_size(path) == (pixels.shape[1], pixels.shape[0])
    if KINDS[name] != "ICO":  # icons are scaled to squares
        assert pixels.shape == (SIZE[1], SIZE[0], 3)
        assert np.abs(pixels.astype(int) - np.asarray(picture(1, SIZE))).mean() < 12


def make_folder(root: Path) -> list[str]:
    """A folder with a picture of every kind and every other file beside them; the names of the pictures."""
    for name, kind in KINDS.items():
        (root / name).write_bytes(encoded(kind))
    for name, content in OTHERS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content())
    for junk in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (root / junk).write_bytes(b"junk")
    return sorted(KINDS)


def test_run_counts_and_names_the_rest_once(
    make_checkpoint: MakeCheckpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    names = make_folder(tmp_path / "in")
    assert survey(tmp_path / "in").others == sorted(OTHERS)
    with pytest.raises(SystemExit) as left:
        main(["run", str(make_checkpoint()), str(tmp_path / "in"), "-o", str(tmp_path / "out")])
    assert not left.value.code
    said = capsys.readouterr().err
    assert said.count("left out") == 1
    assert f"{len(OTHERS)} files are no images and were left out of {tmp_path / 'in'}" in said
    assert "1 .pdf" in said
    assert "clip.mp4, deep/er/labels.json, empty …" in said
    assert "Films are translated where they are named one by one." in said
    assert len([path for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")]) == len(names)


def test_inspect_counts_and_names_the_rest(tmp_path: Path) -> None:
    (tmp_path / "trainA").mkdir()
    names = make_folder(tmp_path / "trainA")
    (tmp_path / "trainB").mkdir()
    picture(3).save(tmp_path / "trainB" / "a.png")
    report = inspect_folder(tmp_path)
    assert report.groups[0].readable == len(names)
    assert not report.unreadable
    assert report.not_images == sorted(f"trainA/{name}" for name in OTHERS)
    (said,) = [warning for warning in report.warnings if "no images" in warning]
    assert said.startswith(f"{len(OTHERS)} files are no images and were left out of {tmp_path}")


def test_training_uses_them_and_names_the_rest(
    unpaired: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = make_folder(unpaired / "trainA")
    run = train(TrainConfig.build(tiny_settings("cyclegan", unpaired, tmp_path / "run", run__steps=1)))
    said = " ".join("".join(capsys.readouterr()).split())
    assert said.count("no images and were") == 1
    assert f"{len(OTHERS)} files are no images and were left out of" in said
    assert "unreadable" not in said
    assert names
    assert (run / "checkpoints").exists()


def test_heic_without_its_library_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.heic").write_bytes(encoded("HEIF"))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnreadableImage, match=r"a\.heic: it is a HEIC; .* pip install 'translate-images\[heic\]'"):
        read_array(tmp_path / "a.heic", 3)
