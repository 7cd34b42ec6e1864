"""A folder of 100,000 images: it starts at once and is not held in memory."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import picture
from translate.data.dataset import TranslationDataset
from translate.data.loading import make_loader
from translate.data.settings import DataConfig

IMAGES = 100_000


@pytest.mark.alone
@pytest.mark.slow
def test_a_hundred_thousand_images_start_in_seconds(tmp_path: Path) -> None:
    for domain in "AB":
        folder = tmp_path / f"train{domain}"
        folder.mkdir()
        picture(0, (256, 256)).save(folder / "0.png")
        for number in range(1, IMAGES // 2):  # one file under many names: the disk need not hold them either
            os.link(folder / "0.png", folder / f"{number}.png")
    begun = time.perf_counter()
    config = DataConfig(root=tmp_path, workers=0, cache_gb=0.05)
    dataset = TranslationDataset(config, channels=(3, 3), paired=False, seed=0)
    batches = iter(make_loader(dataset, batch_size=1, seed=0, workers=0))
    first = next(batches)
    assert time.perf_counter() - begun < 10
    assert first["A"].shape == (1, 3, 256, 256)
    before = psutil.Process().memory_info().rss
    for _ in range(300):
        next(batches)
    # The cache may grow to 50 MB. As decoded arrays the images seen here would be 118 MB, all of them 20 GB.
    assert psutil.Process().memory_info().rss - before < 80e6
