"""A generator that nothing under translate/ knows goes through tiles, fusing, export, engines and the Translator."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import translate
from tests.conftest import picture
from tests.inference.conftest import MakeCheckpoint
from tests.inference.toys import BranchedGenerator, DescribedGenerator, PlainGenerator, drawn
from translate.data.tensors import to_pixels, to_tensor
from translate.errors import UserError
from translate.inference import translator as translator_module
from translate.inference.runtimes.fused import Autocast, fuse
from translate.inference.runtimes.quantise import candidates
from translate.inference.tiling import translate_tiled
from translate.inference.tiling.blended import place_tiles
from translate.networks import generator_config
from translate.networks.generator import Generator

BLENDED = "PlainGenerator does not describe its layers.*overlapping tiles that are blended"


def whole(network: Generator, image: np.ndarray, bits: int = 16) -> np.ndarray:
    with torch.inference_mode():
        return to_pixels(network(to_tensor(image)[None])[0], bits).astype(int)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 65536, (height, width, 3), dtype=np.uint16)


@pytest.mark.parametrize("kind", [DescribedGenerator, BranchedGenerator])
@pytest.mark.parametrize(("tile", "memory"), [(16, 0), (24, 20_000), (32, 2**30)])
def test_a_graph_makes_tiles_exact(kind: type[Generator], tile: int, memory: int, tmp_path: Path) -> None:
    network, image = drawn(kind()), noise(60, 84)
    wanted = whole(network, image)
    made = translate_tiled(network, image, tile=tile, memory=memory, scratch=tmp_path)
    assert wanted.std() > 1000
    assert np.abs(made - wanted).max() <= 4  # of 65535


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", [PlainGenerator, DescribedGenerator, BranchedGenerator])
def test_fused_networks_compute_the_same(kind: type[Generator], dtype: torch.dtype) -> None:
    network = drawn(kind())
    images = torch.stack([to_tensor(np.asarray(picture(seed, (64, 48)))) for seed in range(2)])
    fused = fuse(network, dtype)
    with torch.inference_mode():
        made, wanted = fused(images), network(images)
    assert made.dtype == torch.float32
    assert wanted.std() > 0.05
    if dtype == torch.float32:
        torch.testing.assert_close(made, wanted, rtol=0, atol=1e-5)
    else:
        assert 0 < (made - wanted).abs().mean() < 0.02
        assert isinstance(fused, Autocast) == (kind is not DescribedGenerator)


def test_without_a_graph_tiles_overlap_and_a_warning_says_so() -> None:
    network, image = drawn(PlainGenerator()), noise(120, 96)
    with pytest.warns(UserWarning, match=BLENDED) as warned:
        made = translate_tiled(network, image, tile=48)
    assert len(warned) == 1
    wanted, apart = whole(network, image), np.abs(made - whole(network, image))
    assert np.abs(made - wanted).mean() < 0.02 * wanted.std()  # only near the edges of tiles
    assert 0 < (apart > 4).mean() < 0.5


def test_an_image_of_one_tile_needs_no_blending() -> None:
    network, image = drawn(PlainGenerator()), noise(40, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = translate_tiled(network, image, tile=48)
    assert np.abs(made - whole(network, image)).max() <= 1


@pytest.mark.parametrize(("side", "tile", "unit"), [(32, 48, 4), (100, 48, 4), (52, 48, 4), (96, 32, 32), (7, 2, 1)])
def test_blended_tiles_cover_every_pixel_once(side: int, tile: int, unit: int) -> None:
    total = np.zeros(side)
    for start, weights in place_tiles(side, tile, unit):
        assert start % unit == 0
        assert len(weights) == min(tile, side)
        assert float(weights.min()) > 0
        total[start : start + len(weights)] += weights.numpy()
    np.testing.assert_allclose(total, 1, rtol=1e-5)


def test_settings_that_cannot_be_run_in_tiles_are_named() -> None:
    class Oblong(DescribedGenerator):
        def __init__(self) -> None:
            super().__init__()
            self.layers[0] = torch.nn.Conv2d(3, 16, (3, 5), padding=(1, 2))

    with pytest.raises(ValueError, match=r"layers\.0 has a kernel_size of 3×5"):
        translate_tiled(Oblong().eval(), noise(32, 32))


# ------------------------------------------------------------------------------------------------------- the Translator


@pytest.fixture
def plain(make_checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint whose generator is a PlainGenerator."""
    folder = make_checkpoint(directions=("a2b",))
    monkeypatch.setattr(translator_module, "load_generator", lambda *_: drawn(PlainGenerator()))
    return folder


def test_the_translator_needs_no_graph(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    translator = translate.load(plain, device="cpu", precision="float32")
    pixels = np.asarray(picture(1, (88, 68)))
    wanted = whole(drawn(PlainGenerator()), pixels, 8)
    assert np.abs(translator(pixels) - wanted).max() <= 1
    monkeypatch.setattr(translator_module, "TILED_FROM", 40 * 40)
    monkeypatch.setattr(translator_module, "TILE", 48)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(translator(pixels), translator(pixels, tile=0))  # whole, as memory allows
    monkeypatch.setattr(translator_module, "BLENDED_FROM", 60 * 60)
    with pytest.warns(UserWarning, match=BLENDED):
        made = translator(pixels)
    assert 0 < np.abs(made - wanted).mean() < 0.1 * wanted.std()


def test_integers_are_refused_in_words_without_a_graph() -> None:
    with pytest.raises(UserError, match=r"needs? a generator that describes its layers, and PlainGenerator does not"):
        candidates(PlainGenerator())


def test_integers_are_for_the_coarsest_layers() -> None:
    assert candidates(DescribedGenerator()) == ["layers.2"]


# ------------------------------------------------------------------------------------------------------ other runtimes


@pytest.mark.parametrize("kind", [PlainGenerator, BranchedGenerator])
def test_a_traced_forward_is_exported(
    kind: type[Generator], make_checkpoint: MakeCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from translate.inference.runtimes import export

    monkeypatch.setattr(export, "load_generator", lambda *_: drawn(kind()))
    (path,) = export.export_checkpoint(make_checkpoint(directions=("a2b",)), tmp_path / "out", "torch")
    images: Any = np.random.default_rng(1).uniform(-1, 1, (1, 3, 32, 48)).astype(np.float32)
    with torch.inference_mode():
        wanted = drawn(kind())(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(export.READERS["torch"](path)(images), wanted, rtol=0, atol=1e-4)


def test_the_smallest_image_is_found_by_trying() -> None:
    from translate.inference.runtimes.export import fewest_multiples
    from translate.networks.resnet import ResNetGenerator
    from translate.networks.unet import UNetGenerator

    assert fewest_multiples(drawn(PlainGenerator())) == 1
    assert fewest_multiples(drawn(ResNetGenerator(generator_config(width=4, blocks=1)))) == 2
    assert fewest_multiples(drawn(UNetGenerator(generator_config("unet", width=4, size=32)))) == 1
