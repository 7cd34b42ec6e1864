"""What one process decodes, the others find; the memory stays below its limit."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.pictures import fill, picture, settings, unpaired
from translate.data import cache as cache_module
from translate.data import dataset as dataset_module
from translate.data.cache import DecodedCache
from translate.data.images import read_array
from translate.data.loading import TranslationDataset, make_loader


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 7])
def test_images_come_back_as_they_were(dtype: type[np.unsignedinteger], channels: int) -> None:
    cache = DecodedCache(3, 10_000)
    array = (np.arange(5 * 4 * channels) * 7).astype(dtype).reshape(5, 4, channels)
    assert cache.get(1) is None
    assert cache.put(1, array)
    found = cache.get(1)
    assert found is not None
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, array)
    assert not found.flags.writeable
    assert cache.get(0) is None
    assert cache.get(2) is None


def test_limit_is_held_and_what_is_in_stays() -> None:
    size = picture(0).nbytes  # 1440
    cache = DecodedCache(100, 10 * size)
    fill(cache, 0, 100)
    held = [slot for slot in range(100) if cache.get(slot) is not None]
    assert held == list(range(len(held)))
    assert 8 <= len(held) <= 10
    assert cache.used() <= 10 * size
    np.testing.assert_array_equal(cache.get(0), picture(0))


def test_memory_grows_only_as_it_is_used() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = resident()
    cache = DecodedCache(100_000, 2 * 2**30)
    cache.put(0, picture(0))
    assert resident() - before < 16 * 2**20


def test_no_more_than_half_of_the_free_memory_is_promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "free_memory", lambda: 4000)
    assert DecodedCache(10, 10**12).limit == 2000
    assert DecodedCache(10, 1200, sharers=4).limit == 300
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    source = TranslationDataset(settings(unpaired(tmp_path)), channels=(3, 3), paired=False, seed=0)
    assert source.cache.limit == 1000


def test_zero_turns_it_off(tmp_path: Path) -> None:
    source = TranslationDataset(settings(unpaired(tmp_path), cache_gb=0), channels=(3, 3), paired=False, seed=0)
    source[(0, 0)]
    assert source.cache.used() == 0


@pytest.mark.parametrize(
    "context", [multiprocessing.get_context("fork"), multiprocessing.get_context("spawn")], ids=["fork", "spawn"]
)
@pytest.mark.parametrize("memory", ["memfd", "named"])
def test_processes_share_it(context: Any, memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if memory == "named":  # what there is on macOS and Windows
        monkeypatch.delattr(os, "memfd_create")
    cache = DecodedCache(100, 100 * 1472)
    fill(cache, 0, 3)
    workers = [context.Process(target=fill, args=(cache, first, 48)) for first in (3, 50)]  # they meet at 50
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    for slot in range(98):
        np.testing.assert_array_equal(cache.get(slot), picture(slot))
    assert cache.get(98) is None
    assert 98 * 1472 <= cache.used() <= 99 * 1472


def test_workers_decode_each_image_once_between_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "decoded"

    def counted(path: Path, channels: int) -> object:
        with log.open("a") as file:
            file.write(f"{path}\n")
        return read_array(path, channels)

    monkeypatch.setattr(dataset_module, "read_array", counted)
    source = TranslationDataset(settings(unpaired(tmp_path)), channels=(3, 3), paired=False, seed=0)
    loader = iter(make_loader(source, batch_size=1, seed=0, workers=2))
    for _ in range(60):
        next(loader)
    decoded = log.read_text().splitlines()
    assert len(set(decoded)) == 13
    assert len(decoded) <= 13 + 6  # both workers may be at the same image at once, at the beginning
    assert source.cache.used() >= 13 * 18 * 18 * 3


def test_cached_sample_is_the_decoded_one(tmp_path: Path) -> None:
    config = settings(unpaired(tmp_path))
    cached = TranslationDataset(config, channels=(3, 3), paired=False, seed=0)
    fresh = TranslationDataset(config.model_copy(update={"cache_gb": 0.0}), channels=(3, 3), paired=False, seed=0)
    for _ in range(2):
        for index in range(8):
            one, other = cached[(0, index)], fresh[(0, index)]
            assert one["A"].equal(other["A"])
            assert one["B"].equal(other["B"])
