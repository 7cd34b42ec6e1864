"""Large pictures are translated at the size that the checkpoint works at, and the change comes back to full size."""

from __future__ import annotations

import numpy as np
import pytest

import translate
from tests.conftest import picture
from tests.inference.conftest import MakeCheckpoint
from translate.checkpoints.settings import CheckpointConfig
from translate.errors import UserError
from translate.inference import working_size
from translate.inference.translator import Translator
from translate.inference.working_size import add_change, enlarge, parse_size, reduce

WORKING = 64


def large(height: int = 150, width: int = 200, dtype: type = np.uint8) -> np.ndarray:
    """A picture whose detail does not survive a reduction to a third."""
    soft = np.asarray(picture(3, (width, height))).astype(np.int64)
    noise = np.random.default_rng(0).integers(-12, 13, (height, width, 1))
    pixels = (soft + noise).clip(0, 255)
    return (pixels * (257 if dtype is np.uint16 else 1)).astype(dtype)


@pytest.fixture
def translator(make_checkpoint: MakeCheckpoint) -> Translator:
    made = translate.load(make_checkpoint(residual=True), device="cpu", precision="float32")
    made.config.working_size = WORKING
    made.config.provenance.model = "cyclegan"
    head = made.generator("a2b").get_parameter("head.weight")
    head.data.mul_(0.02)  # a change that leaves the picture recognisable, as a trained generator's is
    return made


def test_a_picture_near_the_working_size_is_translated_as_it_is(translator: Translator) -> None:
    near = large(60, 80)
    assert np.array_equal(translator(near), translator.at_size("full")(near))
    assert translator.translated_at(60, 80) == 0
    assert translator.translated_at(60, 81) == WORKING


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_large_picture_gets_the_change_of_the_reduced_one(translator: Translator, dtype: type) -> None:
    full = large(dtype=dtype)
    made = translator(full)
    assert made.shape == full.shape and made.dtype == dtype
    small = reduce(full, WORKING)
    assert small.shape == (48, 64, 3)
    change = translator.at_size("full")(small).astype(float) - small
    top = np.iinfo(dtype).max
    difference = (made.astype(int) - full + top // 2).clip(0, top).astype(dtype)
    came_back = reduce(difference, WORKING).astype(float) - top // 2
    assert change.std() > 0.01 * top
    assert np.corrcoef(came_back.ravel(), change.ravel())[0, 1] > 0.95


def test_details_of_the_original_stay(translator: Translator) -> None:
    """What a reduction takes away, the difference of an image and its neighbourhood, is that of the full picture."""
    full = large()
    made = translator(full).astype(float)

    def detail(pixels: np.ndarray) -> np.ndarray:
        differences: np.ndarray = pixels - np.roll(pixels, 1, axis=1)
        return differences[:, 1:]

    similarity = np.corrcoef(detail(made).ravel(), detail(full.astype(float)).ravel())[0, 1]
    reduced = translator.at_size("full")(reduce(full, WORKING))
    enlarged = enlarge(reduced.astype(np.uint16) * 257, 150, 200, 8).astype(float)
    assert similarity > 0.95
    assert np.corrcoef(detail(enlarged).ravel(), detail(full.astype(float)).ravel())[0, 1] < 0.5


def test_no_change_leaves_the_picture_as_it_is_to_the_last_bit() -> None:
    for dtype, bits in ((np.uint8, 8), (np.uint16, 16)):
        full = large(dtype=dtype)
        small = reduce(full, WORKING)
        same = small if dtype is np.uint16 else small.astype(np.uint16) * 257
        assert np.array_equal(add_change(full, small, same, bits), full)


def test_bands_leave_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    small = large(50, 70).astype(np.uint16) * 257
    whole = enlarge(small, 333, 467, 16)
    monkeypatch.setattr(working_size, "BAND", 467 * 10)
    assert np.abs(enlarge(small, 333, 467, 16).astype(int) - whole).max() <= 1


def test_new_drawings_are_enlarged(translator: Translator) -> None:
    translator.config.provenance.model = "pix2pix"
    assert not translator.keeps_input("a2b")
    full = large()
    drawn = translator.at_size("full").translate_batch(reduce(full, WORKING)[None], bits=16)[0]
    assert np.array_equal(translator(full), enlarge(drawn, 150, 200, 8))


def test_a_size_that_is_asked_for_is_used(translator: Translator) -> None:
    full = large()
    assert translator.at_size(100).translated_at(150, 200) == 100
    assert translator.at_size(100).translated_at(100, 100) == 0
    assert not np.array_equal(translator.at_size(100)(full), translator(full))
    assert np.array_equal(translator(full, tile=64), translator.at_size("full")(full, tile=64))  # tiles are full size


def test_a_checkpoint_that_does_not_say_works_at_twice_its_training_size() -> None:
    def best(**settings: object) -> int:
        return CheckpointConfig.model_validate(
            {"name": "x", "domains": {"a": "A", "b": "B"}, "generators": {"a2b": {}}} | settings
        ).best_size

    assert (best(image_size=128), best(image_size=400), best(working_size=640)) == (512, 800, 640)


@pytest.mark.parametrize(("text", "size"), [("auto", "auto"), ("full", "full"), ("512", 512)])
def test_sizes_in_words(text: str, size: object) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "31", "16385", "-5", "512px", "half"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="auto, full, or 32 to 16384 pixels"):
        parse_size(text)
