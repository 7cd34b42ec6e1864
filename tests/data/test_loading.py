"""What reaches the networks: reproducible, resumable, the same for any number of workers and processes."""

from __future__ import annotations

import itertools
import os
import pickle
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.data.pictures import negatives, picture, settings, unpaired, write
from translate.data import dataset as dataset_module
from translate.data.images import UnreadableImage
from translate.data.loading import TranslationDataset, make_loader, steps_per_epoch
from translate.errors import UserError


def dataset(root: Path, *, paired: bool = False, seed: int = 0, **values: Any) -> TranslationDataset:
    return TranslationDataset(settings(root, **values), channels=(3, 3), paired=paired, seed=seed, multiple=4)


def take(source: TranslationDataset, count: int, **options: Any) -> list[dict[str, Any]]:
    options = {"batch_size": 1, "seed": 0, "workers": 0, **options}
    return list(itertools.islice(make_loader(source, **options), count))


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return (
        torch.equal(one["A"], other["A"])
        and torch.equal(one["B"], other["B"])
        and (one["A_path"], one["B_path"]) == (other["A_path"], other["B_path"])
    )


def test_batch_has_the_promised_form(tmp_path: Path) -> None:
    (batch,) = take(dataset(unpaired(tmp_path)), 1, batch_size=3)
    assert batch["A"].shape == batch["B"].shape == (3, 3, 16, 16)
    assert batch["A"].dtype == torch.float32
    assert -1 <= batch["A"].min() < -0.5 < 0.5 < batch["A"].max() <= 1
    assert len(batch["A_path"]) == len(batch["B_path"]) == 3
    assert all("trainA" in path for path in batch["A_path"])
    assert batch["skipped"] == []


@pytest.mark.parametrize("paired", [False, True])
def test_batches_do_not_depend_on_the_number_of_workers(paired: bool, tmp_path: Path) -> None:
    root = negatives(tmp_path) if paired else unpaired(tmp_path)
    augment = [{"RandomBrightnessContrast": {"p": 0.7}}, {"Rotate": {"limit": 20}}, {"GaussNoise": {"p": 0.5}}]
    runs = [
        take(dataset(root, paired=paired, augment=augment), 14, batch_size=2, workers=workers) for workers in (0, 1, 2)
    ]
    for batches in zip(*runs, strict=True):
        assert same(batches[0], batches[1])
        assert same(batches[0], batches[2])


def test_sample_does_not_depend_on_what_was_drawn_before(tmp_path: Path) -> None:
    source = dataset(unpaired(tmp_path), augment=[{"OneOf": {"transforms": [{"Rotate": {}}, {"GaussNoise": {}}]}}])
    first = source[(3, 2)]
    for index in range(5):
        source[(0, index)]
    assert same(first, source[(3, 2)])
    assert not torch.equal(first["A"], source[(4, 2)]["A"])


def test_resumed_loader_continues_the_uninterrupted_one(tmp_path: Path) -> None:
    source = dataset(unpaired(tmp_path))
    whole = take(source, 20, batch_size=2)
    for first_step in (1, 4, 7):  # inside the first epoch, at the border of the second, inside it
        tail = take(dataset(tmp_path), 20 - first_step, batch_size=2, first_step=first_step)
        assert all(same(one, other) for one, other in zip(whole[first_step:], tail, strict=True))


def test_processes_share_a_global_batch(tmp_path: Path) -> None:
    root = unpaired(tmp_path, 7, 5)
    together = take(dataset(root), 9, batch_size=2)
    apart = [take(dataset(root), 9, process=process, processes=2) for process in (0, 1)]
    for batch, first, second in zip(together, *apart, strict=True):
        assert torch.equal(batch["A"], torch.cat([first["A"], second["A"]]))
        assert torch.equal(batch["B"], torch.cat([first["B"], second["B"]]))


def test_dataset_can_be_sent_to_a_spawned_worker(tmp_path: Path) -> None:
    augment: list[dict[str, Any]] = [{"OneOf": {"transforms": [{"Rotate": {}}, {"GaussNoise": {}}]}}]
    source = dataset(unpaired(tmp_path), augment=augment, cache_gb=0)
    copy = pickle.loads(pickle.dumps(source))
    assert all(same(source[(0, index)], copy[(0, index)]) for index in range(4))


