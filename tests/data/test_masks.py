"""Masks belong to their images by name and follow them through scaling, cropping and every transform."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

import translate
from tests.conftest import tiny_settings
from tests.data.pictures import negatives, noise, picture, settings, unpaired, write
from translate.data import masks as masks_module
from translate.data.images import UnreadableImage
from translate.data.loading import TranslationDataset, make_loader
from translate.data.masks import read_mask
from translate.errors import UserError

LEVEL = 1 / 255
"""One of the 256 levels of a mask."""


def dataset(root: Path, *, paired: bool = False, training: bool = True, **values: Any) -> TranslationDataset:
    return TranslationDataset(
        settings(root, **values), channels=(3, 3), paired=paired, seed=0, training=training, multiple=4
    )


def scene(seed: int, width: int = 48, height: int = 40) -> npt.NDArray[np.uint8]:
    """A smooth picture without pure black, the same in its three channels."""
    small = Image.fromarray(noise(5, 6, seed=seed))
    grey = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))
    return np.repeat(grey[:, :, None], 3, axis=2)


def with_own_masks(root: Path, split: str = "train", count: int = 4, **size: int) -> Path:
    """Unpaired images whose masks are the images themselves."""
    for side, index in itertools.product("AB", range(count)):
        array = scene(100 * (side == "B") + index, **size)
        write(root / f"{split}{side}" / f"{index}.png", array)
        write(root / f"{split}{side}_mask" / f"{index}.png", array[:, :, 0])
    return root


def deviation(sample: dict[str, Any]) -> float:
    """How far the masks are from the images, in levels of 255."""
    return max(float((sample[f"mask_{x}"] - (sample[x][:1] + 1) / 2).abs().max()) * 255 for x in "AB")


MODES = [
    "resize_and_crop",
    "crop",
    "scale_width",
    "scale_width_and_crop",
    "scale_shorter",
    "scale_shorter_and_crop",
    "none",
]
GEOMETRIES: list[dict[str, Any]] = [
    {"HorizontalFlip": {"p": 0.5}},
    {"VerticalFlip": {"p": 0.5}},
    {"Transpose": {"p": 0.5}},
    {"RandomRotate90": {"p": 1}},
    {"D4": {"p": 1}},
    {"Rotate": {"limit": 40, "border_mode": 4, "p": 1}},
    {"Rotate": {"limit": 40, "p": 1}},
    {"SafeRotate": {"limit": 40, "p": 1}},
    {"Affine": {"rotate": [-30, 30], "scale": [0.7, 1.3], "shear": [-10, 10], "translate_percent": 0.1, "p": 1}},
    {"Perspective": {"scale": [0.05, 0.15], "p": 1}},
    {"ElasticTransform": {"alpha": 30, "sigma": 4, "p": 1}},
    {"GridDistortion": {"distort_limit": 0.3, "p": 1}},
    {"OpticalDistortion": {"distort_limit": 0.3, "p": 1}},
    {"RandomResizedCrop": {"size": [24, 24], "p": 1}},
    {"RandomScale": {"scale_limit": 0.2, "p": 1}},
    {"CenterCrop": {"height": 17, "width": 17, "p": 1}},
    {"PadIfNeeded": {"min_height": 60, "min_width": 60, "border_mode": 4, "p": 1}},
    {"OneOf": {"transforms": [{"Rotate": {"limit": 9}}, {"Transpose": {}}], "p": 1}},
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("training", [True, False])
def test_a_mask_is_scaled_and_cropped_as_its_image(mode: str, training: bool, tmp_path: Path) -> None:
    source = dataset(with_own_masks(tmp_path), preprocess=mode, training=training)
    for index in range(4):
        sample = source[(0, index)]
        assert sample["mask_A"].shape == (1, *sample["A"].shape[1:])
        assert sample["mask_A"].dtype == torch.float32
        assert deviation(sample) < 1e-3


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda spec: next(iter(spec)))
@pytest.mark.parametrize("paired", [False, True])
def test_a_mask_follows_every_geometry(geometry: dict[str, Any], paired: bool, tmp_path: Path) -> None:
    source = dataset(with_own_masks(tmp_path), paired=paired, augment=[geometry], load_size=24)
    moved = 0
    for epoch, index in itertools.product(range(3), range(4)):
        sample = source[(epoch, index)]
        # OpenCV rounds images of one and of three channels apart by a level.
        assert deviation(sample) <= 1.01
        moved += not torch.equal(sample["A"], dataset(tmp_path, paired=paired, load_size=24)[(epoch, index)]["A"])
    assert moved


def test_a_mask_follows_the_transforms_of_one_domain(tmp_path: Path) -> None:
    source = dataset(with_own_masks(tmp_path), augment_A=[{"RandomRotate90": {"p": 1}}], direction="b2a")
    assert max(deviation(source[(epoch, index)]) for epoch in range(3) for index in range(4)) < 1e-3


def test_colours_leave_masks_alone(tmp_path: Path) -> None:
    root = with_own_masks(tmp_path)
    colours = [{"RandomBrightnessContrast": {"p": 1}}, {"GaussNoise": {"p": 1}}, {"InvertImg": {"p": 1}}]
    plain, coloured = dataset(root, flip=False, load_size=16), dataset(root, flip=False, load_size=16, augment=colours)
    for index in range(4):
        assert torch.equal(plain[(0, index)]["mask_A"], coloured[(0, index)]["mask_A"])
        assert not torch.equal(plain[(0, index)]["A"], coloured[(0, index)]["A"])


@pytest.mark.parametrize("paired", [False, True])
def test_images_are_the_same_with_and_without_masks(paired: bool, tmp_path: Path) -> None:
    augment = [{"Affine": {"rotate": [-30, 30], "p": 0.7}}, {"GaussNoise": {"p": 0.5}}, {"ElasticTransform": {}}]
    root = with_own_masks(tmp_path)
    options: dict[str, Any] = {"paired": paired, "augment": augment}
    with_masks, without = dataset(root, **options), dataset(root, **options, masks=False)
    for epoch, index in itertools.product(range(3), range(4)):
        one, other = with_masks[(epoch, index)], without[(epoch, index)]
        assert torch.equal(one["A"], other["A"])
        assert torch.equal(one["B"], other["B"])
        assert set(one) - set(other) == {"mask_A", "mask_B", "has_mask_A", "has_mask_B"}


def test_a_data_set_without_masks_has_no_such_keys_nor_memory_for_them(tmp_path: Path) -> None:
    source = dataset(unpaired(tmp_path))
    assert set(source[(0, 0)]) == {"A", "B", "A_path", "B_path", "skipped"}
    assert source.cache.slots == 13


def test_images_without_a_mask_may_change_everywhere(tmp_path: Path) -> None:
    root = with_own_masks(tmp_path)
    (root / "trainA_mask" / "1.png").unlink()
    (batch,) = itertools.islice(make_loader(dataset(root, serial=True), batch_size=4, seed=0, workers=0), 1)
    assert batch["mask_A"].shape == batch["mask_B"].shape == (4, 1, 16, 16)
    assert batch["has_mask_A"].shape == (4, 1, 1, 1)
    assert batch["has_mask_A"].ravel().tolist() == [1, 0, 1, 1]
    assert batch["has_mask_B"].ravel().tolist() == [1, 1, 1, 1]
    assert batch["mask_A"][1].min() == 1
    assert batch["mask_A"][0].min() < 1


def test_one_domain_may_have_no_masks(tmp_path: Path) -> None:
    root = unpaired(tmp_path)
    write(root / "trainB_mask" / "003.gif", np.zeros((20, 24), np.uint8))
    samples = [dataset(root, serial=True)[(0, index)] for index in range(8)]
    assert [float(sample["has_mask_A"]) for sample in samples] == [0] * 8
    assert [float(sample["has_mask_B"]) for sample in samples] == [0, 0, 0, 1, 0, 0, 0, 0]
    assert samples[3]["mask_B"].max() == 0


def test_direction_swaps_masks(tmp_path: Path) -> None:
    root = unpaired(tmp_path)
    for path in (root / "trainA").iterdir():
        write(root / "trainA_mask" / path.name, np.zeros((20, 24), np.uint8))
    sample = dataset(root, direction="b2a")[(0, 0)]
    assert "trainA" in sample["B_path"]
    assert (sample["has_mask_A"].item(), sample["has_mask_B"].item()) == (0, 1)
    assert sample["mask_B"].max() == 0


@pytest.mark.parametrize("layout", ["{}A", "A/{}", "{}/A", "A"])
def test_masks_lie_beside_their_images_in_every_layout(layout: str, tmp_path: Path) -> None:
    A = layout.format("train")
    B = A.replace("A", "B")
    for folder in (A, B):
        write(tmp_path / folder / "sub" / "x.jpg", picture(0))
    write(tmp_path / f"{A}_mask" / "sub" / "x.png", np.zeros((20, 24), np.uint8))
    sample = dataset(tmp_path)[(0, 0)]
    assert sample["mask_A"].max() == 0
    assert sample["mask_B"].min() == 1


def test_masks_elsewhere_by_split(tmp_path: Path) -> None:
    root = unpaired(tmp_path / "data")
    unpaired(root, 2, 2, split="val")
    for split, level in (("train", 0), ("val", 102)):
        write(tmp_path / "masks" / split / "000.png", np.full((20, 24), level, np.uint8))
    given = tmp_path / "masks" / "{split}"
    assert dataset(root, mask_B=given)[(0, 0)]["has_mask_A"] == 0
    assert dataset(root, mask_B=given, serial=True)[(0, 0)]["mask_B"].max() == 0
    sample = dataset(root, mask_B=given, training=False)[(0, 0)]
    torch.testing.assert_close(sample["mask_B"], torch.full_like(sample["mask_B"], 0.4))


def test_a_wrong_folder_of_masks_is_refused(tmp_path: Path) -> None:
    root = unpaired(tmp_path / "data")
    with pytest.raises(UserError, match=r"folder of masks .*nowhere does not exist"):
        dataset(root, mask_A=tmp_path / "nowhere")
    write(tmp_path / "other" / "horse.png", picture(0))
    with pytest.raises(UserError, match=r"No mask in .*other has the name of an image in .*trainA"):
        dataset(root, mask_A=tmp_path / "other")
    dataset(root, mask_A=tmp_path / "nowhere", training=False)  # masks of validation images are never required
    write(root / "trainA_mask" / "000.png", picture(0))
    write(root / "trainA_mask" / "000.jpg", picture(0))
    with pytest.raises(UserError, match=r"000\.jpg and 000\.png in .*trainA_mask could both be the mask"):
        dataset(root)


# --------------------------------------------------------------------------------------------------------------- pairs


def test_side_by_side_masks_and_one_mask_for_both(tmp_path: Path) -> None:
    left, right = (scene(seed) for seed in (0, 1))
    for name in ("both", "one", "none"):
        write(tmp_path / "train" / f"{name}.png", np.concatenate([left, right], axis=1))
    write(tmp_path / "train_mask" / "both.png", np.concatenate([left, right], axis=1)[:, :, 0])
    write(tmp_path / "train_mask" / "one.png", left[:, :, 0])
    augment = [{"Rotate": {"limit": 20, "border_mode": 4, "p": 1}}]
    samples = [dataset(tmp_path, paired=True, augment=augment, serial=True)[(0, index)] for index in range(3)]
    assert [Path(sample["A_path"]).stem for sample in samples] == ["both", "none", "one"]
    assert deviation(samples[0]) <= 1.01
    assert samples[1]["has_mask_A"] == samples[1]["has_mask_B"] == 0
    assert samples[2]["has_mask_A"] == samples[2]["has_mask_B"] == 1
    assert torch.equal(samples[2]["mask_A"], samples[2]["mask_B"])
    assert (samples[2]["mask_A"] - (samples[2]["A"][:1] + 1) / 2).abs().max() <= 1.01 * LEVEL


def test_of_a_pair_in_two_folders_one_mask_serves_both(tmp_path: Path) -> None:
    root = negatives(tmp_path, 3, layout="two_folders")
    for index in (0, 1):
        write(root / "trainA_mask" / f"00{index}.png", picture(index)[:, :, 0])
    write(root / "trainB_mask" / "001.png", np.zeros((20, 24), np.uint8))
    source = dataset(root, paired=True, serial=True)
    first, second, third = (source[(0, index)] for index in range(3))
    assert torch.equal(first["mask_A"], first["mask_B"])
    assert second["mask_B"].max() == 0 < second["mask_A"].max()
    assert third["has_mask_A"] == third["has_mask_B"] == 0
    unrelated = dataset(root, serial=True)[(0, 0)]
    assert (unrelated["has_mask_A"], unrelated["has_mask_B"]) == (1, 0)


# --------------------------------------------------------------------------------------------------------------- files


def test_masks_of_every_kind(tmp_path: Path) -> None:
    expected = np.zeros((4, 6), np.uint8)
    expected[1:3, 2:5] = 255
    shown = expected > 0
    kinds = {
        "grey": Image.fromarray(expected),
        "bilevel": Image.fromarray(expected).convert("1"),
        "colour": Image.fromarray(np.repeat(expected[:, :, None], 3, axis=2)),
        "labels": Image.fromarray(shown.astype(np.uint8)),
        "deep": Image.fromarray(expected.astype(np.uint16) * 257),
        "deep labels": Image.fromarray(shown.astype(np.uint16)),
        "cut out": Image.fromarray(np.stack([np.full_like(expected, 255)] * 3 + [expected], axis=2)),
    }
    for name, image in kinds.items():
        image.save(tmp_path / f"{name}.png")
        np.testing.assert_array_equal(read_mask(tmp_path / f"{name}.png"), expected, err_msg=name)
    np.save(tmp_path / "array.npy", expected)
    np.testing.assert_array_equal(read_mask(tmp_path / "array.npy"), expected)


def test_a_mask_of_another_size_is_scaled(tmp_path: Path) -> None:
    root = unpaired(tmp_path, 1, 1)
    halves = np.zeros((80, 96), np.uint8)
    halves[:, 48:] = 255
    for width, height in ((96, 80), (6, 4)):
        write(root / "trainA_mask" / "000.png", np.asarray(Image.fromarray(halves).resize((width, height), 0)))
        mask = dataset(root, load_size=16, flip=False)[(0, 0)]["mask_A"]
        assert mask.shape == (1, 16, 16)
        assert mask[0, :, :5].max() < 0.1
        assert mask[0, :, 11:].min() > 0.9


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_mask_is_named_once_and_its_image_is_used(workers: int, tmp_path: Path) -> None:
    root = with_own_masks(tmp_path)
    (root / "trainA_mask" / "1.png").write_text("not an image")
    batches = list(itertools.islice(make_loader(dataset(root, serial=True), batch_size=1, seed=0, workers=workers), 12))
    assert [Path(batch["A_path"][0]).stem for batch in batches[:4]] == ["0", "1", "2", "3"]
    assert [float(batch["has_mask_A"]) for batch in batches[:4]] == [1, 0, 1, 1]
    skipped = [note for batch in batches for note in batch["skipped"]]
    assert 1 <= len(skipped) <= max(1, workers)
    assert skipped[0].startswith(f"{root / 'trainA_mask' / '1.png'}: it is not an image")
    with pytest.raises(UnreadableImage, match=r"trainA_mask.1\.png"):
        dataset(root, serial=True, strict=True)[(0, 1)]


# -------------------------------------------------------------------------------------------------------- reproducible


def test_masks_are_decoded_once_and_come_back_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = with_own_masks(tmp_path)
    decoded: list[Path] = []

    def counted(path: Path) -> Any:
        decoded.append(path)
        return read_mask(path)

    monkeypatch.setattr(masks_module, "read_mask", counted)
    cached, fresh = dataset(root), dataset(root, cache_gb=0)
    for _ in range(2):
        for index in range(4):
            one, other = cached[(0, index)], fresh[(0, index)]
            assert torch.equal(one["mask_A"], other["mask_A"])
            assert torch.equal(one["mask_B"], other["mask_B"])
    decoded.clear()
    for index in range(4):
        cached[(5, index)]
    assert len(decoded) <= 4  # at most those of B that no earlier sample drew
    assert {path.parent.name for path in decoded} <= {"trainB_mask"}


def test_masks_do_not_depend_on_workers_nor_on_where_the_loader_begins(tmp_path: Path) -> None:
    root = with_own_masks(tmp_path)
    augment = [{"Rotate": {"limit": 20}}, {"GaussNoise": {"p": 0.5}}]

    def batches(workers: int, first_step: int = 0) -> list[dict[str, Any]]:
        loader = make_loader(
            dataset(root, augment=augment), batch_size=2, seed=0, workers=workers, first_step=first_step
        )
        return list(itertools.islice(loader, 8 - first_step))

    whole = batches(0)
    for other in (batches(1), batches(2)):
        for one, two in zip(whole, other, strict=True):
            assert torch.equal(one["mask_A"], two["mask_A"])
            assert torch.equal(one["mask_B"], two["mask_B"])
    for one, two in zip(whole[3:], batches(0, 3), strict=True):
        assert torch.equal(one["mask_A"], two["mask_A"])
    copy = pickle.loads(pickle.dumps(dataset(root, augment=augment, cache_gb=0)))
    assert torch.equal(copy[(1, 2)]["mask_B"], dataset(root, augment=augment)[(1, 2)]["mask_B"])


@pytest.mark.parametrize("missing", [False, True])
def test_training_runs_on_a_folder_with_masks(missing: bool, unpaired: Path, tmp_path: Path) -> None:
    for path in (unpaired / "trainA").iterdir():
        if not (missing and path.stem in "135"):
            write(unpaired / "trainA_mask" / path.name, np.zeros((40, 40), np.uint8))
    tree = tiny_settings("cyclegan", unpaired, tmp_path / "run", run__steps=2)
    translate.train(translate.TrainConfig.build(tree))
    assert (tmp_path / "run" / "checkpoints" / "step-00000002" / "a2b.safetensors").exists()
