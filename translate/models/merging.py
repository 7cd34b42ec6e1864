"""One pass through a network for several batches of images: the same result by larger and fewer matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

Logits = Tensor | list[Tensor]
"""What a discriminator gives: (N, 1, h, w), or a list of such tensors where it judges at several scales."""


def together(network: nn.Module, batches: Sequence[Tensor], merge: bool) -> list[Logits]:
    """The network's results for each of the (N, C, H, W) batches, in one pass if `merge` and their sizes agree.

    The results are the same only where the network treats each image by itself (`separates_images` of its settings).
    """
    if not merge or len({batch.shape[1:] for batch in batches}) > 1:
        return [network(batch) for batch in batches]
    sizes = [len(batch) for batch in batches]
    made = network(torch.cat(tuple(batches)))
    if isinstance(made, Tensor):
        return list(torch.split(made, sizes))
    return [list(scales) for scales in zip(*(torch.split(scale, sizes) for scale in made), strict=True)]


def images_together(generator: nn.Module, batches: Sequence[Tensor]) -> list[Tensor]:
    """A generator's translations of each of the (N, C, H, W) batches, in one pass if their sizes agree."""
    made = together(generator, batches, merge=True)
    assert all(isinstance(images, Tensor) for images in made)
    return cast(list[Tensor], made)