def test_global_random_state_is_neither_used_nor_touched(tmp_path: Path) -> None:
    root = unpaired(tmp_path)

    def states() -> tuple[Any, ...]:
        return torch.get_rng_state().tolist(), random.getstate(), str(np.random.get_state())

    torch.manual_seed(1)
    before = states()
    one = take(dataset(root), 6) + take(dataset(root), 6, workers=1)
    assert states() == before
    torch.manual_seed(2)
    random.seed(3)
    np.random.seed(4)
    other = take(dataset(root), 6) + take(dataset(root), 6, workers=1)
    assert all(same(*pair) for pair in zip(one, other, strict=True))


def test_another_seed_gives_other_batches(tmp_path: Path) -> None:
    root = unpaired(tmp_path)
    one, other = take(dataset(root), 8), take(dataset(root, seed=1), 8, seed=1)
    assert not any(same(*pair) for pair in zip(one, other, strict=True))


def test_an_epoch_sees_every_image_of_the_larger_domain_and_shuffles_anew(tmp_path: Path) -> None:
    source = dataset(unpaired(tmp_path, 8, 5))
    assert len(source) == 8
    assert steps_per_epoch(source, 1, 1) == 8
    batches = take(source, 16)
    epochs = [[batch["A_path"][0] for batch in part] for part in (batches[:8], batches[8:])]
    assert len(set(epochs[0])) == len(set(epochs[1])) == 8
    assert epochs[0] != epochs[1]


def test_the_smaller_domain_is_seen_evenly(tmp_path: Path) -> None:
    source = dataset(unpaired(tmp_path, 4, 6), cache_gb=0.01)
    counts = Counter(source[(epoch, index)]["A_path"] for epoch in range(200) for index in range(6))
    assert min(counts.values()) > 0.9 * 300  # with the same extra images in each epoch: 200 and 400
    partners = Counter(source[(epoch, 0)]["B_path"] for epoch in range(300))
    assert len(partners) == 6
    assert max(partners.values()) < 90  # drawn uniformly, whatever A is


def test_serial_is_in_order(tmp_path: Path) -> None:
    batches = take(dataset(unpaired(tmp_path, 3, 5), serial=True), 6)
    assert [Path(batch["A_path"][0]).stem for batch in batches] == ["000", "001", "002", "000", "001", "000"]
    assert [Path(batch["B_path"][0]).stem for batch in batches] == ["000", "001", "002", "003", "004", "000"]


def test_folder_smaller_than_a_batch_wraps_around_with_fresh_crops(tmp_path: Path) -> None:
    source = dataset(negatives(tmp_path, 1), paired=True)
    assert steps_per_epoch(source, 4, 2) == 1
    (batch,) = take(source, 1, batch_size=4)
    assert len(set(batch["A_path"])) == 1
    assert len({image.numpy().tobytes() for image in batch["A"]}) > 1


@pytest.mark.parametrize("layout", ["side_by_side", "two_folders"])
def test_a_pair_has_one_geometry(layout: str, tmp_path: Path) -> None:
    root = negatives(tmp_path, layout=layout)
    augment = [{"Affine": {"rotate": (-30, 30), "scale": (0.7, 1.3), "border_mode": 4}}, {"RandomRotate90": {}}]
    source = dataset(root, paired=True, augment=augment)
    assert source.layout == layout
    for epoch, index in itertools.product(range(4), range(6)):
        sample = source[(epoch, index)]
        # Interpolation rounds A and its negative apart by a level or two.
        assert (sample["A"] + sample["B"]).abs().max() < 3 / 127.5


def test_unpaired_images_have_independent_geometry(tmp_path: Path) -> None:
    source = dataset(negatives(tmp_path, 1), paired=False)
    assert any((source[(0, i)]["A"] + source[(0, i)]["B"]).abs().max() > 0.1 for i in range(8))


