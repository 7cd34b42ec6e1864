"""Several pictures in one file: animation in, animation out; pages in, pages out; nothing is lost without a word."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageSequence, TiffImagePlugin

import translate
from tests.conftest import picture
from tests.inference.conftest import MakeCheckpoint
from translate.cli import main
from translate.inference import raster
from translate.inference.animation import containers, reading, translation
from translate.inference.animation.reading import count_pictures
from translate.inference.jobs.file_plan import plan_files
from translate.inference.jobs.files import Outcome, translate_files
from translate.inference.jobs.pipes import translate_pipe
from translate.inference.raster import Raster, encode
from translate.inference.translator import Translator

SIZE = (48, 40)
DURATIONS = [120, 40, 300, 1000, 70]


@pytest.fixture
def tiny(make_checkpoint: MakeCheckpoint) -> Translator:
    return translate.load(make_checkpoint(), device="cpu", precision="float32")


def scenes(count: int = len(DURATIONS), mode: str = "RGB") -> list[Image.Image]:
    """Pictures that differ; with alpha, a hole wanders over them."""
    made = []
    for index in range(count):
        image = picture(index, SIZE).convert(mode)
        if mode == "RGBA":
            alpha = np.full(SIZE[::-1], 255, np.uint8)
            alpha[8:24, 6 * index : 6 * index + 12] = 0
            image.putalpha(Image.fromarray(alpha))
        made.append(image)
    return made


def save(path: Path, frames: Sequence[Image.Image], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    return path


def seen(path: Path) -> tuple[list[npt.NDArray[np.uint8]], list[float], Any]:
    """Every picture of a file as RGBA as it is seen, the durations, and Pillow's loop count."""
    pixels, durations = [], []
    with Image.open(path) as image:
        loop = image.info.get("loop")
        for frame in ImageSequence.Iterator(image):
            pixels.append(np.asarray(frame.convert("RGBA")))
            durations.append(float(frame.info.get("duration", 0)))
    return pixels, durations, loop


def one(translator: Translator, source: Path, target: Path) -> Outcome:
    outcome = translate_files(translator, [(source, target)])
    assert outcome.failed == []
    return outcome


MEMBERS: dict[str, tuple[str, str, dict[str, Any]]] = {  # name, mode, how it is written
    "GIF": ("a.gif", "RGB", {"duration": DURATIONS, "loop": 0}),
    "WebP": ("a.webp", "RGB", {"duration": DURATIONS, "loop": 0, "lossless": True}),
    "APNG": ("a.apng", "RGB", {"duration": DURATIONS, "loop": 0}),
    "GIF, played once": ("a.gif", "RGB", {"duration": DURATIONS}),
    "GIF, three repetitions": ("a.gif", "RGB", {"duration": DURATIONS, "loop": 3}),
    "GIF with holes, disposed to the background": ("a.gif", "RGBA", {"duration": DURATIONS, "loop": 0, "disposal": 2}),
    "GIF that draws over itself": ("a.gif", "RGB", {"duration": DURATIONS, "loop": 0, "disposal": 1}),
    "WebP with alpha, played twice": ("a.webp", "RGBA", {"duration": DURATIONS, "loop": 2, "lossless": True}),
    "APNG called .png with alpha": ("a.png", "RGBA", {"duration": DURATIONS, "loop": 5, "disposal": 1}),
    "grey APNG": ("a.png", "L", {"duration": DURATIONS, "loop": 0}),
    "grey GIF": ("a.gif", "L", {"duration": DURATIONS, "loop": 0}),
}


@pytest.mark.parametrize("member", MEMBERS)
def test_an_animation_becomes_one(member: str, tiny: Translator, tmp_path: Path) -> None:
    name, mode, options = MEMBERS[member]
    source = save(tmp_path / name, scenes(mode=mode), **options)
    ((_, target),) = plan_files([source], tmp_path / "out")
    assert target.name == name
    assert one(tiny, source, target).notes == []
    before, durations, loop = seen(source)
    after, durations_after, loop_after = seen(target)
    assert durations_after == durations == [float(duration) for duration in DURATIONS]
    assert (loop_after, len(after)) == (loop, len(DURATIONS))
    for frame, made in zip(before, after, strict=True):
        white = Image.alpha_composite(Image.new("RGBA", SIZE, "white"), Image.fromarray(frame)).convert("RGB")
        wanted = np.asarray(tiny(white))
        if target.suffix == ".webp":  # which is not exact
            wanted = np.asarray(Image.open(io.BytesIO(encode(Raster(wanted, frame[:, :, 3:]), ".webp"))).convert("RGB"))
        opaque = frame[:, :, 3] == 255
        np.testing.assert_array_equal(made[:, :, 3] == 255, opaque)
        assert np.abs(made[opaque][:, :3].astype(int) - wanted[opaque]).mean() < 8


