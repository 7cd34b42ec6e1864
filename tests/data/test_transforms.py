"""Sizes are the reference's, scaling is Pillow's, and a preset's transforms are understood or refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.data.pictures import picture, settings
from translate.data.loading import TranslationDataset
from translate.data.transforms import Augment, check_sizes, prepare, resize, target_size
from translate.data.transforms.pipelines import build_pipeline
from translate.errors import UserError

NOWHERE = Path("x.png")


@pytest.mark.parametrize(
    ("mode", "size", "expected"),
    [
        # what the reference's get_transform makes of load_size 286 and crop_size 256 before it crops
        ("resize_and_crop", (300, 200), (286, 286)),
        ("crop", (300, 270), (300, 270)),
        ("scale_width", (600, 400), (286, 256)),  # 190 high, but at least crop_size
        ("scale_width", (600, 700), (286, 333)),
        ("scale_width", (286, 700), (286, 700)),
        ("scale_width_and_crop", (572, 801), (286, 400)),
        ("none", (301, 206), (301, 206)),
        # ours
        ("scale_shorter", (600, 400), (429, 286)),
        ("scale_shorter_and_crop", (400, 601), (286, 430)),
    ],
)
def test_training_sizes(mode: str, size: tuple[int, int], expected: tuple[int, int]) -> None:
    config = settings(Path(), preprocess=mode, load_size=286, crop_size=256)
    assert target_size(config, *size, training=True, multiple=1) == expected


@pytest.mark.parametrize(
    ("mode", "training", "expected"),
    [
        ("none", True, (300, 208)),  # the reference rounds to the nearest multiple of 4
        ("scale_width", True, (288, 256)),
        ("resize_and_crop", True, (286, 286)),  # cropped afterwards, so nothing to round
        ("none", False, (300, 204)),
        ("crop", False, (300, 204)),
        ("resize_and_crop", False, (284, 284)),
    ],
)
def test_sides_are_multiples_of_what_the_generator_needs(mode: str, training: bool, expected: tuple[int, int]) -> None:
    config = settings(Path(), preprocess=mode, load_size=286, crop_size=256)
    assert target_size(config, 301, 207, training=training, multiple=4) == expected


def test_sides_never_become_nothing() -> None:
    config = settings(Path(), preprocess="none")
    assert target_size(config, 100, 40, training=False, multiple=256) == (256, 256)
    assert target_size(config, 100, 40, training=True, multiple=256) == (256, 256)


def test_scaling_is_that_of_pillow() -> None:
    array = picture(0, 50, 40)
    expected = np.asarray(Image.fromarray(array).resize((23, 17), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(resize(array, (23, 17)), expected)
    np.testing.assert_array_equal(resize(array[:, :, :1], (23, 17)), expected[:, :, :1])
    seven = np.concatenate([array, array, array[:, :, :1]], axis=2)
    np.testing.assert_array_equal(resize(seven, (23, 17))[:, :, 3:6], expected)
    sixteen = resize(array.astype(np.uint16) * 257, (23, 17))
    assert sixteen.dtype == np.uint16
    np.testing.assert_allclose(sixteen / 257, expected, atol=1.01)


def test_right_size_is_left_alone() -> None:
    array = picture(0, 18, 18)
    assert prepare(array, settings(Path()), NOWHERE, training=True, multiple=4) is array


def test_sizes_that_do_not_go_together() -> None:
    with pytest.raises(UserError, match=r"data\.crop_size is 254, but this generator needs a multiple of 4"):
        check_sizes(settings(Path(), crop_size=254, load_size=300), 4, training=True)
    with pytest.raises(UserError, match=r"data\.load_size is 128, smaller than data\.crop_size, 256"):
        check_sizes(settings(Path(), crop_size=256, load_size=128), 4, training=True)
    check_sizes(settings(Path(), crop_size=254, load_size=128), 4, training=False)


# ---------------------------------------------------------------------------------------------------- the preset's YAML


def test_nested_transforms_are_built() -> None:
    one, several = build_pipeline(
        [
            {"OneOf": {"transforms": [{"Rotate": {"limit": 5}}, "Transpose"], "p": 0.3}},
            {"SomeOf": {"transforms": [{"GaussNoise": None}, {"HorizontalFlip": {}}], "n": 1}},
        ],
        "data.augment",
    )
    assert one.p == 0.3
    assert [type(each).__name__ for each in one.transforms] == ["Rotate", "Transpose"]
    assert one.transforms[0].limit == (-5, 5)
    assert [type(each).__name__ for each in several.transforms] == ["GaussNoise", "HorizontalFlip"]


@pytest.mark.filterwarnings("ignore:ShiftScaleRotate")  # Albumentations prefers Affine, but it does what it says
def test_transforms_that_albumentations_warns_of_work() -> None:
    assert len(build_pipeline([{"ShiftScaleRotate": {"rotate_limit": 5}}], "data.augment")) == 1


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"Rotat": {}}, r"data\.augment: Albumentations has no transform Rotat; did you mean Rotate"),
        ({"Rotate": {"limits": 5}}, r"data\.augment: Rotate has no argument limits; did you mean limit"),
        ({"Rotate": {"limit": "much"}}, r"data\.augment: Rotate: limit"),
        ({"GaussNoise": {"std_range": [2, 3]}}, r"data\.augment: GaussNoise: std_range"),
        ({"Rotate": 5}, r"the arguments of Rotate are written as"),
        ({"Rotate": {}, "Transpose": {}}, r"should be one transform"),
        ({"os": {}}, r"no transform os"),
        ({"OneOf": {"transforms": [{"Rotat": {}}]}}, r"data\.augment: OneOf: Albumentations has no transform Rotat"),
    ],
)
def test_wrong_transforms_are_refused_by_name(spec: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as caught:
        build_pipeline([spec], "data.augment")
    assert "\n" not in str(caught.value)


def test_wrong_transform_is_found_before_any_image_is_read(tmp_path: Path) -> None:
    for side in "AB":
        (tmp_path / f"train{side}").mkdir()
        (tmp_path / f"train{side}" / "1.png").touch()
    with pytest.raises(UserError, match=r"data\.augment_B: .*Rotat"):
        TranslationDataset(settings(tmp_path, augment_B=[{"Rotat": {}}]), channels=(3, 3), paired=False, seed=0)


def draws(seed: int) -> tuple[np.random.SeedSequence, np.random.SeedSequence]:
    return np.random.SeedSequence((seed, 0)), np.random.SeedSequence((seed, 1))


NONE = (None, None)
"""No masks."""


def test_augment_leaves_the_cache_alone() -> None:
    augment = Augment(settings(Path(), augment=[{"RandomBrightnessContrast": {"p": 1}}, {"Solarize": {"p": 1}}]), True)
    A, B = picture(0, 18, 18), picture(1, 18, 18)
    A.flags.writeable = B.flags.writeable = False
    before = A.copy(), B.copy()
    augment((A, B), NONE, draws(0))
    np.testing.assert_array_equal(A, before[0])
    np.testing.assert_array_equal(B, before[1])


def test_transforms_are_drawn_independently_of_each_other() -> None:
    # A pipeline whose transforms all start from one seed applies both or neither.
    both = [{"InvertImg": {"p": 0.5}}, {"Transpose": {"p": 0.5}}]
    augment = Augment(settings(Path(), augment=both, preprocess="none", flip=False), True)
    A = np.zeros((2, 2, 3), np.uint8)
    A[0, 1] = 100
    seen = {augment((A, A), NONE, draws(seed))[0][0].tobytes() for seed in range(40)}
    assert len(seen) == 4


def test_flip_crop_and_padding() -> None:
    shrink = [{"CenterCrop": {"height": 10, "width": 10}}]
    augment = Augment(settings(Path(), augment=shrink), True)
    (A, B), _ = augment((picture(0, 18, 18), picture(1, 18, 18)), NONE, draws(0))
    assert A.shape == B.shape == (16, 16, 3)
    assert A.min() < 100 < A.max()  # reflected, not black

    flips = Augment(settings(Path(), preprocess="none"), True)
    source = picture(0, 6, 4)
    results = [flips((source, source), NONE, draws(seed))[0][0] for seed in range(40)]
    mirrored = sum(np.array_equal(result, source[:, ::-1]) for result in results)
    assert mirrored + sum(np.array_equal(result, source) for result in results) == 40
    assert 10 < mirrored < 30


def test_crops_are_spread_over_the_whole_image() -> None:
    augment = Augment(settings(Path(), flip=False, load_size=20, crop_size=16, augment=[]), True)
    source = np.arange(400, dtype=np.uint16).reshape(20, 20, 1)
    corners = {int(augment((source, source), NONE, draws(seed))[0][0][0, 0, 0]) for seed in range(400)}
    assert corners == {20 * y + x for y in range(5) for x in range(5)}
