"""A generator's graph computes what its forward does, and gives the encoder's features."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from translate.networks import GeneratorConfig, build_generator
from translate.networks.generator import Generator, graph_of
from translate.networks.graph import IMAGE, OUTPUT, Graph
from translate.networks.resnet import ResNetGenerator
from translate.networks.unet import UNetGenerator

KINDS: list[dict[str, Any]] = [
    {},
    {"norm": "batch", "upsample": "resize", "separable": True, "dropout": True},
    {"norm": "none", "residual": True, "spectral_norm": True, "blocks": 0},
    {"downsamplings": 0, "padding": "zeros"},
    {"architecture": "unet", "norm": "batch", "dropout": True},
    {"architecture": "unet", "norm": "none", "upsample": "resize"},
]


def build(**settings: Any) -> Generator:
    torch.manual_seed(0)
    network = build_generator(GeneratorConfig.model_validate({"width": 4, "blocks": 2, "size": 32} | settings))
    assert isinstance(network, Generator)
    return network


def image() -> Tensor:
    return torch.rand(2, 3, 32, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_the_graph_is_the_forward(settings: dict[str, Any]) -> None:
    network = build(**settings).eval()
    graph = graph_of(network)
    assert graph is not None
    (made,) = graph.evaluate(network, image(), [OUTPUT])
    torch.testing.assert_close(made, network(image()), rtol=1e-5, atol=1e-5)
    # Every convolution and every norm of the network is a node, and every node but the last is read.
    layers = {name for name, layer in network.named_modules() if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))}
    kinds = ("convolution", "transposed_convolution")
    assert {node.name for node in graph.nodes.values() if node.kind in kinds} == layers
    assert all(graph.readers(name) for name in graph.nodes if name != OUTPUT)


def test_strides_are_of_the_image() -> None:
    network = build(upsample="resize")
    graph = graph_of(network)
    assert graph is not None
    strides = graph.strides(network)
    assert [strides[name] for name in ("stem.conv", "down.1.conv", "blocks.1", "up.0.conv.conv", OUTPUT)] == [
        1,
        4,
        4,
        2,
        1,
    ]


def test_features_of_a_resnet_are_numbered_as_in_the_published_code() -> None:
    network = build(norm="instance", blocks=6)
    assert isinstance(network, ResNetGenerator)
    names = list(network.feature_layers)
    assert [names[number] for number in (0, 4, 8, 9, 10, 15)] == [
        IMAGE, "down.0.conv", "down.1.norm", "down.1.activation", "blocks.0", "blocks.5",
    ]  # fmt: skip
    wanted: list[int | str] = [0, "down.0.conv", 7, "blocks.0", 14]
    features = network.features(image(), wanted)
    given = F.pad(image(), [3] * 4, mode="reflect")
    stem = network.stem(image())
    first = network.down[0].get_submodule("conv")(stem)
    second = network.down[1].get_submodule("conv")(network.down[0](stem))
    block = network.blocks[0](network.down(stem))
    fifth = network.blocks[:5](network.down(stem))
    for made, expected, name in zip(features, (given, first, second, block, fifth), wanted, strict=True):
        torch.testing.assert_close(made, expected, rtol=1e-5, atol=1e-5)
        key = names[name] if isinstance(name, int) else name
        assert network.feature_layers[key] == made.shape[1]


def test_features_of_a_unet() -> None:
    network = build(architecture="unet", norm="instance")
    assert isinstance(network, UNetGenerator)
    given, first, second = network.features(image(), [0, "down.0.norm", 2])
    torch.testing.assert_close(given, image())
    torch.testing.assert_close(first, network.down[0](image()))
    torch.testing.assert_close(second, network.down[1](F.leaky_relu(first, 0.2)))
    assert list(network.feature_layers.values())[:3] == [3, 4, 8]
    assert [feature.shape[1] for feature in (given, first, second)] == [3, 4, 8]


def test_features_stop_early_and_let_gradients_through() -> None:
    network = build(blocks=3)
    computed: list[str] = []
    for name, layer in network.named_modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            layer.register_forward_hook(lambda *_, name=name: computed.append(name))
    features = network.features(image(), ["down.0.conv", "blocks.0"])
    assert computed == ["stem.conv", "down.0.conv", "down.1.conv", "blocks.0.conv1", "blocks.0.conv2"]
    sum(feature.square().mean() for feature in features).backward()  # type: ignore[union-attr]
    graded = {name for name, weight in network.named_parameters() if weight.grad is not None}
    assert {name.rpartition(".")[0] for name in graded} == set(computed)


@pytest.mark.parametrize("layer", [99, -1, "blocks.7"])
def test_layers_that_are_not_there_are_named(layer: int | str) -> None:
    with pytest.raises(
        ValueError, match=f"ResNetGenerator has no feature layer {layer}; there are: 0 image, 1 stem.conv"
    ):
        build().features(image(), [layer])


def test_a_generator_need_not_describe_itself() -> None:
    class Silent(Generator):
        in_channels = out_channels = multiple = 1

    assert graph_of(Silent()) is None
    assert graph_of(nn.Identity()) is None
    with pytest.raises(ValueError, match="has no feature layer 0; there are: none at all"):
        Silent().features(image(), [0])


def test_a_graph_that_makes_no_sense_is_refused() -> None:
    graph = Graph(lambda features, image: features)
    with pytest.raises(ValueError, match="conv reads nowhere, which the graph lacks"):
        graph.add("conv", "convolution", "nowhere")
    with pytest.raises(ValueError, match="a node called image already"):
        graph.add(IMAGE, "activation", IMAGE)
    with pytest.raises(TypeError, match=r"net\.1 is a GELU"):
        graph.add_module("net", nn.Sequential(nn.Conv2d(3, 3, 1), nn.GELU()), IMAGE)
