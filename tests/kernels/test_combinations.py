"""Every kernel of this project, in the surroundings it meets in networks, against PyTorch's own in float64.

A combination is norm → layer → activation in place → sum with the input. It is computed by `optimise`'s layers,
on a processor that is taken for one with AVX2 alone, and by PyTorch's layers in float64 and in the contiguous layout,
with the same weights. Compared are the result, with gradients and without, the gradients of the images and of every
parameter, and those of a gradient penalty, which are derivatives of derivatives.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, fields
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from translate.kernels import processor
from translate.kernels.mixed_layout import MixedLayout
from translate.kernels.optimise import optimise
from translate.kernels.winograd import WinogradConv
from translate.networks.blocks import InstanceNorm2d

PADDINGS = ("zeros", "reflect", "replicate")


@dataclass(frozen=True)
class Kernel:
    """A layer that `optimise` replaces, and what of it is compared with PyTorch's own."""

    ours: type[nn.Module]
    """As networks have it, before `optimise`."""
    plain: type[nn.Module]
    """PyTorch's own."""
    arguments: dict[str, Any]
    shape: tuple[int, int, int, int]
    """(N, C, H, W) of the images."""
    computed_by: type[torch.autograd.Function] | None
    """What computes it in float32 and channels_last on a processor with AVX2 alone, where gradients are wanted."""
    paddings: tuple[str, ...] = PADDINGS
    """The modes it can pad with, () for a layer that neither pads nor has the settings of a convolution."""
    norms: tuple[str, ...] = ("no", "instance", "batch")
    """What may come before it: no norm before a norm."""


def _convolution(channels: tuple[int, int], size: int, **further: Any) -> dict[str, Any]:
    return {"in_channels": channels[0], "out_channels": channels[1], "kernel_size": size} | further


KERNELS = {
    "Winograd": Kernel(nn.Conv2d, nn.Conv2d, _convolution((96, 96), 3, padding=1), (1, 96, 32, 32), WinogradConv),
    "Winograd, no whole tiles": Kernel(
        nn.Conv2d, nn.Conv2d, _convolution((96, 112), 3, padding=1), (2, 96, 22, 27), WinogradConv
    ),
    "3×3": Kernel(nn.Conv2d, nn.Conv2d, _convolution((6, 6), 3, padding=1), (2, 6, 13, 10), MixedLayout),
    "7×7": Kernel(nn.Conv2d, nn.Conv2d, _convolution((3, 8), 7, padding=3), (1, 3, 12, 17), MixedLayout),
    "4×4, stride 2": Kernel(
        nn.Conv2d, nn.Conv2d, _convolution((6, 8), 4, padding=1, stride=2), (2, 6, 12, 10), MixedLayout
    ),
    "4×4, stride 1": Kernel(nn.Conv2d, nn.Conv2d, _convolution((8, 1), 4, padding=1), (1, 8, 9, 9), MixedLayout),
    "1×1": Kernel(nn.Conv2d, nn.Conv2d, _convolution((6, 6), 1), (2, 6, 9, 8), MixedLayout, ("zeros",)),
    "depthwise": Kernel(nn.Conv2d, nn.Conv2d, _convolution((6, 6), 3, padding=1, groups=6), (2, 6, 9, 8), None),
    "transposed 3×3": Kernel(
        nn.ConvTranspose2d,
        nn.ConvTranspose2d,
        _convolution((6, 4), 3, stride=2, padding=1, output_padding=1),
        (2, 6, 7, 6),
        MixedLayout,
        ("zeros",),
    ),
    "transposed 4×4": Kernel(
        nn.ConvTranspose2d,
        nn.ConvTranspose2d,
        _convolution((6, 4), 4, stride=2, padding=1),
        (1, 6, 7, 6),
        MixedLayout,
        ("zeros",),
    ),
    "instance norm of one image": Kernel(
        InstanceNorm2d, nn.InstanceNorm2d, {"num_features": 6}, (1, 6, 12, 10), None, (), ("no",)
    ),
    "instance norm of three images": Kernel(
        InstanceNorm2d, nn.InstanceNorm2d, {"num_features": 6, "affine": True}, (3, 6, 12, 10), None, (), ("no",)
    ),
}


