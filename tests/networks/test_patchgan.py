from __future__ import annotations

import pytest
import torch
from torch import nn

from translate.networks import build_discriminator, discriminator_config


def discriminator(in_channels: int = 3, /, **settings: object) -> nn.Module:
    given = {"width": 4, "norm": "none", "init": "kaiming"} | settings
    return build_discriminator(discriminator_config(**given), in_channels)


@pytest.mark.parametrize(
    ("settings", "pixels"),
    [
        ({"layers": 1}, 16),
        ({"layers": 2}, 34),
        ({"layers": 3}, 70),
        ({"layers": 4}, 142),
        ({"kind": "pixel"}, 1),
    ],
    ids=str,
)
def test_a_logit_sees_a_patch_of_the_published_size(settings: dict[str, object], pixels: int) -> None:
    image = torch.rand(1, 3, 256, 256, requires_grad=True)
    logits = discriminator(**settings)(image)
    (gradient,) = torch.autograd.grad(logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2], image)
    rows = gradient.abs().amax(dim=(0, 1, 3)).nonzero().squeeze(1)
    columns = gradient.abs().amax(dim=(0, 1, 2)).nonzero().squeeze(1)
    assert [int(seen[-1] - seen[0]) + 1 for seen in (rows, columns)] == [pixels, pixels]


@pytest.mark.parametrize(
    ("settings", "side"),
    [({}, 30), ({"layers": 1}, 126), ({"layers": 5}, 6), ({"kind": "pixel"}, 256)],
    ids=str,
)
@pytest.mark.parametrize("norm", ["batch", "instance", "none", "sync_batch"])
def test_logits_have_a_place_for_each_patch(settings: dict[str, object], side: int, norm: str) -> None:
    assert discriminator(6, norm=norm, **settings)(torch.zeros(1, 6, 256, 256)).shape == (1, 1, side, side)


@pytest.mark.parametrize(
    ("in_channels", "settings", "parameters"),
    [
        (3, {"norm": "instance"}, 2_764_737),
        (6, {"norm": "batch"}, 2_768_705),
        (3, {"norm": "instance", "layers": 5}, 11_154_369),
        (6, {"norm": "batch", "kind": "pixel"}, 9_024),
        (3, {"norm": "instance", "kind": "pixel"}, 8_705),
    ],
    ids=str,
)
def test_it_has_as_many_parameters_as_the_published_network(
    in_channels: int, settings: dict[str, object], parameters: int
) -> None:
    with torch.device("meta"):
        network = discriminator(in_channels, width=64, **settings)
    assert sum(weight.numel() for weight in network.parameters()) == parameters


def test_logits_are_not_squashed() -> None:
    network = discriminator()
    image = torch.rand(1, 3, 32, 32)
    network.state_dict()["head.bias"].fill_(7.0)
    high = network(image)
    network.state_dict()["head.bias"].fill_(-7.0)
    assert torch.allclose(high - network(image), torch.tensor(14.0), atol=1e-4)


def test_gradients_of_gradients_exist() -> None:
    """The gradient penalties of WGAN-GP and R1 differentiate the input's gradient."""
    network = discriminator(norm="instance")
    image = torch.rand(2, 3, 32, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(image).sum(), image, create_graph=True)
    (of_weights,) = torch.autograd.grad(gradient.square().sum(), network.get_parameter("layers.0.conv.weight"))
    assert of_weights.abs().sum() > 0
