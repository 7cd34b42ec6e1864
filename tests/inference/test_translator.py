"""The Translator: any picture in, the same size and kind out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import translate
from tests.conftest import picture
from tests.inference.conftest import MakeCheckpoint
from translate.checkpoints.format import load_generator
from translate.data.tensors import to_pixels, to_tensor
from translate.errors import UserError


@pytest.mark.parametrize("architecture", ["resnet", "unet"])
@pytest.mark.parametrize("size", [(64, 64), (50, 37), (1, 1), (3, 200), (200, 3), (33, 65)])
def test_the_output_has_the_inputs_size(
    make_checkpoint: MakeCheckpoint, architecture: str, size: tuple[int, int]
) -> None:
    translator = translate.load(make_checkpoint(architecture=architecture), device="cpu")
    result = translator(picture(1, size))
    assert isinstance(result, Image.Image)
    assert (result.size, result.mode) == (size, "RGB")


def test_the_result_is_the_generators(make_checkpoint: MakeCheckpoint) -> None:
    folder = make_checkpoint()
    pixels = np.asarray(picture(2, (64, 32)))
    for direction in ("a2b", "b2a"):
        with torch.no_grad():
            wanted = to_pixels(load_generator(folder, direction)(to_tensor(pixels)[None])[0])
        made = translate.load(folder, device="cpu", precision="float32")(pixels, direction)
        assert np.abs(made.astype(int) - wanted).max() <= 1
        assert wanted.std() > 5


def test_padding_does_not_move_the_picture(make_checkpoint: MakeCheckpoint) -> None:
    # A generator of local operations translates a part as it translates the whole, away from the borders.
    translator = translate.load(make_checkpoint(norm="none", blocks=0), device="cpu", precision="float32")
    whole = np.asarray(picture(3, (96, 96)))
    part = translator(whole[16:80, 16:79])  # 64 × 63: one column is padded
    reference = translator(whole)[16:80, 16:79]
    assert np.abs(part.astype(int) - reference)[24:-24, 24:-24].max() <= 1


def test_bfloat16_is_close_to_float32(make_checkpoint: MakeCheckpoint) -> None:
    folder, pixels = make_checkpoint(width=16), np.asarray(picture(4, (128, 128)))
    exact = translate.load(folder, device="cpu", precision="float32")(pixels)
    half = translate.load(folder, device="cpu", precision="bfloat16")(pixels)
    assert 0 < np.abs(exact.astype(int) - half).mean() < 3


def test_a_batch_is_its_images_one_by_one(make_checkpoint: MakeCheckpoint) -> None:
    translator = translate.load(make_checkpoint(), device="cpu", precision="float32")
    images = np.stack([np.asarray(picture(seed, (40, 40))) for seed in range(3)])
    together = translator.translate_batch(images)
    for image, made in zip(images, together, strict=True):
        assert np.abs(translator(image).astype(int) - made).max() <= 1


def test_batch_norm_with_image_statistics_is_independent_of_the_batch(tmp_path: Path) -> None:
    from translate.checkpoints.format import save_checkpoint
    from translate.checkpoints.settings import CheckpointConfig
    from translate.networks import build_generator, generator_config

    generator = generator_config("unet", width=4, size=32, norm="batch")
    config = CheckpointConfig(
        name="bn", domains={"a": "A", "b": "B"}, generators={"a2b": generator}, statistics="image"
    )
    network = build_generator(generator)
    translator = translate.load(save_checkpoint(tmp_path / "bn", config, {"a2b": network}), precision="float32")
    image = np.asarray(picture(5, (32, 32)))
    with torch.no_grad():
        wanted = to_pixels(network.train()(to_tensor(image)[None])[0])  # batch size 1 in training mode
    together = translator.translate_batch(np.stack([image, 255 - image]))
    assert np.abs(together[0].astype(int) - wanted).max() <= 1


def test_kinds_of_images(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    translator = translate.load(make_checkpoint(), device="cpu")
    with_alpha = picture(6).convert("RGBA")
    with_alpha.putalpha(Image.linear_gradient("L").resize((40, 40)))
    result = translator(with_alpha)
    assert result.mode == "RGBA"
    assert list(result.getchannel("A").getdata()) == list(with_alpha.getchannel("A").getdata())
    assert translator(picture(6).convert("L")).mode == "RGB"
    picture(6).save(tmp_path / "picture.png")
    from_path, from_text = translator(tmp_path / "picture.png"), translator(str(tmp_path / "picture.png"))
    assert np.array_equal(np.asarray(from_path), np.asarray(from_text))
    deep = np.asarray(picture(6)).astype(np.uint16) * 257
    made = translator(deep)
    assert made.dtype == np.uint16
    assert np.abs(made // 257 - translator(np.asarray(picture(6))).astype(int)).max() <= 1


def test_warming_up_reads_the_weights(make_checkpoint: MakeCheckpoint) -> None:
    translator = translate.load(make_checkpoint(architecture="unet"), device="cpu").warm_up(40, "b2a")
    (translator.folder / "b2a.safetensors").unlink()
    assert translator(picture(7), "b2a").size == (40, 40)


def test_grey_generators_read_and_make_grey(make_checkpoint: MakeCheckpoint) -> None:
    translator = translate.load(make_checkpoint(in_channels=1, out_channels=1), device="cpu")
    assert translator(picture(7)).mode == "L"
    assert translator(np.zeros((40, 40), np.uint8)).shape == (40, 40)
    with pytest.raises(UserError, match=r"1 channels; this array has 3"):
        translator(np.zeros((40, 40, 3), np.uint8))


def test_directions(make_checkpoint: MakeCheckpoint) -> None:
    both = translate.load(make_checkpoint("both"), device="cpu")
    assert both.directions == ["a2b", "b2a"]
    image = picture(8)
    assert np.array_equal(np.asarray(both(image)), np.asarray(both(image, "AtoB")))
    assert not np.array_equal(np.asarray(both(image)), np.asarray(both(image, "b2a")))
    back = translate.load(make_checkpoint("back", directions=("b2a",)), device="cpu")
    assert np.asarray(back(image)).shape == (40, 40, 3)
    with pytest.raises(UserError, match="no direction a2b; it has b2a"):
        back(image, "a2b")


@pytest.mark.parametrize("architecture", ["resnet", "unet"])
def test_tiles_do_not_change_the_result(make_checkpoint: MakeCheckpoint, architecture: str) -> None:
    translator = translate.load(make_checkpoint(architecture=architecture), device="cpu", precision="float32")
    pixels = np.asarray(picture(9, (150, 101)))
    whole = translator(pixels, tile=0).astype(int)
    assert np.abs(translator(pixels, tile=32) - whole).max() <= 1
    assert whole.std() > 5


def test_large_images_are_tiled(make_checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    from translate.inference import tiling
    from translate.inference import translator as module

    tiles: list[int] = []

    def watched(*arguments: Any, **settings: Any) -> Any:
        tiles.append(settings["tile"])
        return tiling.translate_tiled(*arguments, **settings)

    monkeypatch.setattr(module, "TILED_FROM", 100 * 100)
    monkeypatch.setattr(module, "translate_tiled", watched)
    translator = translate.load(make_checkpoint(), device="cpu")
    assert translator(picture(9, (90, 110))).size == (90, 110)
    assert tiles == []
    assert translator(picture(9, (101, 111))).size == (101, 111)
    assert tiles == [module.TILE]


def test_the_first_direction_is_meant_where_none_is_named(make_checkpoint: MakeCheckpoint) -> None:
    translator = translate.load(make_checkpoint(directions=("b2a", "a2b")), device="cpu")
    assert translator.directions == ["b2a", "a2b"]
    pixels = np.asarray(picture(8))
    assert np.array_equal(translator(pixels), translator(pixels, "b2a"))
    assert not np.array_equal(translator(pixels), translator(pixels, "a2b"))


def test_unknown_names_and_devices(make_checkpoint: MakeCheckpoint) -> None:
    with pytest.raises(UserError, match="no_such_checkpoint"):
        translate.load("no_such_checkpoint")
    for device in ("toaster", "cuda:99"):
        with pytest.raises(UserError):
            translate.load(make_checkpoint(device.replace(":", "")), device=device)
