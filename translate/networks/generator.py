"""The base class of generators, which describe themselves so that nothing else needs to know their class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from translate.networks.graph import Graph


class Generator(nn.Module):
    """A network whose forward maps images (N, in_channels, H, W) to images (N, out_channels, H, W), in [-1, 1] both.

    A subclass sets the three attributes. One that can describe its layers overrides `graph`; then large images are
    translated in tiles exactly, convolutions are fused and quantised, and `feature_layers` may name nodes of the graph.
    One that cannot inherits None, and everything uses its `forward` alone.
    """

    in_channels: int
    out_channels: int
    multiple: int
    """Height and width of the images must be multiples of this many pixels."""

    def graph(self) -> Graph | None:
        """The layers, as they are in evaluation mode; None where the network has no such description."""
        return None

    @property
    def feature_layers(self) -> Mapping[str, int]:
        """Encoder layers that `features` can give, in the order of computation: name -> channels.

        The names are those of nodes of the graph. A layer's number is its place in this order.
        """
        return {}

    def features(self, image: Tensor, layers: Sequence[int | str]) -> list[Tensor]:
        """Encoder features, as PatchNCE compares them (Park et al. 2020, https://arxiv.org/abs/2007.15651).

        Only what the layers asked for are made of is computed. Gradients flow; no feature is changed afterwards by an
        activation that works in place.

        Args:
            image: (N, in_channels, H, W) in [-1, 1].
            layers: numbers or names of `feature_layers`.
        Returns:
            (N, C, h, w) for each, in the order of `layers`.
        Raises:
            ValueError: there is no such layer.
        """
        names, graph = self.feature_names(layers), self.graph()
        assert graph is not None  # where there are feature layers, there is a graph
        return graph.evaluate(self, image, names)

    def feature_names(self, layers: Sequence[int | str]) -> list[str]:
        """Names of feature layers that are given by number or name. Raises ValueError where there is no such layer."""
        known = list(self.feature_layers)
        for layer in layers:
            if layer not in (range(len(known)) if isinstance(layer, int) else known):
                there = ", ".join(f"{number} {name}" for number, name in enumerate(known)) or "none at all"
                raise ValueError(f"a {type(self).__name__} has no feature layer {layer}; there are: {there}")
        return [known[layer] if isinstance(layer, int) else layer for layer in layers]


def graph_of(network: nn.Module) -> Graph | None:
    """The graph of a generator; None for a network that has none or is no `Generator`."""
    return network.graph() if isinstance(network, Generator) else None
