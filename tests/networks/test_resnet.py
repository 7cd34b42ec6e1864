from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from translate.networks import build_generator, generator_config
from translate.networks.resnet import REACH, ResNetGenerator


def image(channels: int = 3, height: int = 16, width: int = 24, batch: int = 2) -> Tensor:
    return torch.rand(batch, channels, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"in_channels": 1, "out_channels": 4, "width": 3},
        {"blocks": 0},
        {"downsamplings": 0},
        {"downsamplings": 3},
        {"norm": "batch", "dropout": True},
        {"norm": "sync_batch"},
        {"norm": "none", "init": "kaiming"},
        {"padding": "replicate"},
        {"padding": "zeros", "separable": True},
        {"upsample": "resize"},
        {"residual": True, "norm": "none", "bias": True},
        {"residual": True, "in_channels": 1, "out_channels": 1},
        {"separable": True, "spectral_norm": True, "upsample": "resize"},
    ],
    ids=str,
)
def test_an_image_comes_out_with_its_size_and_every_weight_learns(settings: dict[str, object]) -> None:
    config = generator_config(**({"width": 4, "blocks": 2} | settings))
    generator = build_generator(config)
    made = generator(image(config.in_channels))
    assert made.shape == (2, config.out_channels, 16, 24)
    assert made.min() >= -1 and made.max() <= 1
    made.square().sum().backward()
    still = [name for name, weight in generator.named_parameters() if weight.grad is None]
    assert not still
    kernels = [weight for weight in generator.parameters() if weight.ndim == 4]
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in kernels)


@pytest.mark.parametrize(
    ("blocks", "norm", "parameters"), [(9, "instance", 11_378_179), (6, "batch", 7_841_411), (9, "none", 11_372_931)]
)
def test_it_has_as_many_parameters_as_the_published_network(blocks: int, norm: str, parameters: int) -> None:
    with torch.device("meta"):
        generator = build_generator(generator_config(**({"blocks": blocks, "norm": norm})))
    assert sum(weight.numel() for weight in generator.parameters()) == parameters


def test_state_dict_keys_are_those_that_checkpoints_hold() -> None:
    generator = build_generator(generator_config(width=2, blocks=1, downsamplings=1, separable=True, upsample="resize"))
    layers = ["stem.conv", "down.0.conv"]
    layers += [f"blocks.0.{conv}.{part}" for conv in ("conv1", "conv2") for part in ("depthwise", "pointwise")]
    layers += ["up.0.conv.conv", "head"]
    assert list(generator.state_dict()) == [f"{layer}.{leaf}" for layer in layers for leaf in ("weight", "bias")]

    batch = build_generator(generator_config(width=2, blocks=1, downsamplings=1, norm="batch"))
    norms = ["stem.norm", "down.0.norm", "blocks.0.norm1", "blocks.0.norm2", "up.0.norm"]
    convs = ["stem.conv", "down.0.conv", "blocks.0.conv1", "blocks.0.conv2", "up.0.conv", "head"]
    leaves = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    expected = {f"{norm}.{leaf}" for norm in norms for leaf in leaves} | {f"{conv}.weight" for conv in convs}
    assert set(batch.state_dict()) == expected | {"head.bias"}


@pytest.mark.parametrize(("padding", "uniform"), [("reflect", True), ("replicate", True), ("zeros", False)])
def test_padding_of_the_blocks_decides_whether_borders_show(padding: str, uniform: bool) -> None:
    settings = {"width": 4, "blocks": 2, "downsamplings": 0, "norm": "none", "padding": padding, "init": "kaiming"}
    torch.manual_seed(0)
    generator = build_generator(generator_config(**settings))
    made = generator(torch.full((1, 3, 16, 16), 0.5))
    assert torch.allclose(made, made[:, :, 8:9, 8:9].expand_as(made), atol=1e-5) is uniform


@pytest.mark.parametrize("upsample", ["transposed", "resize"])
def test_only_resizing_leaves_no_checkerboard(upsample: str) -> None:
    settings = {"width": 4, "blocks": 0, "norm": "none", "upsample": upsample, "init": "kaiming"}
    torch.manual_seed(0)
    generator = build_generator(generator_config(**settings))
    made = generator(torch.full((1, 3, 64, 64), 0.5))[:, :, 28:36, 28:36]  # far from the borders, a flat image
    assert torch.allclose(made, made[:, :, :1, :1].expand_as(made), atol=1e-5) is (upsample == "resize")


def test_dropout_is_in_every_block_and_only_when_training() -> None:
    generator = build_generator(generator_config(width=4, blocks=3, dropout=True, init="kaiming"))
    assert sum(isinstance(layer, nn.Dropout) for layer in generator.get_submodule("blocks").modules()) == 3
    assert sum(isinstance(layer, nn.Dropout) for layer in generator.modules()) == 3
    assert not torch.equal(generator(image()), generator(image()))
    generator.eval()
    assert torch.equal(generator(image()), generator(image()))


def test_separable_blocks_are_far_smaller() -> None:
    def block_weights(separable: bool) -> int:
        with torch.device("meta"):
            generator = build_generator(generator_config(blocks=1, separable=separable))
        return sum(weight.numel() for weight in generator.get_submodule("blocks").parameters() if weight.ndim == 4)

    assert block_weights(False) == 2 * 256 * 256 * 9
    assert block_weights(True) == 2 * (256 * 9 + 256 * 256)


def test_a_residual_generator_that_draws_nothing_shows_its_input() -> None:
    generator = build_generator(generator_config(width=4, blocks=1, residual=True))
    assert isinstance(generator, ResNetGenerator)
    torch.nn.init.zeros_(generator.head.weight)
    torch.testing.assert_close(generator(image()), REACH * image())


@pytest.mark.parametrize("settings", [{"architecture": "unet"}, {"out_channels": 1}], ids=str)
def test_a_residual_generator_is_refused_where_the_input_cannot_show(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="residual"):
        generator_config(**({"residual": True} | settings))


def test_biases_are_as_published_or_as_asked_for() -> None:
    def biases(**settings: object) -> int:
        generator = build_generator(generator_config(**({"width": 4, "blocks": 1} | settings)))
        return sum(name.endswith("bias") for name, _ in generator.named_parameters())

    assert biases(norm="instance") == biases(norm="none", bias=True) == 8
    assert biases(norm="none") == biases(norm="instance", bias=False) == 1  # the head's
