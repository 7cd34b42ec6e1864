from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from tests.conftest import picture
from translate.data.tensors import to_pixels, to_tensor
from translate.errors import UserError
from translate.inference.channel_statistics import channel_statistics
from translate.inference.tiling import translate_tiled
from translate.inference.tiling.activation_storage import Activation, ScratchSpace
from translate.networks import build_generator, generator_config, use_image_statistics
from translate.networks.generator import Generator

Image = npt.NDArray[Any]
ALL = 2**30


def generator(**settings: object) -> Generator:
    """A small one in evaluation mode, whose every weight and statistic matters to the result."""
    config = generator_config(**({"width": 6, "blocks": 2, "size": 32} | settings))
    torch.manual_seed(0)
    network = build_generator(config)
    for name, weights in [*network.named_parameters(), *network.named_buffers()]:
        if name.endswith("bias") or name.endswith("running_mean"):
            nn.init.normal_(weights, 0.0, 0.2)
        elif name.endswith("running_var"):
            nn.init.uniform_(weights, 0.5, 2.0)
        elif weights.ndim == 4 and "original" not in name:
            nn.init.normal_(weights, 0.0, 0.1)
    assert isinstance(network, Generator)
    return network.eval()


def noise(height: int, width: int, channels: int = 3) -> Image:
    """Brighter to the right, so that the tiles' own statistics differ."""
    rng = np.random.default_rng(7)
    bright = np.linspace(0, 40000, width)[None, :, None]
    return (bright + rng.integers(0, 25000, (height, width, channels))).astype(np.uint16)


def whole(network: nn.Module, image: Image, bits: int = 16) -> Image:
    with torch.inference_mode():
        return to_pixels(network(to_tensor(image)[None])[0], bits)


def difference(one: Image, other: Image) -> float:
    """The largest, where images of 16 bits run from -1 to 1 as the networks see them."""
    assert one.shape == other.shape
    assert one.dtype == other.dtype == np.uint16
    return float(np.abs(one.astype(int) - other).max() / 32767.5)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"norm": "batch", "dropout": True},
        {"norm": "none"},
        {"residual": True, "norm": "none", "bias": True},
        {"separable": True, "upsample": "resize", "blocks": 3},
        {"padding": "replicate", "spectral_norm": True},
        {"padding": "zeros", "downsamplings": 3, "in_channels": 1, "out_channels": 4},
        {"downsamplings": 0},
        {"blocks": 0, "width": 3},
        {"architecture": "unet", "norm": "batch", "dropout": True},
        {"architecture": "unet", "norm": "instance", "upsample": "resize"},
        {"architecture": "unet", "norm": "none", "spectral_norm": True},
    ],
    ids=str,
)
def test_tiles_give_what_the_whole_image_gives(settings: dict[str, object], tmp_path: Path) -> None:
    network = generator(**settings)
    image = noise(96, 160, int(str(settings.get("in_channels", 3))))
    expected = whole(network, image)
    assert expected.std() > 1000  # a flat result would agree with anything
    for tile, memory in [(32, 0), (40, ALL), (64, 100_000), (1000, 0)]:
        made = translate_tiled(network, image, tile=tile, memory=memory, scratch=tmp_path)
        assert difference(made, expected) <= 1e-4, (tile, memory)


def test_batch_norm_with_the_images_statistics(tmp_path: Path) -> None:
    network = generator(architecture="unet", norm="batch")
    use_image_statistics(network)
    image = noise(64, 96)
    made = translate_tiled(network, image, tile=32, memory=0, scratch=tmp_path)
    assert difference(made, whole(network, image)) <= 1e-4


def test_tiles_of_the_smallest_size_on_an_image_of_odd_proportions(tmp_path: Path) -> None:
    network, image = generator(blocks=1), noise(12, 52)
    made = translate_tiled(network, image, tile=1, memory=0, scratch=tmp_path)
    assert difference(made, whole(network, image)) <= 1e-4


def test_each_tile_by_itself_would_differ() -> None:
    """What this module is for: were it no problem, the tests above would prove nothing."""
    network, image = generator(), noise(64, 64)
    assert difference(whole(network, image[:, :32]), whole(network, image)[:, :32]) > 0.1


