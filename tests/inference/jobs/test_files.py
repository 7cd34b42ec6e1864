"""From files to files: names kept, bad files named, nothing half written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

import translate
from tests.conftest import picture
from tests.inference.conftest import MakeCheckpoint
from tests.inference.mixed import make_folder
from translate.errors import UserError
from translate.inference.jobs.distributed import process_rank, share
from translate.inference.jobs.file_plan import RECORD, is_video, plan_files, unfinished
from translate.inference.jobs.files import Outcome, translate_files
from translate.inference.raster import ON_REQUEST, WRITABLE, Raster, write_raster
from translate.inference.translator import Translator


def touch(path: Path, seed: int = 1, size: tuple[int, int] = (40, 40)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, size).save(path)
    return path


def test_one_file_to_one_file(tmp_path: Path) -> None:
    source = touch(tmp_path / "in" / "a.jpg")
    assert plan_files([source], tmp_path / "out.png") == [(source, tmp_path / "out.png")]
    assert plan_files([source], tmp_path / "out") == [(source, tmp_path / "out" / "a.jpg")]


def test_a_folder_keeps_its_names_and_structure(tmp_path: Path) -> None:
    root = tmp_path / "in"
    names = ["a.jpg", "deep/er/b.png", "c.gif"]
    for name in names:
        touch(root / name)
    (root / "notes.txt").write_text("not an image")
    targets = {str(target.relative_to(tmp_path / "out")) for _, target in plan_files([root], tmp_path / "out")}
    assert targets == {"a.jpg", "deep/er/b.png", "c.gif.png"}


def test_mistakes_are_sentences(tmp_path: Path) -> None:
    first, second = touch(tmp_path / "a.png"), touch(tmp_path / "b.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="does not exist"):
        plan_files([tmp_path / "none.png"], tmp_path / "out")
    with pytest.raises(UserError, match="holds no images"):
        plan_files([tmp_path / "empty"], tmp_path / "out")
    with pytest.raises(UserError, match="cannot all become"):
        plan_files([first, second], tmp_path / "out.png")
    with pytest.raises(UserError, match="overwrite"):
        plan_files([first], tmp_path)
    with pytest.raises(UserError, match="2 inputs would become"):
        plan_files([first, touch(tmp_path / "other" / "a.png")], tmp_path / "out")
    with pytest.raises(UserError, match=r"written as psd; there are apng, avif, bmp"):
        plan_files([first], tmp_path / "out", ".psd")
    with pytest.raises(UserError, match=r"not named as"):
        plan_files([first], tmp_path / "out.png", ".jpg")
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(UserError, match=r"becomes a video; call the output out\.mp4"):
        plan_files([tmp_path / "clip.mp4"], tmp_path / "out.png")


@pytest.mark.parametrize("suffix", sorted(WRITABLE | ON_REQUEST))
def test_a_suffix_that_can_be_written_is_a_file(suffix: str, tmp_path: Path) -> None:
    """Issue 19, number 10: each is written, and is of the size that it should be, with colour, grey or transparency."""
    source = touch(tmp_path / "a.png")
    for name in (f"made{suffix}", f"MADE{suffix.upper()}"):
        assert plan_files([source], tmp_path / name) == [(source, tmp_path / name)]
    for channels, has_alpha in ((3, False), (3, True), (1, False)):
        colour = np.random.default_rng(0).integers(0, 256, (20, 30, channels), dtype=np.uint8)
        alpha = np.full((20, 30, 1), 128, dtype=np.uint8) if has_alpha else None
        file = tmp_path / f"made{suffix}"
        write_raster(Raster(colour, alpha), file)
        if suffix == ".npy":
            assert np.load(file).shape[:2] == (20, 30)
        else:
            with Image.open(file) as image:
                assert image.size == (30, 20)


@pytest.mark.parametrize("suffix", [".txt", ".heic", ".pdf", ".psd", ".ico", ".html", ".zip", ".mp3", ".csv", ".eps"])
def test_a_suffix_that_cannot_be_written_is_refused_before_the_work(suffix: str, tmp_path: Path) -> None:
    source, out = touch(tmp_path / "a.png"), tmp_path / f"made{suffix}"
    with pytest.raises(UserError, match=rf"written as {suffix[1:]}; there are apng, avif"):
        plan_files([source], out)
    assert not out.exists()
    out.mkdir()
    assert plan_files([source], out) == [(source, out / "a.png")]


@pytest.mark.parametrize("name", ["results.v2", "made", "2024.05.01", "a.b c"])
def test_other_names_are_folders(name: str, tmp_path: Path) -> None:
    source = touch(tmp_path / "a.png")
    assert plan_files([source], tmp_path / name) == [(source, tmp_path / name / "a.png")]


def test_files_that_differ_in_their_suffix_become_two(tmp_path: Path) -> None:
    """Issue 19, number 14."""
    for name in ("a.jpg", "a.png", "a.webp", "b.jpg", "inner/a.jpg", "inner/a.bmp"):
        touch(tmp_path / "in" / name)
    made = {str(target.relative_to(tmp_path)) for _, target in plan_files([tmp_path / "in"], tmp_path / "out", ".png")}
    assert made == {
        *("out/a.jpg.png", "out/a.png", "out/a.webp.png", "out/b.png"),
        *("out/inner/a.jpg.png", "out/inner/a.bmp.png"),
    }


def test_an_output_must_not_be_another_input(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "c" / "x.png")
    touch(tmp_path / "out" / "c" / "x.png")
    with pytest.raises(UserError, match="overwrite"):
        plan_files([tmp_path / "a", tmp_path / "out" / "c"], tmp_path / "out")


def test_an_output_folder_inside_the_input_is_no_input(tmp_path: Path) -> None:
    source = touch(tmp_path / "in" / "a.png")
    touch(tmp_path / "in" / "out" / "a.png")
    assert plan_files([tmp_path / "in"], tmp_path / "in" / "out") == [(source, tmp_path / "in" / "out" / "a.png")]


def test_formats_and_videos(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for name in ("a.jpg", "c.gif"):
        touch(root / name)
    (root / "clip.mp4").touch()
    targets = [target.name for _, target in plan_files([root], tmp_path / "out", ".webp")]
    assert targets == ["a.webp", "c.webp"]  # the folder's videos are not asked for
    pairs = plan_files([root / "clip.mp4", root / "a.jpg"], tmp_path / "out", ".webp")
    assert [(target.name, is_video((source, target))) for source, target in pairs] == [
        ("clip.mp4", True),
        ("a.webp", False),
    ]
    assert is_video(plan_files([root / "c.gif"], tmp_path / "film.mp4")[0])


@pytest.fixture
def tiny(make_checkpoint: MakeCheckpoint) -> Translator:
    return translate.load(make_checkpoint(), device="cpu", precision="float32")


def names_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def run(translator: Translator, root: Path, out: Path) -> Outcome:
    """What `translate run` does with a folder."""
    return translate_files(translator, unfinished(plan_files([root], out), out, translator))


def test_every_good_file_is_translated_and_every_bad_one_named(tiny: Translator, tmp_path: Path) -> None:
    root, out = tmp_path / "in", tmp_path / "out"
    good, bad = make_folder(root, 70)
    calls: list[tuple[int, int | None]] = []
    outcome = translate_files(tiny, plan_files([root], out), progress=lambda *call: calls.append(call))
    assert {str(source.relative_to(root)) for source, _ in outcome.failed} == bad
    assert len(bad) == 7
    for source, sentence in outcome.failed:
        assert str(source) in sentence
    assert names_in(out) == {f"{name}.png" if name.endswith(".gif") else name for name in good}
    assert calls == [(done, 70) for done in range(1, 71)]
    for _, target in ((source, target) for source, target in plan_files([root], out) if target in outcome.written):
        with Image.open(target) as image:
            image.load()


def test_batches_give_what_single_images_give(
    tiny: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(12):
        touch(tmp_path / "in" / f"{seed}.png", seed, (40, 40) if seed % 3 else (20, 30))
    sizes: list[int] = []
    whole = tiny.translate_batch

    def watched(images: npt.NDArray[Any], *arguments: Any, **settings: Any) -> Any:
        sizes.append(len(images))
        return whole(images, *arguments, **settings)

    monkeypatch.setattr(tiny, "translate_batch", watched)
    run(tiny, tmp_path / "in", tmp_path / "out")
    assert sizes == [1, 4, 8]  # the first warms up
    for path in sorted((tmp_path / "in").iterdir()):
        made = np.asarray(Image.open(tmp_path / "out" / path.name)).astype(int)
        assert np.abs(made - np.asarray(tiny(path))).max() <= 1


def test_batches_are_bounded(tiny: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from translate.inference.jobs import files

    for seed in range(10):
        touch(tmp_path / "in" / f"{seed}.png", seed, (40, 40))
    monkeypatch.setattr(files, "BATCH_PIXELS_ELSEWHERE", 3 * 40 * 40)
    sizes: list[int] = []
    whole = tiny.translate_batch

    def watched(images: npt.NDArray[Any], *arguments: Any) -> Any:
        sizes.append(len(images))
        return whole(images, *arguments)

    monkeypatch.setattr(tiny, "translate_batch", watched)
    assert len(run(tiny, tmp_path / "in", tmp_path / "out").written) == 10
    assert sizes == [1, 3, 3, 3, 1]


def test_what_is_done_is_left(
    tiny: Translator, make_checkpoint: MakeCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, out = tmp_path / "in", tmp_path / "out"
    for name in ("a.png", "b.png", "c.png"):
        touch(root / name)
    (root / "bad.png").write_bytes(b"")

    def todo(translator: Translator, direction: str | None = None) -> list[str]:
        return [source.name for source, _ in unfinished(plan_files([root], out), out, translator, direction)]

    assert todo(tiny) == ["a.png", "b.png", "bad.png", "c.png"]
    run(tiny, root, out)
    assert todo(tiny) == ["bad.png"]
    assert todo(tiny, "a2b") == ["bad.png"]
    assert RECORD in names_in(out)
    (out / "b.png").unlink()
    os.utime(root / "c.png", (later := (out / "c.png").stat().st_mtime + 10, later))
    assert todo(tiny) == ["b.png", "bad.png", "c.png"]
    # other weights, or the other direction: nothing of it is done
    assert len(todo(tiny, "b2a")) == 4
    assert len(todo(tiny)) == 4
    run(tiny, root, out)
    assert todo(tiny) == ["bad.png", "c.png"]
    torch.manual_seed(1)
    other = translate.load(make_checkpoint("other", width=5), device="cpu")
    assert len(todo(other)) == 4


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (UserError("The scratch folder is full."), "two.png: The scratch folder is full."),
        (MemoryError(), "needs more memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "needs more memory"),
    ],
)
def test_one_that_fails_in_the_network_does_not_stop_its_batch(
    tiny: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str
) -> None:
    for name, seed in (("one", 1), ("two", 2), ("three", 3)):
        touch(tmp_path / "in" / f"{name}.png", seed)
    marked = np.asarray(picture(2))
    whole = tiny.translate_batch

    def failing(images: npt.NDArray[Any], *arguments: Any) -> Any:
        if any(np.array_equal(image, marked) for image in images):
            raise error
        return whole(images, *arguments)

    monkeypatch.setattr(tiny, "translate_batch", failing)
    outcome = run(tiny, tmp_path / "in", tmp_path / "out")
    assert len(outcome.written) == 2
    assert [source.name for source, _ in outcome.failed] == ["two.png"]
    assert sentence in outcome.failed[0][1]


def test_results_that_cannot_be_written_are_named(tiny: Translator, tmp_path: Path) -> None:
    touch(tmp_path / "in" / "deep" / "a.png")
    touch(tmp_path / "in" / "b.png")
    out = tmp_path / "out"
    out.mkdir()
    (out / "deep").write_text("a file where a folder is needed")
    outcome = translate_files(tiny, plan_files([tmp_path / "in"], out))
    assert [path.name for path in outcome.written] == ["b.png"]
    assert "Cannot write" in outcome.failed[0][1]
    assert str(out / "deep") in outcome.failed[0][1]


@pytest.mark.parametrize("break_weights", [lambda path: path.write_bytes(b"no weights"), lambda path: path.unlink()])
def test_a_broken_checkpoint_is_told_once(
    tiny: Translator, tmp_path: Path, break_weights: Callable[[Path], None]
) -> None:
    touch(tmp_path / "in" / "a.png")
    break_weights(tiny.folder / "a2b.safetensors")
    with pytest.raises(UserError, match=r"a2b\.safetensors"):
        translate_files(tiny, plan_files([tmp_path / "in"], tmp_path / "out"))


def test_cancelling_ends_it(tiny: Translator, tmp_path: Path) -> None:
    for seed in range(30):
        touch(tmp_path / "in" / f"{seed}.png", seed, (40, 40 + seed))

    def cancel(done: int, total: int | None) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        translate_files(tiny, plan_files([tmp_path / "in"], tmp_path / "out"), progress=cancel)
    assert not list((tmp_path / "out").glob(".*.part"))


def test_processes_share_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (process_rank(), share(range(5))) == ((0, 1), [0, 1, 2, 3, 4])
    parts = []
    for rank in ("0", "1", "2"):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", "3")
        parts.append(share(range(8)))
    assert sorted(item for part in parts for item in part) == list(range(8))
    monkeypatch.setenv("RANK", "3")
    with pytest.raises(UserError, match="RANK=3"):
        process_rank()