@pytest.mark.parametrize("target", [".gif", ".webp", ".apng"])
@pytest.mark.parametrize("source", [".gif", ".webp", ".apng", ".avif"])
def test_from_one_kind_of_animation_to_another(source: str, target: str, tiny: Translator, tmp_path: Path) -> None:
    path = save(tmp_path / f"a{source}", scenes(), duration=DURATIONS, loop=0)
    one(tiny, path, tmp_path / f"out{target}")
    pixels, durations, loop = seen(tmp_path / f"out{target}")
    assert (len(pixels), durations, loop) == (len(DURATIONS), [float(duration) for duration in DURATIONS], 0)


def test_an_apng_without_its_still_picture(tiny: Translator, tmp_path: Path) -> None:
    """The default image of an APNG, for viewers that know no animations, is no frame."""
    source = save(tmp_path / "a.png", scenes(), duration=DURATIONS[1:], loop=0, default_image=True)
    one(tiny, source, tmp_path / "out.png")
    assert seen(tmp_path / "out.png")[1] == [float(duration) for duration in DURATIONS[1:]]


def pages(kind: str, path: Path) -> Path:
    rng = np.random.default_rng(1)
    if kind == "16-bit colour":
        cv2.imwritemulti(str(path), [rng.integers(0, 65536, (40, 48, 3), dtype=np.uint16) for _ in range(3)])
        return path
    if kind == "16-bit grey":
        return save(path, [Image.fromarray(rng.integers(0, 65536, (40, 48), dtype=np.uint16)) for _ in range(4)])
    if kind == "several sizes":
        return save(path, [picture(index, (40 + 8 * index, 40)) for index in range(3)])
    if kind == "with a smaller copy":
        with TiffImagePlugin.AppendingTiffWriter(path, new=True) as file:
            for index, reduced in enumerate((0, 1, 0)):
                picture(index, SIZE).save(file, "TIFF", tiffinfo={254: reduced})
                file.newFrame()
        return path
    return save(path, scenes(4, "RGBA" if kind == "alpha" else "RGB"), compression="tiff_lzw")


@pytest.mark.parametrize("suffix", [".tif", ".tiff"])
@pytest.mark.parametrize(
    "kind", ["8-bit colour", "alpha", "16-bit colour", "16-bit grey", "several sizes", "with a smaller copy"]
)
def test_pages_stay_pages(kind: str, suffix: str, tiny: Translator, tmp_path: Path) -> None:
    source = pages(kind, tmp_path / f"a{suffix}")
    one(tiny, source, tmp_path / "out" / f"a{suffix}")
    wanted = cv2.imreadmulti(str(source), flags=cv2.IMREAD_UNCHANGED)[1]
    if kind == "with a smaller copy":
        wanted = (wanted[0], wanted[2])
    made = cv2.imreadmulti(str(tmp_path / "out" / f"a{suffix}"), flags=cv2.IMREAD_UNCHANGED)[1]
    assert [page.shape[:2] for page in made] == [page.shape[:2] for page in wanted]
    assert {page.dtype for page in made} == {wanted[0].dtype}
    for before, after in zip(wanted, made, strict=True):
        levels = before if before.ndim == 3 else np.repeat(before[:, :, None], 3, axis=2)
        if levels.shape[2] == 4:
            np.testing.assert_array_equal(after[:, :, 3], levels[:, :, 3])
            continue
        alone = tiny(np.ascontiguousarray(levels[:, :, ::-1]))
        assert np.abs(after[:, :, ::-1].astype(int) - alone).max() <= (1 if after.dtype == np.uint8 else 64)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.apng", "a.avif"])