def test_eight_bits_come_out_as_eight_bits_or_as_sixteen() -> None:
    network = generator()
    image = np.asarray(picture(3, (64, 48)))
    eight = translate_tiled(network, image, tile=32)
    assert eight.dtype == np.uint8
    assert np.abs(eight.astype(int) - whole(network, image, 8)).max() <= 1
    sixteen = translate_tiled(network, image, tile=32, bits=16)
    assert difference(sixteen, whole(network, image)) <= 1e-4


def test_it_writes_into_an_array_that_is_given(tmp_path: Path) -> None:
    network, image = generator(), noise(48, 64)
    out = np.lib.format.open_memmap(tmp_path / "out.npy", "w+", np.uint16, (48, 64, 3))
    assert translate_tiled(network, image, tile=32, out=out) is out
    assert difference(np.load(tmp_path / "out.npy"), whole(network, image)) <= 1e-4


@pytest.mark.parametrize("memory", [0, ALL])
def test_bfloat16_is_as_near_as_the_whole_pass_in_bfloat16(memory: int, tmp_path: Path) -> None:
    network, image = generator(), noise(64, 96)
    made = translate_tiled(network, image, tile=32, dtype=torch.bfloat16, memory=memory, scratch=tmp_path, bits=8)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        rough = to_pixels(network(to_tensor(image)[None])[0]).astype(int)
    exact = whole(network, image, 8).astype(int)
    assert np.abs(made - exact).mean() <= 1.2 * np.abs(rough - exact).mean() + 0.1


# -------------------------------------------------------------------------------------------------------------- scratch


