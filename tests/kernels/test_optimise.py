"""`optimise` replaces layers by kernels where their rules allow it, and changes nothing else about a network."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from tests.kernels.comparison import CPU, assert_as_exact_as_pytorch, optimised
from tests.kernels.conftest import Calls
from translate.kernels import processor
from translate.kernels.instance_norm import FastInstanceNorm2d
from translate.kernels.mixed_layout import MixedLayoutConv2d, MixedLayoutConvTranspose2d
from translate.kernels.optimise import KERNELS, optimise
from translate.kernels.winograd import WinogradConv2d
from translate.networks import (
    build_discriminator,
    build_generator,
    discriminator_config,
    generator_config,
)
from translate.networks.blocks import InstanceNorm2d

KINDS = {kernel.by for kernel in KERNELS}

NETWORKS: dict[str, dict[str, Any]] = {
    "resnet": {"width": 24, "blocks": 1, "bias": False},
    "compact": {"width": 24, "blocks": 1, "upsample": "resize", "residual": True, "norm": "none", "bias": True},
    "separable": {"width": 8, "blocks": 1, "separable": True, "norm": "batch"},
    "unet": {"architecture": "unet", "size": 32, "width": 8, "bias": False},
}


def generator(name: str, **more: Any) -> nn.Module:
    torch.manual_seed(0)
    return build_generator(generator_config(**({"init": "kaiming"} | NETWORKS[name] | more)))


def image(side: int = 64, batch: int = 4) -> Tensor:
    made = torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return made.to(memory_format=torch.channels_last)


def kinds(network: nn.Module) -> set[type[nn.Module]]:
    """The kernels in a network."""
    return {parametrize.type_before_parametrizations(layer) for layer in network.modules()} & KINDS


def test_a_kernel_only_changes_how_its_plain_layer_computes() -> None:
    for kernel in KERNELS:
        assert issubclass(kernel.by, kernel.replaces) and kernel.by.__doc__
        assert not {"__init__", "__getstate__", "state_dict", "extra_repr"} & set(vars(kernel.by))


def test_each_layer_gets_the_first_kernel_that_gains(avx2_alone: None) -> None:
    network = optimise(generator("resnet"), CPU, torch.float32)
    assert type(network.get_submodule("stem.conv")) is MixedLayoutConv2d
    assert type(network.get_submodule("blocks.0.conv1")) is WinogradConv2d
    assert type(network.get_submodule("up.0.conv")) is MixedLayoutConvTranspose2d
    assert type(network.get_submodule("up.0.norm")) is FastInstanceNorm2d
    assert type(network.get_submodule("up.0.activation")) is nn.ReLU
    assert kinds(optimise(generator("separable"), CPU, torch.float32)) == KINDS - {WinogradConv2d, FastInstanceNorm2d}


@pytest.mark.parametrize(
    ("device", "precision", "avx2"),
    [("cpu", torch.bfloat16, True), ("cpu", torch.float32, False), ("cuda", torch.float32, True)],
)
def test_convolutions_stay_pytorchs_elsewhere(
    monkeypatch: pytest.MonkeyPatch, device: str, precision: torch.dtype, avx2: bool
) -> None:
    monkeypatch.setattr(processor, "has_avx2_alone", lambda: avx2)
    assert kinds(optimise(generator("resnet"), torch.device(device), precision)) == {FastInstanceNorm2d}


def test_a_network_begins_without_kernels() -> None:
    for name in NETWORKS:
        assert not kinds(generator(name))
    assert not kinds(build_discriminator(discriminator_config(), 3))


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_state_and_hooks_are_left_as_they_are(avx2_alone: None, name: str) -> None:
    network = generator(name).eval()
    parameters, modules, state = dict(network.named_parameters()), dict(network.named_modules()), network.state_dict()
    seen: list[int] = []
    modules["head"].register_forward_hook(lambda *_: seen.append(1))
    assert optimise(network, CPU, torch.float32) is network
    assert kinds(network)
    assert all(parameters[key] is parameter for key, parameter in network.named_parameters())
    assert all(modules[key] is module and not module.training for key, module in network.named_modules())
    assert list(network.state_dict()) == list(state)
    with torch.no_grad():
        network(image())
    assert seen == [1]


def test_doing_it_twice_is_doing_it_once(avx2_alone: None) -> None:
    network = optimise(generator("resnet"), CPU, torch.float32)
    before = [type(layer) for layer in network.modules()]
    assert [type(layer) for layer in optimise(network, CPU, torch.float32).modules()] == before


def test_a_layer_with_a_class_of_its_own_is_left_alone(avx2_alone: None) -> None:
    class Norm(InstanceNorm2d):
        pass

    assert type(optimise(Norm(3), CPU, torch.float32)) is Norm


@pytest.mark.parametrize("name", NETWORKS)
def test_generators_compute_and_train_as_exactly_as_pytorchs(calls: Calls, name: str) -> None:
    """Norm, in-place activations, paddings, residual sums and skips in the order in which the networks have them."""
    assert_as_exact_as_pytorch(generator(name), image(), floor=1e-5)
    assert calls.mixed_layout
    assert bool(calls.winograd) == (name in ("resnet", "compact"))


def test_discriminators_compute_and_train_as_exactly_as_pytorchs(calls: Calls) -> None:
    torch.manual_seed(0)
    config = discriminator_config(**({"width": 8, "init": "kaiming", "norm": "batch"}))  # without biases
    assert_as_exact_as_pytorch(build_discriminator(config, 3), image(side=32), floor=1e-5)
    assert calls.mixed_layout


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_a_copy_has_the_kernels_too(calls: Calls, copied: Any) -> None:
    network = optimised(generator("resnet"))
    other = copied(network)
    assert kinds(other) == kinds(network) == KINDS
    assert torch.equal(other(image()), network(image()))
    with torch.no_grad():
        next(other.parameters()).zero_()
    assert not torch.equal(other(image()), network(image()))


def test_the_optimiser_moves_what_the_kernels_compute_with(calls: Calls) -> None:
    """An optimiser that was made before still has the parameters."""
    network = generator("resnet").to(memory_format=torch.channels_last)
    descent = torch.optim.SGD(network.parameters(), lr=0.1)
    optimise(network, CPU, torch.float32)
    before = network(image())
    before.square().sum().backward()
    descent.step()
    assert not torch.equal(network(image()), before)


# ------------------------------------------------------------------------------------------------------- spectral norm


def test_spectral_norm_goes_on_and_can_be_removed(calls: Calls) -> None:
    plain = generator("resnet", spectral_norm=True)
    network = optimised(plain)
    assert kinds(network) == KINDS
    assert list(network.state_dict()) == list(plain.state_dict())
    with torch.no_grad():
        for _ in range(2):
            torch.testing.assert_close(network(image()), plain(image()), rtol=1e-4, atol=1e-5)
    for key, value in plain.state_dict().items():  # as many power iterations were made
        torch.testing.assert_close(network.state_dict()[key], value, rtol=1e-5, atol=1e-6)
    network.eval()
    before = network(image())
    for layer in network.modules():
        if parametrize.is_parametrized(layer):
            parametrize.remove_parametrizations(layer, "weight")
    assert not any(parametrize.is_parametrized(layer) for layer in network.modules())
    assert kinds(network) == KINDS
    torch.testing.assert_close(network(image()), before, rtol=1e-4, atol=1e-5)


def test_a_spectrally_normalised_network_is_copied_with_its_kernels(calls: Calls) -> None:
    network = optimised(generator("resnet", spectral_norm=True)).eval()
    other = copy.deepcopy(network)
    assert kinds(other) == KINDS
    assert torch.equal(other(image()), network(image()))


# -------------------------------------------------------------------------------------------------- compile and export


@pytest.mark.parametrize("name", NETWORKS)
def test_compile_finds_one_graph(calls: Calls, name: str) -> None:
    network = optimised(generator(name)).eval()
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        made = compiled(image())
        assert (calls.winograd, calls.mixed_layout) == (0, 0)
        torch.testing.assert_close(made, network(image()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_exported_graph_is_that_of_the_plain_network(calls: Calls, name: str) -> None:
    plain = generator(name).eval()
    operations = []
    for network in (plain, optimised(plain)):
        graph = torch.export.export(network, (image(),)).graph
        operations.append([str(node.target) for node in graph.nodes if node.op == "call_function"])
    assert operations[0] == operations[1]
    if name in ("resnet", "compact"):
        assert any("instance_norm" in operation for operation in operations[0]) == (name == "resnet")
