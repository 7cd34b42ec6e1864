"""Crops that show the object: their share and scale, their randomness, and what happens where there is no object."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.data.pictures import negatives, settings, unpaired, write
from tests.data.test_masks import scene
from translate.config import TrainConfig
from translate.data.loading import TranslationDataset, make_loader
from translate.data.masks import object_share
from translate.data.settings import ObjectCropConfig
from translate.data.transforms.placement import place_crop, shares_in_crops
from translate.errors import UserError


def disc(radius: int, width: int = 100, height: int = 80, centre: tuple[int, int] = (40, 50)) -> npt.NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    inside = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2
    return np.where(inside, 255, 0).astype(np.uint8)


def dataset(root: Path, *, paired: bool = False, channels: int = 3, **values: Any) -> TranslationDataset:
    crop = {"share": [0.15, 0.8], **values.pop("object_crop", {})}
    config = settings(root, **{"load_size": 64, "crop_size": 32, "object_crop": crop, **values})
    return TranslationDataset(config, channels=(channels, channels), paired=paired, seed=0, multiple=4)


def with_discs(root: Path, radius_A: int = 12, radius_B: int = 25, count: int = 4) -> Path:
    """Unpaired scenes; the objects of A are smaller than those of B."""
    for side, radius in (("A", radius_A), ("B", radius_B)):
        for index in range(count):
            write(root / f"train{side}" / f"{index}.png", scene(index, 100, 80))
            write(root / f"train{side}_mask" / f"{index}.png", disc(radius, centre=(30 + 5 * index, 40 + 5 * index)))
    return root


# ----------------------------------------------------------------------------------------------------------- placement


def test_squares_show_a_share_of_the_object_between_the_limits() -> None:
    mask = disc(14)
    assert object_share(mask) < 0.08
    draw = random.Random(0)
    for _ in range(100):
        square = place_crop(mask, (0.3, 0.6), (20, 42), draw)
        assert square is not None
        top, left, side = square
        assert 0 <= top <= 80 - side
        assert 0 <= left <= 100 - side
        assert 20 <= side <= 42
        assert 0.3 <= object_share(mask[top : top + side, left : left + side]) <= 0.6


def test_the_nearest_square_is_taken_where_none_fits() -> None:
    square = place_crop(disc(4), (0.5, 0.9), (40, 60), random.Random(0))
    assert square is not None
    top, left, side = square
    assert 0 < object_share(disc(4)[top : top + side, left : left + side]) < 0.05
    whole = place_crop(np.full((30, 20), 255, np.uint8), (0.1, 0.5), (50, 90), random.Random(0))
    assert whole is not None
    assert whole[1:] == (0, 20)  # no longer than the shorter side


def test_an_empty_mask_places_nothing() -> None:
    assert place_crop(np.full((30, 20), 127, np.uint8), (0.1, 0.5), (8, 16), random.Random(0)) is None


def test_every_part_of_the_object_is_seen() -> None:
    mask, seen = disc(20), np.zeros((80, 100), bool)
    draw = random.Random(0)
    for _ in range(300):
        top, left, side = place_crop(mask, (0.05, 1), (10, 20), draw) or (0, 0, 0)
        seen[top : top + side, left : left + side] = True
    assert seen[mask > 0].all()


def test_scales_of_their_own_bring_the_shares_of_two_domains_together() -> None:
    small, large = [disc(radius) for radius in (9, 10, 11)], [disc(radius) for radius in (26, 28, 30)]
    apart = np.mean([object_share(mask) for mask in large]) / np.mean([object_share(mask) for mask in small])
    A = np.mean(shares_in_crops(small, (0.15, 0.8), (18, 36)))
    B = np.mean(shares_in_crops(large, (0.15, 0.8), (60, 80)))
    assert apart > 7
    assert 0.8 < A / B < 1
    assert shares_in_crops([np.zeros((9, 9), np.uint8)], (0.15, 0.8), (4, 8)) == []


# ------------------------------------------------------------------------------------------------------------- samples


@pytest.mark.parametrize("scale", [[20, 28], [36, 60], [32, 32], None])
def test_samples_are_crops_of_the_object_with_the_mask_of_the_same_place(
    scale: list[int] | None, tmp_path: Path
) -> None:
    root = tmp_path
    for side, index in itertools.product("AB", range(3)):  # the image shows its own mask
        write(root / f"train{side}" / f"{index}.png", np.repeat(disc(14)[:, :, None], 3, axis=2))
        write(root / f"train{side}_mask" / f"{index}.png", disc(14))
    source = dataset(
        root, object_crop={"scale_A": scale, "scale_B": scale}, augment=[{"Rotate": {"limit": 30, "p": 1}}]
    )
    for epoch, index in itertools.product(range(4), range(3)):
        sample = source[(epoch, index)]
        for name in "AB":
            mask = sample[f"mask_{name}"]
            assert mask.shape == (1, 32, 32)
            assert (mask - (sample[name][:1] + 1) / 2).abs().max() <= 1.01 / 255
            assert 0.1 < mask.mean() < 0.85


def test_each_domain_has_the_scale_of_its_own_folder(tmp_path: Path) -> None:
    root = with_discs(tmp_path, 10, 10)
    crop = {"share": [0, 1], "scale_A": [20, 20], "scale_B": [40, 40]}

    def shares(**values: Any) -> tuple[float, float]:
        samples = [dataset(root, object_crop=crop, **values)[(0, index)] for index in range(4)]
        return tuple(float(np.mean([sample[f"mask_{name}"].mean() for sample in samples])) for name in "AB")  # type: ignore[return-value]

    A, B = shares()
    assert A > 2 * B
    A, B = shares(direction="b2a")
    assert B > 2 * A


def test_a_pair_is_cropped_alike(tmp_path: Path) -> None:
    root = negatives(tmp_path, 3, layout="two_folders")
    for index in range(3):
        write(root / "trainB_mask" / f"00{index}.png", disc(5, 24, 20, (10, 12)))
    crop = {"scale_B": [20, 44]}
    source = dataset(root, paired=True, object_crop=crop)
    for epoch, index in itertools.product(range(3), range(3)):
        sample = source[(epoch, index)]
        assert (sample["A"] + sample["B"]).abs().max() < 3 / 127.5
        assert torch.equal(sample["mask_A"], sample["mask_B"])
        assert sample["mask_A"].mean() > 0.1
    with pytest.raises(UserError, match="The two of a pair are cropped alike"):
        dataset(root, paired=True, object_crop={"scale_A": [20, 30], "scale_B": [20, 44]})


def test_images_without_a_mask_get_the_ordinary_crop(tmp_path: Path) -> None:
    root = with_discs(tmp_path)
    (root / "trainA_mask" / "1.png").unlink()
    write(root / "trainB_mask" / "2.png", np.zeros((80, 100), np.uint8))
    source = dataset(root, serial=True, object_crop={"min_object": 0})
    samples = [source[(0, index)] for index in range(4)]
    assert [float(sample["has_mask_A"]) for sample in samples] == [1, 0, 1, 1]
    assert samples[1]["mask_A"].min() == 1
    assert samples[2]["mask_B"].max() == 0
    assert all(sample["A"].shape == sample["B"].shape == (3, 32, 32) for sample in samples)
    plain = TranslationDataset(settings(root, load_size=64, crop_size=32), channels=(3, 3), paired=False, seed=0)
    found = plain.domains[0].path(1)  # an ordinary crop is a part of the scaled image, pixel for pixel
    whole = TranslationDataset(
        settings(root, load_size=64, crop_size=64, flip=False, serial=True), channels=(3, 3), paired=False, seed=0
    )[(0, 1)]["A"]
    assert found.stem == "1"
    patches = torch.cat([whole, whole.flip(2)]).unfold(1, 32, 1).unfold(2, 32, 1)
    crop = samples[1]["A"][0]
    assert (patches - crop).abs().amax((3, 4)).min() == 0


def test_images_with_a_small_object_are_left_out(tmp_path: Path) -> None:
    root = with_discs(tmp_path, count=5)
    write(root / "trainA_mask" / "0.png", disc(2))
    write(root / "trainA_mask" / "3.png", np.zeros((80, 100), np.uint8))
    (root / "trainA_mask" / "4.png").unlink()
    (root / "trainB_mask" / "1.png").write_text("not an image")
    source = dataset(root, serial=True)
    assert source.left_out == (2, 0)
    assert [Path(source[(0, index)]["A_path"]).stem for index in range(4)] == ["1", "2", "4", "1"]
    skipped = [note for index in range(5) for note in dataset(root, serial=True)[(0, index)]["skipped"]]
    assert len(skipped) == 1
    assert "trainB_mask" in skipped[0]
    assert dataset(root, object_crop={"min_object": 0}).left_out == (0, 0)
    assert dataset(root, direction="b2a").left_out == (0, 2)
    with pytest.raises(UserError, match=r"less than 50% of every image in .*trainA"):
        dataset(root / ".." / root.name, object_crop={"min_object": 0.5}, limit=3)


def test_pairs_are_left_out_together(tmp_path: Path) -> None:
    root = negatives(tmp_path, 4)
    for index in range(4):
        write(root / "train_mask" / f"00{index}.png", disc(5 * (index % 2), 24, 20, (10, 12)))
    source = dataset(root, paired=True, serial=True)
    assert source.left_out == (2, 2)
    assert [Path(source[(0, index)]["B_path"]).stem for index in range(2)] == ["001", "003"]
    assert source[(0, 1)]["mask_B"].mean() > 0.1


def test_crops_are_reproducible(tmp_path: Path) -> None:
    root = with_discs(tmp_path)

    def batches(workers: int, first_step: int = 0) -> list[torch.Tensor]:
        loader = make_loader(dataset(root), batch_size=2, seed=0, workers=workers, first_step=first_step)
        made = itertools.islice(loader, 6 - first_step)
        return [
            torch.cat([batch[name] for name in ("A", "B")] + [batch["mask_A"].expand(-1, 3, -1, -1)]) for batch in made
        ]

    whole = batches(0)
    assert all(torch.equal(one, other) for one, other in zip(whole, batches(2), strict=True))
    assert all(torch.equal(one, other) for one, other in zip(whole[2:], batches(0, 2), strict=True))
    assert len({batch.numpy().tobytes() for batch in whole}) == 6


@pytest.mark.parametrize("scale", [[20, 28], [40, 60]])
def test_images_of_many_channels_and_of_16_bits(scale: list[int], tmp_path: Path) -> None:
    for side in "AB":
        (tmp_path / f"train{side}").mkdir()
        levels = np.repeat(disc(25).astype(np.uint16)[:, :, None] * 257, 7, axis=2)
        np.save(tmp_path / f"train{side}" / "x.npy", levels)
        write(tmp_path / f"train{side}_mask" / "x.png", disc(25))
    pipelines: list[list[dict[str, Any]]] = [[], [{"HorizontalFlip": {}}]]
    for augment in pipelines:
        sample = dataset(tmp_path, channels=7, augment=augment, object_crop={"scale_A": scale, "scale_B": scale})[
            (0, 0)
        ]
        assert sample["A"].shape == (7, 32, 32)
        assert sample["A"].min() >= -1
        assert sample["A"].max() <= 1
        # Scaling clamps an image of 8 bits between its two passes and one of 16 bits after them.
        assert (sample["mask_A"] - (sample["A"][3] + 1) / 2).abs().max() < 0.05


def test_transforms_that_leave_less_than_a_crop(tmp_path: Path) -> None:
    root = with_discs(tmp_path)
    sample = dataset(root, augment=[{"CenterCrop": {"height": 12, "width": 12, "p": 1}}], masks=True)[(0, 0)]
    assert sample["A"].shape == (3, 32, 32)
    assert sample["mask_A"].shape == (1, 32, 32)


# ------------------------------------------------------------------------------------------------------------ settings


def test_settings_that_do_not_go_together(tmp_path: Path) -> None:
    root = with_discs(tmp_path / "with")
    with pytest.raises(UserError, match=r"data\.preprocess is scale_width, which does not crop"):
        dataset(root, preprocess="scale_width")
    with pytest.raises(UserError, match=r"data\.object_crop needs masks, but there are none .*translate mask"):
        dataset(unpaired(tmp_path / "without"))
    for wrong, sentence in (
        ({"share": [0.8, 0.2]}, r"data\.object_crop: share should be two numbers from 0 to 1"),
        ({"scale_A": [90, 20]}, r"data\.object_crop: scale_A should be two numbers of pixels"),
    ):
        with pytest.raises(UserError, match=sentence):
            TrainConfig.build({"data": {"object_crop": wrong}})


def test_without_a_share_nothing_changes(tmp_path: Path) -> None:
    root = with_discs(tmp_path)
    write(root / "trainA_mask" / "0.png", np.zeros((80, 100), np.uint8))
    config = settings(root, load_size=64, crop_size=32)
    off = config.model_copy(update={"object_crop": ObjectCropConfig(scale_A=(20, 30), min_object=0.5)})
    for index in range(4):
        one, other = (
            TranslationDataset(each, channels=(3, 3), paired=False, seed=0)[(0, index)] for each in (config, off)
        )
        assert torch.equal(one["A"], other["A"])
        assert torch.equal(one["mask_B"], other["mask_B"])