def test_direction_swaps_the_domains_and_their_transforms(tmp_path: Path) -> None:
    root = unpaired(tmp_path)
    black = [{"RandomBrightnessContrast": {"brightness_limit": (-1, -1), "contrast_limit": (0, 0), "p": 1}}]
    sample = dataset(root, direction="BtoA", augment_A=black)[(0, 0)]
    assert "trainB" in sample["A_path"]
    assert "trainA" in sample["B_path"]
    assert sample["B"].max() == -1  # augment_A belongs to trainA
    assert sample["A"].max() > 0.5


def test_direction_swaps_halves_and_channels_come_after_it(tmp_path: Path) -> None:
    A = np.zeros((16, 16, 3), np.uint8)
    write(tmp_path / "train" / "x.png", np.concatenate([A, A + 255], axis=1))
    config = settings(tmp_path, direction="b2a", load_size=16)
    sample = TranslationDataset(config, channels=(1, 3), paired=True, seed=0)[(0, 0)]
    assert sample["A"].shape == (1, 16, 16)
    assert sample["B"].shape == (3, 16, 16)
    assert sample["A"].min() == 1
    assert sample["B"].max() == -1


def test_validation_is_whole_images_in_order_without_randomness(tmp_path: Path) -> None:
    root = unpaired(tmp_path)
    unpaired(root, 3, 2, split="val")
    config = settings(root, load_size=23)
    source = TranslationDataset(config, channels=(3, 3), paired=False, seed=0, training=False, multiple=4)
    samples = [source[(epoch, 2)] for epoch in (0, 1)]
    assert same(*samples)
    assert samples[0]["A"].shape == (3, 20, 20)  # 23 rounded down
    assert samples[0]["A_path"].endswith("valA/002.png")
    assert samples[0]["B_path"].endswith("valB/000.png")


def test_validation_falls_back_to_the_training_split(tmp_path: Path) -> None:
    source = TranslationDataset(
        settings(unpaired(tmp_path)), channels=(3, 3), paired=False, seed=0, training=False, multiple=4
    )
    assert source[(0, 0)]["A_path"].endswith("trainA/000.png")


def test_sixteen_bits_reach_the_tensor(tmp_path: Path) -> None:
    levels = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    for side in "AB":
        write(tmp_path / f"train{side}" / "x.png", levels)
    for augment in ([], [{"HorizontalFlip": {"p": 0}}]):
        config = settings(tmp_path, load_size=16, flip=False, augment=augment)
        sample = TranslationDataset(config, channels=(1, 1), paired=True, seed=0)[(0, 0)]
        np.testing.assert_allclose(sample["A"].numpy().ravel(), levels.ravel() / 32767.5 - 1, atol=1e-6)


def test_images_of_many_channels(tmp_path: Path) -> None:
    for side in "AB":
        (tmp_path / f"train{side}").mkdir()
        np.save(tmp_path / f"train{side}" / "x.npy", np.full((20, 30, 7), 255, np.uint8))
    config = settings(tmp_path, augment=[{"Rotate": {"limit": 10, "border_mode": 4}}])
    sample = TranslationDataset(config, channels=(7, 7), paired=True, seed=0)[(0, 0)]
    assert sample["A"].shape == (7, 16, 16)
    assert sample["A"].min() == 1


# -------------------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize("workers", [0, 2])
def test_unreadable_image_is_replaced_and_named_once(workers: int, tmp_path: Path) -> None:
    root = unpaired(tmp_path, 4, 4)
    (root / "trainA" / "001.png").write_text("not an image")
    batches = take(dataset(root, serial=True), 12, workers=workers)
    assert [Path(batch["A_path"][0]).stem for batch in batches[:4]] == ["000", "002", "002", "003"]
    skipped = [note for batch in batches for note in batch["skipped"]]
    assert 1 <= len(skipped) <= max(1, workers)
    assert skipped[0].startswith(f"{root / 'trainA' / '001.png'}: ")


