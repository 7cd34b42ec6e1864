"""Classification models of torchvision by name; their weights are downloaded from PyTorch's server at the first use."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.passes.shape_prop import ShapeProp

from translate.downloads.download import Progress
from translate.errors import UserError
from translate.features.network import Backbone, FeatureNetwork
from translate.features.weights import first_words, published_weights, read_weights

STRIDES = (1, 2, 4, 8, 16, 32)


class TorchvisionBackbone(Backbone):
    """A classifier cut where its maps become smaller: stage by stage, up to what it feeds its last linear layer.

    Networks that cannot be traced, or whose maps do not depend on one another in a line, have no maps.

    Args:
        network: in evaluation mode.
        size: pixels of the squares it reads.
    """

    def __init__(self, network: nn.Module, size: int) -> None:
        super().__init__()
        self.head = _take_head(network)
        self.channels = {}
        stages: list[nn.Module] = [network]
        try:
            traced = fx.symbolic_trace(network)
        except (fx.proxy.TraceError, TypeError, ValueError, AttributeError):
            pass
        else:
            cuts = _cuts(traced, size)
            self.channels = {stride: node.meta["tensor_meta"].shape[1] for stride, node in cuts.items()}
            nodes = list(traced.graph.nodes)
            borders = [None, *cuts.values(), nodes[-1].args[0]]
            stages = [_stage(traced, begin, end) for begin, end in itertools.pairwise(borders)]
        self.stages = nn.ModuleList(stages)

    def maps(self, images: Tensor, strides: Sequence[int]) -> list[Tensor]:
        made, features = {}, images
        for stride, stage in zip(self.channels, self.stages, strict=False):
            if stride > max(strides):
                break
            made[stride] = features = stage(features)
        return [made[stride] for stride in strides]

    def embedding(self, images: Tensor) -> Tensor:
        for stage in self.stages:
            images = stage(images)
        return images.flatten(1)

    def classify(self, embedding: Tensor) -> Tensor:
        made: Tensor = self.head(embedding)
        return made


def has(name: str) -> bool:
    """Whether torchvision has a classification model of this name."""
    import torchvision.models

    return name in torchvision.models.list_models(module=torchvision.models)


def load(name: str, weights: Path | None = None, progress: Progress | None = None) -> FeatureNetwork:
    """A classification model with torchvision's published weights, or with those of a file.

    Raises:
        UserError: the weights cannot be had or do not fit.
    """
    import torchvision.models

    published = torchvision.models.get_model_weights(name).DEFAULT
    if weights is None:
        try:
            read_weights(published_weights(published.url, progress))  # torchvision itself would unpickle anything
        except UserError as error:
            raise UserError(f"The feature network {name} cannot get its weights. {error}") from error
        network = torchvision.models.get_model(name, weights=published)
    else:
        network = torchvision.models.get_model(name, weights=None)
        try:
            network.load_state_dict(read_weights(weights))
        except RuntimeError as error:
            raise UserError(f"{weights} does not hold the weights of {name}: {first_words(error)}") from error
    transforms = published.transforms()
    size = int(transforms.crop_size[0])
    return FeatureNetwork(
        TorchvisionBackbone(network.eval().requires_grad_(False), size),
        name=name,
        title=f"torchvision {name} ({weights.name if weights else published.name})",
        licence="BSD-3-Clause (torchvision), trained on ImageNet",
        source=weights.name if weights else published.url,
        size=size,
        mean=transforms.mean,
        deviation=transforms.std,
        labels=published.meta["categories"],
    )


def _take_head(network: nn.Module) -> nn.Module:
    """Take out the last linear layer, which makes the classes' scores, and return it."""
    layers = [name for name, layer in network.named_modules() if isinstance(layer, nn.Linear)]
    if not layers:
        return nn.Identity()  # SqueezeNet ends in a convolution and a mean: its scores are its features
    parent, _, last = layers[-1].rpartition(".")
    head = network.get_submodule(layers[-1])
    setattr(network.get_submodule(parent), last, nn.Identity())
    return head


def _cuts(traced: fx.GraphModule, size: int) -> dict[int, fx.Node]:
    """{stride: last node with maps of that size}, ascending, for nodes that alone determine all that follows."""
    ShapeProp(traced, fake_mode=FakeTensorMode()).propagate(torch.empty(1, 3, size, size))  # shapes, no arithmetic
    place = {node: at for at, node in enumerate(traced.graph.nodes)}
    found: dict[int, fx.Node] = {}
    needed_until = 0  # the place of the last node that reads anything computed before this one
    for node, at in place.items():
        shape: Sequence[int] = getattr(node.meta.get("tensor_meta"), "shape", ())
        is_map = len(shape) == 4 and shape[2] == shape[3]  # (N, C, H, W), where others are (N, H, W, C)
        is_layer = node.op not in ("placeholder", "output") and not _is_adaptive_pool(traced, node)
        if is_map and is_layer and needed_until <= at:
            found[2 ** round(math.log2(size / shape[3]))] = node
        needed_until = max([needed_until, *(place[reader] for reader in node.users)])
    ascending = [(stride, found[stride]) for stride in sorted(set(found) & set(STRIDES))]
    in_order = sorted(ascending, key=lambda cut: place[cut[1]])
    return dict(ascending) if ascending == in_order else {}


def _is_adaptive_pool(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node's maps have a size that does not follow from the image's."""
    return node.op == "call_module" and isinstance(traced.get_submodule(str(node.target)), nn.AdaptiveAvgPool2d)


def _stage(traced: fx.GraphModule, begin: fx.Node | None, end: fx.Node) -> fx.GraphModule:
    """The part of a network that follows one node, or the input, up to another; it shares the network's layers."""
    graph, nodes = fx.Graph(), list(traced.graph.nodes)
    copied: dict[fx.Node, fx.Node] = {}
    if begin is not None:
        copied[begin] = graph.placeholder("features")
    for node in nodes[nodes.index(begin) + 1 if begin else 0 : nodes.index(end) + 1]:
        copied[node] = graph.node_copy(node, copied.__getitem__)
    graph.output(copied[end])
    return fx.GraphModule(traced, graph)
