from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from translate.networks import build_generator, generator_config


def unet(**settings: object) -> nn.Module:
    return build_generator(generator_config(**({"architecture": "unet", "size": 32, "width": 4} | settings)))


def image(height: int = 32, width: int = 64, channels: int = 3) -> Tensor:
    return torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize(
    "settings",
    [
        {"norm": "batch"},
        {"norm": "instance"},
        {"norm": "none", "init": "kaiming"},
        {"norm": "sync_batch", "dropout": True, "size": 64},
        {"in_channels": 1, "out_channels": 4},
        {"upsample": "resize"},
        {"spectral_norm": True},
    ],
    ids=str,
)
def test_an_image_comes_out_with_its_size_and_every_weight_learns(settings: dict[str, object]) -> None:
    generator = unet(**settings)
    channels = (settings.get("in_channels", 3), settings.get("out_channels", 3))
    made = generator(image(64, 128, int(str(channels[0]))))
    assert made.shape == (2, channels[1], 64, 128)
    assert made.min() >= -1 and made.max() <= 1
    made.square().sum().backward()
    kernels = [weight for weight in generator.parameters() if weight.ndim == 4]
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in kernels)


@pytest.mark.parametrize(
    ("size", "norm", "parameters"),
    [(256, "batch", 54_413_955), (128, "instance", 41_825_667), (256, "none", 54_404_099)],
)
def test_it_has_as_many_parameters_as_the_published_network(size: int, norm: str, parameters: int) -> None:
    with torch.device("meta"):
        generator = unet(size=size, norm=norm, width=64)
    assert sum(weight.numel() for weight in generator.parameters()) == parameters


@pytest.mark.parametrize(("height", "width"), [(33, 32), (32, 16), (48, 64)])
def test_sides_that_are_no_multiples_are_refused_in_words(height: int, width: int) -> None:
    with pytest.raises(ValueError, match=rf"multiples of 32 pixels, not {width}×{height}"):
        unet()(image(height, width))


def test_channels_double_up_to_eight_times_the_width() -> None:
    state = unet(size=128, norm="batch").state_dict()
    assert [len(state[f"down.{level}.conv.weight"]) for level in range(7)] == [4, 8, 16, 32, 32, 32, 32]
    normed = [level for level in range(7) if f"down.{level}.norm.weight" in state]
    assert normed == [1, 2, 3, 4, 5]  # neither the outermost nor the innermost
    # Every decoder level but the first reads its own level's encoder besides what comes from below.
    assert [len(state[f"up.{step}.conv.weight"]) for step in range(6)] == [32, 64, 64, 64, 32, 16]
    assert [state[f"up.{step}.conv.weight"].shape[1] for step in range(6)] == [32, 32, 32, 16, 8, 4]
    assert state["head.weight"].shape == (8, 3, 4, 4)
    assert "down.0.conv.bias" not in state and "head.bias" in state


@pytest.mark.parametrize(("size", "steps"), [(32, []), (64, [1]), (256, [1, 2, 3])])
def test_dropout_is_in_the_inner_levels(size: int, steps: list[int]) -> None:
    generator = unet(size=size, dropout=True)
    found = [int(name.split(".")[1]) for name, layer in generator.named_modules() if isinstance(layer, nn.Dropout)]
    assert found == steps


def test_a_skip_connection_carries_each_level_past_the_bottleneck() -> None:
    generator = unet(norm="none", init="kaiming").eval()
    state = generator.state_dict()
    before = generator(image())
    for level in range(4):
        # What the level's encoder hands across: the first half of what the decoder's convolution above it reads.
        name = "head.weight" if level == 0 else f"up.{4 - level}.conv.weight"
        across = state[name].clone()
        state[name][: len(across) // 2] = 0
        assert not torch.allclose(generator(image()), before, atol=1e-4)
        state[name].copy_(across)
    state["up.0.conv.weight"].zero_()  # nothing comes through the bottleneck, and there still is an image
    assert generator(image()).std() > 0.01


def test_the_input_is_left_as_it_was() -> None:
    given = image()
    unet()(given)
    assert torch.equal(given, image())
