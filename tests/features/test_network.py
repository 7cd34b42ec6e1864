"""What a frozen network computes, and that it stays frozen and out of its owner's weights."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tests.features.conftest import Tiny
from translate.errors import UserError
from translate.features import FeatureNetwork

MEAN, DEVIATION = torch.tensor([0.5, 0.4, 0.3]).view(1, 3, 1, 1), torch.tensor([0.2, 0.3, 0.4]).view(1, 3, 1, 1)


def images(size: int = 32, channels: int = 3) -> torch.Tensor:
    return torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


class Owner(nn.Module):
    def __init__(self, features: FeatureNetwork) -> None:
        super().__init__()
        self.features = features
        self.head = nn.Conv2d(4, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.head(self.features(x, (2,))[0])
        return made


def test_maps_embedding_and_logits_are_the_networks_own(tiny: FeatureNetwork, raw: Tiny) -> None:
    reference = copy.deepcopy(raw)
    reference.head = tiny.backbone.head  # type: ignore[assignment]
    x = images()
    normalised = ((x + 1) / 2 - MEAN) / DEVIATION
    first = reference.first(normalised)
    second = reference.second(first)
    torch.testing.assert_close(tiny(x, (2, 4)), [first, second])
    torch.testing.assert_close(tiny(x, (4, 2)), [second, first])
    torch.testing.assert_close(tiny.embed(x), second.mean((2, 3)))
    torch.testing.assert_close(tiny.logits(x), reference(normalised))
    assert (tiny.strides, tiny.channels(2), tiny.channels(4)) == ((2, 4), 4, 6)


def test_whole_images_are_scaled_to_its_size_before_they_are_normalised(tiny: FeatureNetwork) -> None:
    x = images(48)
    scaled = F.interpolate((x + 1) / 2, (32, 32), mode="bilinear", antialias=True).clamp(0, 1) * 2 - 1
    torch.testing.assert_close(tiny.embed(x), tiny.embed(scaled), rtol=1e-4, atol=1e-5)
    assert tiny(x, (4,))[0].shape == (2, 6, 12, 12)
    assert tiny.resize == "32×32, bilinear (antialiased)"


def test_grey_is_repeated_and_other_channels_are_refused(tiny: FeatureNetwork) -> None:
    grey = images(channels=1)
    torch.testing.assert_close(tiny(grey, (2,)), tiny(grey.repeat(1, 3, 1, 1), (2,)))
    with pytest.raises(UserError, match="tiny reads 3 channels; these images have 4"):
        tiny(images(channels=4), (2,))


def test_a_missing_stride_is_named(tiny: FeatureNetwork) -> None:
    with pytest.raises(UserError, match=r"tiny has no features at stride 8; it has: 2, 4\."):
        tiny(images(), (2, 8))
    with pytest.raises(UserError, match="no features at stride 1"):
        tiny.channels(1)


def test_gradients_flow_to_the_images_alone(tiny: FeatureNetwork) -> None:
    owner = Owner(tiny).requires_grad_(True)
    x = images().requires_grad_()
    owner(x).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert all(weight.grad is None and not weight.requires_grad for weight in tiny.backbone.parameters())


def test_the_owner_neither_trains_nor_counts_nor_saves_it(tiny: FeatureNetwork) -> None:
    owner = Owner(tiny)
    assert set(owner.state_dict()) == {"head.weight", "head.bias"}
    assert [name for name, _ in owner.named_parameters()] == ["head.weight", "head.bias"]
    assert list(owner.buffers()) == []
    owner.load_state_dict(copy.deepcopy(owner).state_dict(), strict=True)


def test_it_stays_in_evaluation_mode(tiny: FeatureNetwork) -> None:
    before = copy.deepcopy(tiny.backbone.state_dict())
    owner = Owner(tiny).train()
    assert owner.training
    owner(images())
    assert not tiny.training and not any(layer.training for layer in tiny.backbone.modules())
    torch.testing.assert_close(tiny.backbone.state_dict(), before, rtol=0, atol=0)


def test_it_moves_with_its_owner(tiny: FeatureNetwork) -> None:
    owner = Owner(tiny).to(torch.float64)
    assert owner(images().double()).dtype == torch.float64
    owner = owner.to("meta")
    assert owner(torch.empty(1, 3, 64, 64, dtype=torch.float64, device="meta")).shape == (1, 1, 32, 32)


def test_a_copy_is_independent(tiny: FeatureNetwork) -> None:
    x = images()
    before = tiny(x, (4,))[0]
    other = copy.deepcopy(Owner(tiny)).to("meta")
    assert other.features.backbone is not tiny.backbone
    torch.testing.assert_close(tiny(x, (4,))[0], before, rtol=0, atol=0)


def test_operations_are_counted_on_the_meta_device(tiny: FeatureNetwork) -> None:
    owner = copy.deepcopy(Owner(tiny)).to("meta")
    with FlopCounterMode(display=False) as counter:
        owner(torch.empty(1, 3, 32, 32, device="meta"))
    # A 3×3 convolution of 3 to 4 channels and a 1×1 one of 4 to 1, at 16×16; two operations a multiplication.
    assert counter.get_total_flops() == 2 * 16 * 16 * (9 * 3 * 4 + 4)


def test_channels_last_and_bfloat16_and_a_compiled_graph_agree(tiny: FeatureNetwork) -> None:
    x = images()
    wanted = tiny(x, (2, 4))
    owner = Owner(tiny).to(memory_format=torch.channels_last)
    torch.testing.assert_close(owner.features(x.to(memory_format=torch.channels_last), (2, 4)), wanted)
    compiled = torch.compile(tiny, fullgraph=True, dynamic=False, backend="aot_eager")
    torch.testing.assert_close(compiled(x, (2, 4)), wanted)
    with torch.autocast("cpu", torch.bfloat16):
        rough = tiny(x, (2, 4))
    torch.testing.assert_close([each.float() for each in rough], wanted, rtol=0.1, atol=0.1)


def test_labels(tiny: FeatureNetwork) -> None:
    assert [tiny.label(name) for name in ("Cat", "tom", "dog", "3")] == [0, 0, 1, 3]
    with pytest.raises(UserError, match=r"called crane; give one of the numbers 2, 4\."):
        tiny.label("crane")
    with pytest.raises(UserError, match=r"no class horse\. Near to it are: horse cart \(3\)"):
        tiny.label("horse")
    tiny.labels = ()
    for ask in (lambda: tiny.logits(images()), lambda: tiny.label("dog")):
        with pytest.raises(UserError, match="tiny is no classifier of ImageNet"):
            ask()