def test_unreadable_half_skips_the_pair(tmp_path: Path) -> None:
    root = negatives(tmp_path, 3, layout="two_folders")
    (root / "trainB" / "001.png").write_bytes(b"")
    sample = dataset(root, paired=True)[(0, 1)]
    assert sample["A_path"].endswith("002.png")
    assert sample["B_path"].endswith("002.png")
    assert "001.png: the file is empty" in sample["skipped"][0]


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_of_workers_arrive_as_one_sentence(workers: int, tmp_path: Path) -> None:
    root = unpaired(tmp_path, 2, 2)
    (root / "trainA" / "001.png").write_text("not an image")
    with pytest.raises(UnreadableImage) as caught:
        take(dataset(root, strict=True), 4, workers=workers)
    assert str(caught.value).startswith(f"Cannot read {root / 'trainA' / '001.png'}: ")
    assert "Traceback" not in str(caught.value)


def test_killed_worker_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(path: Path, channels: int) -> None:
        time.sleep(0.2)  # until the main process is waiting for the batch
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does when memory runs out

    monkeypatch.setattr(dataset_module, "read_array", killed)
    with pytest.raises(UserError, match=r"A loading process was killed.*data\.cache_gb"):
        take(dataset(unpaired(tmp_path)), 1, workers=1)


def test_nothing_readable(tmp_path: Path) -> None:
    root = unpaired(tmp_path, 2, 2)
    for path in (root / "trainB").iterdir():
        path.write_bytes(b"")
    with pytest.raises(UserError, match=r"None of the 2 images in .*trainB is readable.*empty"):
        take(dataset(root), 1)


def test_image_smaller_than_the_crop(tmp_path: Path) -> None:
    root = unpaired(tmp_path)
    write(root / "trainA" / "small.png", picture(1, 10, 40))
    with pytest.raises(UserError, match=r"small\.png is 10×40, smaller than data\.crop_size, 16"):
        take(dataset(root, preprocess="crop"), 6, batch_size=1)


def test_images_of_different_sizes_in_a_batch(tmp_path: Path) -> None:
    for side in "AB":
        write(tmp_path / f"train{side}" / "1.png", picture(1, 24, 20))
        write(tmp_path / f"train{side}" / "2.png", picture(2, 24, 32))
    with pytest.raises(UserError, match=r"24×32.*optim\.batch_size"):
        take(dataset(tmp_path, preprocess="none", flip=False), 3, batch_size=2)


def test_pair_of_different_sizes(tmp_path: Path) -> None:
    write(tmp_path / "trainA" / "x.png", picture(1, 24, 20))
    write(tmp_path / "trainB" / "x.png", picture(1, 24, 24))
    with pytest.raises(UserError, match=r"trainA/x\.png is 24×20 and .*trainB/x\.png is 24×24"):
        take(dataset(tmp_path, paired=True, preprocess="crop"), 1)


def test_side_by_side_file_of_odd_width_among_good_ones(tmp_path: Path) -> None:
    root = negatives(tmp_path, 4)
    write(root / "train" / "zzz.png", picture(1, 25, 10))
    with pytest.raises(UserError, match=r"zzz\.png is 25×10: an odd width"):
        take(dataset(root, paired=True), 5)


def test_transform_that_cannot_be_applied(tmp_path: Path) -> None:
    for side in "AB":
        write(tmp_path / f"train{side}" / "x.png", picture(1, 24, 20, channels=1))
    config = settings(tmp_path, augment=[{"ISONoise": {"p": 1}}])
    source = TranslationDataset(config, channels=(1, 1), paired=True, seed=0)
    with pytest.raises(UserError, match=r"data\.augment failed on .*x\.png"):
        source[(0, 0)]


def test_transform_that_unmatches_a_pair(tmp_path: Path) -> None:
    root = negatives(tmp_path)
    source = dataset(root, paired=True, augment_B=[{"Resize": {"height": 32, "width": 32}}])
    with pytest.raises(UserError, match="different sizes"):
        source[(0, 0)]


def test_real_photographs_if_they_are_here() -> None:
    root = Path(__file__).parents[3] / "shared" / "data" / "horse2zebra"
    if not root.is_dir():
        pytest.skip("the photographs of horse2zebra are not on this machine")
    source = TranslationDataset(settings(root, limit=20), channels=(3, 3), paired=False, seed=0)
    sample = source[(0, 0)]
    with Image.open(sample["A_path"]) as image:
        assert image.size == (256, 256)
    assert sample["A"].shape == (3, 16, 16)
    assert not sample["skipped"]