def test_an_animation_becomes_a_film(name: str, tiny: Translator, tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed")
    source = save(tmp_path / name, scenes(), duration=DURATIONS, loop=0)
    with pytest.raises(SystemExit) as left:
        main(["run", str(tiny.folder), str(source), "-o", str(tmp_path / "out.mp4")])
    assert not left.value.code
    with av.open(str(tmp_path / "out.mp4")) as film:
        frames = list(film.decode(video=0))
        assert film.duration == pytest.approx(sum(DURATIONS) * 1000, abs=2000)
    begins = np.cumsum([0, *DURATIONS[:-1]]) / 1000
    assert [frame.time for frame in frames] == pytest.approx(list(begins), abs=0.001)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.tif", "a.avif"])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_still_picture_is_the_first_and_that_is_said(
    name: str, suffix: str, tiny: Translator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = save(tmp_path / name, scenes())
    with pytest.raises(SystemExit) as left:
        main(["run", str(tiny.folder), str(source), "-o", str(tmp_path / f"still{suffix}")])
    assert not left.value.code
    assert f"{source} holds 5 pictures and {suffix} one: the first was translated." in capsys.readouterr().err
    with Image.open(tmp_path / f"still{suffix}") as still:
        assert getattr(still, "n_frames", 1) == 1
        with Image.open(source) as image:
            wanted = np.asarray(tiny(image.convert("RGB")))
        assert np.abs(np.asarray(still.convert("RGB")).astype(int) - wanted).mean() < 8


def test_names_in_a_folder(tiny: Translator, tmp_path: Path) -> None:
    """What cannot be written as it is becomes an animation where it is one, and a PNG where it is a still picture."""
    root = tmp_path / "in"
    for name in ("moving.gif", "moving.avif"):
        save(root / name, scenes(), duration=DURATIONS)
    for name in ("still.gif", "still.avif"):
        picture(1).save(root / name)
    made = {target.name for _, target in plan_files([root], tmp_path / "out")}
    assert made == {"moving.gif", "moving.avif.webp", "still.gif.png", "still.avif.png"}


def test_pipes(tiny: Translator, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = save(tmp_path / "a.gif", scenes(), duration=DURATIONS, loop=0)
    with source.open("rb") as file:
        (tmp_path / "out.webp").write_bytes(translate_pipe(tiny, file, ".webp"))
    assert seen(tmp_path / "out.webp")[1] == [float(duration) for duration in DURATIONS]
    still = translate_pipe(tiny, io.BytesIO(source.read_bytes()), ".png")
    assert getattr(Image.open(io.BytesIO(still)), "n_frames", 1) == 1
    assert "holds 5 pictures and .png one" in caplog.text


def test_views_and_channels_are_no_animation(tmp_path: Path) -> None:
    """The second picture of an MPO is another view, and as many grey pages as a network reads are its channels."""
    save(tmp_path / "a.mpo", scenes(2))
    assert count_pictures(tmp_path / "a.mpo", 3)[0] == 1
    save(tmp_path / "a.tif", scenes(5, "L"))
    assert count_pictures(tmp_path / "a.tif", 5)[0] == 1
    assert count_pictures(tmp_path / "a.tif", 3)[0] == 5


def test_a_damaged_animation_is_named_and_leaves_nothing(tiny: Translator, tmp_path: Path) -> None:
    source = save(tmp_path / "a.gif", scenes(), duration=DURATIONS)
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 3 // 5])
    outcome = translate_files(tiny, [(source, tmp_path / "out" / "a.gif")])
    ((failed, sentence),) = outcome.failed
    assert failed == source
    assert str(source) in sentence
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_few_pictures_are_in_memory_at_a_time(
    name: str, tiny: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are: each is written before the next batch is decoded."""
    source = save(tmp_path / name, scenes(24), **({} if name == "a.tif" else {"duration": 40}))
    monkeypatch.setattr(translation, "BATCH_PIXELS", 2 * SIZE[0] * SIZE[1])
    decoded, written, waiting = 0, 0, []
    read, add = raster.read_page, containers.CONTAINERS[source.suffix].add

    def reads(*arguments: Any) -> Any:
        nonlocal decoded
        decoded += 1
        waiting.append(decoded - written)
        return read(*arguments)

    def adds(self: Any, frame: Any) -> None:
        nonlocal written
        add(self, frame)
        written += 1

    monkeypatch.setattr(reading, "read_page", reads)
    monkeypatch.setattr(containers.CONTAINERS[source.suffix], "add", adds)
    one(tiny, source, tmp_path / "out" / name)
    assert (decoded, written) == (24, 24)
    assert max(waiting) <= 3
    with Image.open(tmp_path / "out" / name) as image:
        assert getattr(image, "n_frames", 1) == 24
