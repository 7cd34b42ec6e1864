"""The images of a folder, found by their names."""

from __future__ import annotations

from pathlib import Path

from translate.data.listing import list_images


def test_listing(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "sub/c.tiff", "._a.png", ".hidden/d.png", "__MACOSX/e.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    names = [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path)]
    assert [name for name in names if "loop" not in name] == ["a.png", "b.JPG", "sub/c.tiff"]
    assert len(names) <= 6  # the loop is entered once at most