@dataclass(frozen=True)
class Combination:
    """A kernel and what is around it. `padding` and `bias` are ignored by kernels that have none."""

    kernel: str
    norm: str
    activation: str
    layout: torch.memory_format
    precision: torch.dtype
    padding: str
    bias: bool
    residual: bool

    @property
    def name(self) -> str:
        return ", ".join(
            [
                self.kernel,
                f"{self.norm} norm before",
                f"{self.activation} after",
                str(self.layout).removeprefix("torch."),
                str(self.precision).removeprefix("torch."),
                self.padding,
                "bias" if self.bias else "no bias",
                *(["sum"] if self.residual else []),
            ]
        )


def _combinations(kernel: str) -> list[Combination]:
    """Norms, activations, layouts and precisions in every combination; the rest so that every two values meet."""
    found = []
    paddings, norms = KERNELS[kernel].paddings or ("zeros",), KERNELS[kernel].norms
    layouts, precisions = (torch.channels_last, torch.contiguous_format), (torch.float32, torch.bfloat16)
    grid = itertools.product(range(len(norms)), range(3), range(2), range(2))
    for norm, activation, layout, precision in grid:
        found.append(
            Combination(
                kernel,
                norms[norm],
                ("nothing", "ReLU", "LeakyReLU")[activation],
                layouts[layout],
                precisions[precision],
                paddings[(norm + activation + layout + 2 * precision) % len(paddings)],
                bias=(norm + activation + layout) % 2 == 0,
                residual=(norm + activation // 2 + precision) % 2 == 0,
            )
        )
    return found


COMBINATIONS = [combination for kernel in KERNELS for combination in _combinations(kernel)]
PENALISED = [one for one in COMBINATIONS if one.norm != "batch" and one.activation != "ReLU" and not one.residual]
"""Discriminators are what gradient penalties are of: LeakyReLU, instance norm or none."""

TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 0.02}
"""Largest root of the mean squared error, relative to that of the values. bfloat16 has 8 bits, a rounding error of
0.002; several add up. float32 has one of 6e-8, of which sums over hundreds of products make more."""


class Block(nn.Module):
    """Norm → layer → activation in place → sum with the input."""

    def __init__(self, combination: Combination, ours: bool) -> None:
        super().__init__()
        kernel = KERNELS[combination.kernel]
        channels = kernel.shape[1]
        instance: type[nn.Module] = InstanceNorm2d if ours else nn.InstanceNorm2d
        norms = {"no": nn.Identity(), "instance": instance(channels), "batch": nn.BatchNorm2d(channels)}
        settings = dict(kernel.arguments)
        if kernel.paddings:
            settings |= {"padding_mode": combination.padding, "bias": combination.bias}
        activations = {
            "nothing": nn.Identity(),
            "ReLU": nn.ReLU(inplace=True),
            "LeakyReLU": nn.LeakyReLU(0.2, inplace=True),
        }
        self.norm = norms[combination.norm]
        self.layer = (kernel.ours if ours else kernel.plain)(**settings)
        self.activation = activations[combination.activation]
        self.residual = combination.residual

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.activation(self.layer(self.norm(images)))
        return features + images if self.residual and features.shape == images.shape else features


@dataclass
class Setting:
    """The same weights and images twice, and the gradient that comes to the result."""

    ours: Block
    exact: Block
    images: Tensor
    incoming: Tensor


def prepare(combination: Combination) -> Setting:
    """Draw weights and images. No gradient comes to values near an activation's kink: rounding may move them over."""
    drawing = torch.Generator().manual_seed(0)
    ours, exact = Block(combination, ours=True), Block(combination, ours=False)
    with torch.no_grad():
        for name, parameter in ours.named_parameters():
            drawn = torch.randn(parameter.shape, generator=drawing)
            is_norm = name == "norm.weight" or (parameter.ndim == 1 and name == "layer.weight")
            parameter.copy_(drawn * 0.1 + 1 if is_norm else drawn / max(1, parameter[0].numel()) ** 0.5)
    exact.load_state_dict(ours.state_dict())
    exact.double()
    ours.to(memory_format=combination.layout)
    optimise(ours, torch.device("cpu"), combination.precision)
    images = torch.randn(KERNELS[combination.kernel].shape, generator=drawing)
    with torch.no_grad():
        before = exact.layer(exact.norm(images.double()))
    margin = 0.05 if combination.precision == torch.bfloat16 else 1e-3
    incoming = torch.randn(before.shape, generator=drawing) * (before.abs() > margin * before.std())
    return Setting(ours, exact, images.to(memory_format=combination.layout), incoming)


