"""Steady film: noise goes, movement stays, and a norm's statistics follow slowly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

import translate
from tests.conftest import picture
from tests.inference.conftest import MakeCheckpoint
from translate.checkpoints.format import save_checkpoint
from translate.checkpoints.settings import CheckpointConfig
from translate.inference.temporal_norm import TemporalInstanceNorm2d, begin_scene
from translate.inference.video.temporal_smoothing import StillParts
from translate.networks import build_generator, generator_config
from translate.networks.blocks import InstanceNorm2d


def noisy(scene: npt.NDArray[np.uint8], count: int, deviation: float) -> list[npt.NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [np.clip(scene + rng.normal(0, deviation, scene.shape), 0, 255).astype(np.uint8) for _ in range(count)]


def flicker(frames: list[npt.NDArray[np.uint8]]) -> float:
    return float(np.abs(np.diff(np.stack(frames).astype(int), axis=0)).mean())


def test_noise_goes_where_nothing_moves() -> None:
    still = StillParts()
    scene = np.asarray(picture(1, (64, 48)))
    frames = noisy(scene, 40, 6)
    calm = [still(frame) for frame in frames]
    assert flicker(calm[10:]) < 0.2 * flicker(frames[10:])
    assert np.abs(calm[-1].astype(int) - scene).mean() < 0.5 * np.abs(frames[-1].astype(int) - scene).mean()


def test_what_moves_stays() -> None:
    still = StillParts()
    scene = np.asarray(picture(1, (64, 48)))
    for index, frame in enumerate(noisy(scene, 30, 3)):
        frame[10:30, index : index + 20] = (250, 20, 20)
        calm = still(frame)
        inside = calm[12:28, index + 2 : index + 18]
        assert np.abs(inside.astype(int) - (250, 20, 20)).max() <= 12
    trail = calm[10:30, :20].astype(int)  # where it was
    assert np.abs(trail - scene[10:30, :20]).mean() < 4


def test_averages_of_norms_start_as_means_and_follow() -> None:
    norm = TemporalInstanceNorm2d(InstanceNorm2d(2))
    frames = torch.randn(3, 2, 8, 8) * 2 + 5
    first, second, third = norm(frames)
    torch.testing.assert_close(first, InstanceNorm2d(2)(frames[:1])[0], atol=1e-4, rtol=1e-4)
    mean = frames[:2].mean((0, 2, 3))
    variance = frames[:2].var((2, 3), correction=0).mean(0)
    wanted = (frames[1] - mean[:, None, None]) / (variance[:, None, None] + norm.eps).sqrt()
    torch.testing.assert_close(second, wanted, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(third, InstanceNorm2d(2)(frames[2:])[0], atol=1e-2)
    norm.begin_scene()
    torch.testing.assert_close(norm(frames[2:]), InstanceNorm2d(2)(frames[2:]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("architecture", ["resnet", "unet"])
def test_batches_and_tiles_change_nothing(make_checkpoint: MakeCheckpoint, architecture: str) -> None:
    """High-definition frames go through in tiles, so these have to know of the averages."""
    translator = translate.load(make_checkpoint(architecture=architecture), device="cpu", precision="float32")
    frames = np.stack([np.asarray(picture(seed, (64, 96))) for seed in range(4)])
    together = translator.steady().translate_batch(frames).astype(int)
    alone, tiled = translator.steady(), translator.steady()
    assert np.abs(together - [alone.translate_batch(frame[None])[0] for frame in frames]).max() <= 1
    assert np.abs(together - tiled.translate_batch(frames, tile=32)).max() <= 1
    assert np.abs(together - translator.translate_batch(frames))[1:].mean() > 2
    assert np.array_equal(translator.translate_batch(frames[3:])[0], translator(frames[3]))  # it is as it was


def test_batch_norm_is_steadied_where_it_uses_the_images_own_statistics(tmp_path: Path) -> None:
    generator = generator_config(width=4, blocks=1, norm="batch")
    for statistics, flickers in (("image", True), ("running", False)):
        config = CheckpointConfig(
            name="bn", domains={"a": "A", "b": "B"}, generators={"a2b": generator}, statistics=statistics
        )
        folder = save_checkpoint(tmp_path / statistics, config, {"a2b": build_generator(generator)})
        assert begin_scene(translate.load(folder, device="cpu").steady().generator("a2b")) == flickers
