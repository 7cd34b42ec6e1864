"""One pass through a network for several batches of images: the same result, larger and fewer matrix products."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from translate.config import DiscriminatorConfig, GeneratorConfig


def can_merge(config: GeneratorConfig | DiscriminatorConfig) -> bool:
    """Whether an image's result is independent of the other images of the pass.

    Batch norm mixes images, dropout draws its noise by position, and spectral norm iterates once a pass; instance norm
    works image by image.
    """
    dropout = isinstance(config, GeneratorConfig) and config.dropout
    return config.norm in ("instance", "none") and not dropout and not config.spectral_norm


def together(network: nn.Module, batches: Sequence[Tensor], merge: bool) -> list[Tensor]:
    """The network's results for each of the (N, C, H, W) batches, in one pass if `merge` and their sizes agree."""
    if merge and len({batch.shape[1:] for batch in batches}) == 1:
        return list(network(torch.cat(tuple(batches))).split([len(batch) for batch in batches]))
    return [network(batch) for batch in batches]