def first_derivatives(block: Block, images: Tensor, incoming: Tensor) -> dict[str, Tensor]:
    """The result, and the gradients of the images and of every parameter."""
    images = images.clone(memory_format=torch.preserve_format).requires_grad_(True)
    made = block(images)
    names = ["images", *dict(block.named_parameters())]
    gradients = torch.autograd.grad(made, [images, *block.parameters()], incoming.to(made.dtype))
    return {"result": made.detach()} | dict(zip(names, gradients, strict=True))


def second_derivatives(block: Block, images: Tensor, incoming: Tensor) -> dict[str, Tensor]:
    """Gradients of the sum of squares of the images' gradient, with respect to whatever it depends on."""
    images = images.clone(memory_format=torch.preserve_format).requires_grad_(True)
    made = block(images)
    (gradient,) = torch.autograd.grad(made, images, incoming.to(made.dtype), create_graph=True)
    inputs = {"images": images} | dict(block.named_parameters())
    found = torch.autograd.grad(gradient.square().sum(), list(inputs.values()), allow_unused=True)
    return {name: value for name, value in zip(inputs, found, strict=True) if value is not None}


def assert_close(found: dict[str, Tensor], exact: dict[str, Tensor], tolerance: float) -> None:
    assert found.keys() == exact.keys()
    for name, truth in exact.items():
        assert found[name].shape == truth.shape
        size = truth.square().mean().sqrt()
        error = (found[name].double() - truth).square().mean().sqrt()
        assert error <= tolerance * size + 1e-9, f"{name}: {error / size:.1e} off"


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[type]:
    """Take this processor for one with AVX2 alone. Holds an entry for each call of a function of this project."""
    calls: list[type] = []

    def watch(function: type[torch.autograd.Function]) -> None:
        apply = function.apply

        def noted(*arguments: object) -> object:
            calls.append(function)
            return apply(*arguments)

        monkeypatch.setattr(function, "apply", noted)

    watch(WinogradConv)
    watch(MixedLayout)
    monkeypatch.setattr(processor, "has_avx2_alone", lambda: True)
    return calls


def expected_calls(combination: Combination) -> list[type]:
    kernel = KERNELS[combination.kernel]
    quick = combination.layout == torch.channels_last and combination.precision == torch.float32
    return [kernel.computed_by] if quick and kernel.computed_by is not None else []


def autocast(combination: Combination) -> torch.autocast:
    return torch.autocast("cpu", combination.precision, enabled=combination.precision != torch.float32)


@pytest.mark.parametrize("combination", COMBINATIONS, ids=lambda combination: combination.name)
def test_results_and_gradients_are_pytorchs(combination: Combination, reached: list[type]) -> None:
    setting = prepare(combination)
    exact = first_derivatives(setting.exact, setting.images.double().contiguous(), setting.incoming.double())
    with autocast(combination):
        found = first_derivatives(setting.ours, setting.images, setting.incoming)
        assert reached == expected_calls(combination)
        with torch.no_grad():
            without = setting.ours(setting.images)
    tolerance = TOLERANCE[combination.precision]
    assert_close(found, exact, tolerance)
    assert_close({"result": without}, {"result": exact["result"]}, tolerance)
    if combination.layout == torch.channels_last:
        assert found["result"].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("combination", PENALISED, ids=lambda combination: combination.name)
def test_gradient_penalties_are_pytorchs(combination: Combination, reached: list[type]) -> None:
    setting = prepare(combination)
    exact = second_derivatives(setting.exact, setting.images.double().contiguous(), setting.incoming.double())
    with autocast(combination):
        found = second_derivatives(setting.ours, setting.images, setting.incoming)
    assert reached == expected_calls(combination)
    assert_close(found, exact, 2 * TOLERANCE[combination.precision])


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_two_values_meet(kernel: str) -> None:
    """Whatever fails because of two properties together is found."""
    rows = [asdict(combination) for combination in _combinations(kernel)]
    names = [field.name for field in fields(Combination)]
    for one, other in itertools.combinations(names, 2):
        met = {(row[one], row[other]) for row in rows}
        assert len(met) == len({row[one] for row in rows}) * len({row[other] for row in rows}), (one, other)
