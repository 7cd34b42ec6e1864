"""A frozen network: feature maps at several strides, a vector for each image, and scores for ImageNet's classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.errors import UserError
from translate.features.frozen import Frozen
from translate.features.imagenet import find_label


class Backbone(nn.Module):
    """The network itself. It reads images (N, C, H, W) that are normalised as it was trained; see `FeatureNetwork`.

    A new kind of network is a subclass with these three methods.
    """

    channels: dict[int, int]
    """Channels of the feature maps it offers, by their stride in pixels."""

    def maps(self, images: Tensor, strides: Sequence[int]) -> list[Tensor]:
        """Feature maps (N, channels[stride], H / stride, W / stride) in the order of `strides`."""
        raise NotImplementedError

    def embedding(self, images: Tensor) -> Tensor:
        """(N, D): what the network feeds to its last linear layer."""
        raise NotImplementedError

    def classify(self, embedding: Tensor) -> Tensor:
        """(N, classes): scores before the softmax, from `embedding`'s (N, D)."""
        raise NotImplementedError

    def logits_by_place(self, images: Tensor) -> Tensor:
        """(N, classes, H / stride, W / stride): the classifier's scores of each place of its last map, not averaged."""
        raise NotImplementedError


class FeatureNetwork(Frozen):
    """A frozen network with its own input normalisation; images are (N, 1 or 3, H, W) in [-1, 1].

    Gradients flow through it to the images and not to its weights, which stay out of the owner's (see `Frozen`).

    Args:
        backbone: the network.
        name: what it is loaded by, such as `lite0`.
        title: what people read.
        licence: of the weights.
        source: where the weights come from, with their version.
        size: pixels of the squares that `embed` and `logits` scale images to.
        mean, deviation: of its input normalisation, for values in [0, 1].
        interpolation: how images are scaled to `size`; with antialiasing.
        labels: descriptions of its classes in their order, empty where it is no classifier of ImageNet.
    """

    backbone: Backbone
    normalise: _Normalise

    def __init__(
        self,
        backbone: Backbone,
        *,
        name: str,
        title: str,
        licence: str,
        source: str,
        size: int,
        mean: Sequence[float] = (0.5, 0.5, 0.5),
        deviation: Sequence[float] = (0.5, 0.5, 0.5),
        interpolation: Literal["bilinear", "bicubic"] = "bilinear",
        labels: Sequence[str] = (),
    ) -> None:
        super().__init__(backbone=backbone, normalise=_Normalise(mean, deviation))
        self.name, self.title, self.licence, self.source = name, title, licence, source
        self.size, self.interpolation, self.labels = size, interpolation, tuple(labels)
        self.in_channels = len(mean)

    def forward(self, images: Tensor, strides: Sequence[int] = (4, 8, 16, 32)) -> list[Tensor]:
        """Feature maps of images at the given strides, each (N, channels(stride), H / stride, W / stride).

        The network is computed no deeper than the largest stride. At a stride it is the last map of that size, for
        VGG-16 at strides 1, 2, 4 and 8 the activations relu1_2, relu2_2, relu3_3 and relu4_3.

        Raises:
            UserError: the network has no map at one of the strides, or the images have another number of channels.
        """
        for stride in strides:
            self.channels(stride)
        return self.backbone.maps(self._normalised((self._coloured(images) + 1) / 2), strides)

    def embed(self, images: Tensor) -> Tensor:
        """(N, D): pooled penultimate features of whole images, scaled to the network's own size, for FID and KID."""
        return self.backbone.embedding(self._normalised(self._levels(images)))

    def logits(self, images: Tensor) -> Tensor:
        """(N, classes) scores of whole images, scaled to the network's own size; `labels` names the classes.

        Raises UserError where the network is no classifier of ImageNet.
        """
        return self.classify(self.embed(images))

    def classify(self, embedding: Tensor) -> Tensor:
        """(N, classes) scores from what `embed` gives, for those who need both."""
        self._require_labels()
        return self.backbone.classify(embedding)

    def scale(self, images: Tensor) -> Tensor:
        """Whole images at the network's own size, (N, in_channels, size, size) in [-1, 1]."""
        return self._levels(images) * 2 - 1

    def logits_by_place(self, images: Tensor) -> Tensor:
        """Class activation maps (Zhou et al. 2016): (N, classes, H / 32, W / 32) scores of the places of images.

        The classifier reads each place of the last feature map by itself instead of their average. The images keep
        their size, which decides how large the object is that the network looks for.

        Raises:
            UserError: the network is no classifier of ImageNet, or not one whose places have scores.
        """
        self._require_labels()
        try:
            return self.backbone.logits_by_place(self._normalised((self._coloured(images) + 1) / 2))
        except NotImplementedError as error:
            raise UserError(f"The feature network {self.name} has no class activation maps; use lite0.") from error

    def label(self, wanted: str) -> int:
        """The number of the class with a label such as `zebra`. Raises UserError, with labels that are near."""
        self._require_labels()
        return find_label(self.labels, wanted)

    @property
    def strides(self) -> tuple[int, ...]:
        """The strides that `forward` offers, ascending."""
        return tuple(sorted(self.backbone.channels))

    def channels(self, stride: int) -> int:
        """Channels of the feature map at a stride. Raises UserError where there is none."""
        if stride not in self.backbone.channels:
            offered = ", ".join(map(str, self.strides)) or "none"
            raise UserError(f"The feature network {self.name} has no features at stride {stride}; it has: {offered}.")
        return self.backbone.channels[stride]

    @property
    def resize(self) -> str:
        """How `embed` and `logits` scale images, in words, for a result."""
        return f"{self.size}×{self.size}, {self.interpolation} (antialiased)"

    def extra_repr(self) -> str:
        return f"{self.name}: {self.title}"

    def _normalised(self, levels: Tensor) -> Tensor:
        normalised: Tensor = self.normalise(levels)
        return normalised

    def _coloured(self, images: Tensor) -> Tensor:
        """Images with the channels that the network reads: grey is repeated; a grey network reads the first of RGB."""
        count = images.shape[1]
        if count not in (1, 3, self.in_channels) or 1 < count < self.in_channels:
            raise UserError(
                f"The feature network {self.name} reads {self.in_channels} channels; these images have {count}."
            )
        return images.expand(-1, self.in_channels, -1, -1) if count == 1 else images[:, : self.in_channels]

    def _levels(self, images: Tensor) -> Tensor:
        """Whole images at the network's own size, in [0, 1]."""
        levels = (self._coloured(images) + 1) / 2
        size = (self.size, self.size)
        if levels.shape[2:] != size:
            levels = F.interpolate(levels, size, mode=self.interpolation, antialias=True, align_corners=False)
        return levels.clamp(0, 1)

    def _require_labels(self) -> None:
        if not self.labels:
            raise UserError(
                f"The feature network {self.name} is no classifier of ImageNet and knows no labels; use lite1."
            )


class _Normalise(nn.Module):
    """(x − mean) / deviation for each channel of values in [0, 1]."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(1, -1, 1, 1))

    def forward(self, levels: Tensor) -> Tensor:
        return (levels - self.mean) / self.deviation
