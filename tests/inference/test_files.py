"""From files to files: names kept, bad files named, nothing half written."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import translate
from tests.conftest import picture
from tests.inference.conftest import MakeCheckpoint
from translate.errors import UserError
from translate.inference.files import plan, translate_files, write_image


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(1).save(path)
    return path


def test_one_file_to_one_file(tmp_path: Path) -> None:
    source = touch(tmp_path / "in" / "a.jpg")
    assert plan([source], tmp_path / "out.png") == [(source, tmp_path / "out.png")]
    assert plan([source], tmp_path / "out") == [(source, tmp_path / "out" / "a.jpg")]


def test_a_folder_keeps_its_names_and_structure(tmp_path: Path) -> None:
    root = tmp_path / "in"
    names = ["a.jpg", "deep/er/b.png", "c.gif"]
    for name in names:
        touch(root / name)
    (root / "notes.txt").write_text("not an image")
    targets = {str(target.relative_to(tmp_path / "out")) for _, target in plan([root], tmp_path / "out")}
    assert targets == {"a.jpg", "deep/er/b.png", "c.gif.png"}


def test_mistakes_are_sentences(tmp_path: Path) -> None:
    first, second = touch(tmp_path / "a.png"), touch(tmp_path / "b.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="does not exist"):
        plan([tmp_path / "none.png"], tmp_path / "out")
    with pytest.raises(UserError, match="holds no images"):
        plan([tmp_path / "empty"], tmp_path / "out")
    with pytest.raises(UserError, match="cannot all become"):
        plan([first, second], tmp_path / "out.png")
    with pytest.raises(UserError, match="overwrite"):
        plan([first], tmp_path)
    with pytest.raises(UserError, match="2 inputs would become"):
        plan([first, touch(tmp_path / "other" / "a.png")], tmp_path / "out")


def test_bad_files_do_not_stop_the_rest(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    root = tmp_path / "in"
    for name in ("a.png", "z.png"):
        touch(root / name)
    (root / "broken.jpg").write_bytes(b"not a picture")
    (root / "empty.png").write_bytes(b"")
    translator = translate.load(make_checkpoint(), device="cpu")
    outcome = translate_files(translator, plan([root], tmp_path / "out"))
    assert sorted(path.name for path in outcome.written) == ["a.png", "z.png"]
    assert sorted(path.name for path, _ in outcome.failed) == ["broken.jpg", "empty.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "z.png"]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".webp", ".tif", ".bmp", ".JPG"])
def test_every_writable_suffix(tmp_path: Path, suffix: str) -> None:
    image = picture(1).convert("RGBA")
    image.putalpha(0)
    write_image(image, tmp_path / f"out{suffix}")
    back = Image.open(tmp_path / f"out{suffix}")
    assert back.size == (40, 40)
    if suffix.lower() in (".jpg", ".jpeg", ".bmp"):
        assert back.convert("RGB").getpixel((5, 5)) == (255, 255, 255)
    assert [path.name for path in tmp_path.iterdir()] == [f"out{suffix}"]