class Files:
    """Stands in for `tempfile.TemporaryFile` and remembers what it opened, and where."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[Any] = []
        self.folders: set[Path] = set()
        self.most_bytes = 0
        open_file = tempfile.TemporaryFile

        def remember(*args: Any, **options: Any) -> Any:
            file = open_file(*args, **options)
            self.opened.append(file)
            self.folders.add(Path(options["dir"]))
            return file

        monkeypatch.setattr(tempfile, "TemporaryFile", remember)

    def measure(self, share: float) -> None:
        open_files = [file for file in self.opened if not file.closed]
        self.most_bytes = max(
            self.most_bytes, sum(Path(f"/proc/self/fd/{f.fileno()}").stat().st_size for f in open_files)
        )


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Files:
    return Files(monkeypatch)


def test_what_exceeds_memory_goes_to_the_scratch_folder_and_is_gone_afterwards(files: Files, tmp_path: Path) -> None:
    network, image = generator(), noise(96, 96)
    translate_tiled(network, image, tile=32, memory=ALL, scratch=tmp_path)
    assert not files.opened
    translate_tiled(network, image, tile=32, memory=0, scratch=tmp_path)
    assert files.folders == {tmp_path}
    assert all(file.closed for file in files.opened)
    assert not list(tmp_path.iterdir())


def test_scratch_is_gone_after_an_error(files: Files, tmp_path: Path) -> None:
    def stop(share: float) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        translate_tiled(generator(), noise(96, 96), tile=32, memory=0, scratch=tmp_path, progress=stop)
    assert files.opened
    assert all(file.closed for file in files.opened)
    assert not list(tmp_path.iterdir())


def free_space(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(free, 0, free))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to see the sizes of nameless files")
@pytest.mark.parametrize("settings", [{}, {"separable": True}, {"architecture": "unet", "norm": "instance"}], ids=str)
def test_the_space_that_is_asked_for_is_enough_and_not_far_more(
    settings: dict[str, object], files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, image = generator(**settings), noise(512, 64)
    translate_tiled(network, image, tile=32, memory=0, scratch=tmp_path, progress=files.measure)
    free_space(monkeypatch, files.most_bytes - 1)
    with pytest.raises(UserError, match=r"64×512 pixels needs 0\.0 GB of scratch space.* has 0\.0 GB free"):
        translate_tiled(network, image, tile=32, memory=0, scratch=tmp_path)
    free_space(monkeypatch, int(1.4 * files.most_bytes))
    translate_tiled(network, image, tile=32, memory=0, scratch=tmp_path)
    free_space(monkeypatch, 0)
    translate_tiled(network, image, tile=32, memory=ALL, scratch=tmp_path)


def test_a_scratch_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere does not exist"):
        translate_tiled(generator(), noise(32, 32), tile=32, memory=0, scratch=tmp_path / "nowhere")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_up_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: io.FileIO("/dev/full", "r+"))
    with pytest.raises(UserError, match=r"Cannot write to the scratch folder .*No space left"):
        translate_tiled(generator(), noise(32, 32), tile=32, memory=0, scratch=tmp_path)


@pytest.mark.parametrize("memory", [0, 40 * 100, ALL])
def test_a_kept_activation_gives_back_any_region(memory: int, tmp_path: Path) -> None:
    space = ScratchSpace(memory, tmp_path, torch.device("cpu"))
    features = torch.randn(1, 5, 20, 16)
    kept = Activation(space, 20, 16, 5, torch.float32, rows=6)
    for top in range(0, 20, 5):
        for left in (0, 10):
            region = ((top, top + 5), (left, min(left + 10, 16)))
            kept.write(region, features[:, :, top : top + 5, left : left + 10])
    for (top, bottom), (left, right) in [
        ((0, 20), (0, 16)),
        ((5, 7), (3, 11)),
        ((11, 13), (0, 16)),
        ((18, 20), (15, 16)),
    ]:
        assert torch.equal(kept.read(((top, bottom), (left, right))), features[:, :, top:bottom, left:right])
    kept.release(until=13)
    assert sorted(kept.bands) == [2, 3]
    assert torch.equal(kept.read(((13, 19), (2, 4))), features[:, :, 13:19, 2:4])
    kept.release()
    space.clear()
    assert space.memory == memory


MEMORY_SCRIPT = """
import resource, sys, numpy as np, torch
from translate.networks import GeneratorConfig, generator_config
from translate.inference.tiling import translate_tiled
from translate.networks import build_generator, generator_config
torch.set_num_threads(1)
network = build_generator(generator_config(width=16, blocks=1)).eval()
image = np.random.default_rng(0).integers(0, 256, (768, 768, 3), np.uint8)
translate_tiled(network, image[:256, :256], tile=128)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
translate_tiled(network, image, tile=128, memory=16 * 2**20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_memory_does_not_grow_with_the_image() -> None:
    """A whole pass over it holds two activations of 38 MB at least; this may keep 16 MB, and needs a few for a tile."""
    script = [sys.executable, "-c", MEMORY_SCRIPT]
    grown = int(subprocess.run(script, capture_output=True, text=True, check=True).stdout)
    assert grown < 45_000  # kilobytes


# ----------------------------------------------------------------------------------------------------------------- else


def test_statistics_of_tiles_are_merged_without_cancellation() -> None:
    features = 1000 + 0.1 * torch.randn(1, 3, 40, 50, dtype=torch.float64)
    tiles = [features[:, :, :1, :1], features[:, :, :1, 1:], features[:, :, 1:7], features[:, :, 7:]]
    merged = sum((channel_statistics(tile.float()) for tile in tiles[1:]), start=channel_statistics(tiles[0].float()))
    mean, variance = merged.mean_and_variance(torch.device("cpu"))
    torch.testing.assert_close(mean.double(), features.mean((0, 2, 3)), rtol=1e-6, atol=0)
    torch.testing.assert_close(variance.double(), features.var((0, 2, 3), correction=0), rtol=1e-3, atol=0)


def test_progress_rises_to_one(tmp_path: Path) -> None:
    shares: list[float] = []
    translate_tiled(generator(), noise(64, 64), tile=32, memory=0, scratch=tmp_path, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[0] > 0
    assert shares[-1] == pytest.approx(1)


def test_what_only_a_program_gets_wrong() -> None:
    with pytest.raises(ValueError, match="64×30 pixels are not multiples of 4"):
        translate_tiled(generator(), noise(30, 64))
    with pytest.raises(ValueError, match="evaluation mode"):
        translate_tiled(generator().train(), noise(32, 32))
