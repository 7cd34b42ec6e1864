"""PatchNCE: a patch of the translation should be like the same patch of its source, and unlike other patches."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.losses.reconstruction import exact, full_precision

DIAGONAL = -10.0
"""Similarity that stands in for a patch's with itself among its negatives; divided by a temperature of 0.07 it is
as good as minus infinity. The reference implementation has this value."""


def patch_nce(
    queries: Tensor, keys: Tensor, *, temperature: float = 0.07, all_negatives_from_minibatch: bool = False
) -> Tensor:
    """The mean of −log( exp(v·v⁺/τ) / (exp(v·v⁺/τ) + Σₙ exp(v·v⁻ₙ/τ)) ) over patches.

    Park et al. 2020, eq. 3 and, summed over layers by the caller, eq. 4, https://arxiv.org/abs/2007.15651. The positive
    v⁺ of a patch of the translation is the patch of the source at the same place; negatives v⁻ are the other patches.

    Args:
        queries: v, (N, P, C): features of P patches of each of N translations, of length 1.
        keys: features of the same patches of the sources, (N, P, C), of length 1; no gradient flows to them.
        temperature: τ.
        all_negatives_from_minibatch: take negatives from all images, not only from the patch's own; for crops of one
            large picture (the reference's --nce_includes_all_negatives_from_minibatch).
    Returns:
        a scalar, in float32 or float64.
    """
    count, patches, channels = queries.shape
    queries, keys = exact(queries), exact(keys.detach())
    if all_negatives_from_minibatch:
        queries, keys = (features.reshape(1, count * patches, channels) for features in (queries, keys))
    with full_precision(queries):  # a temperature of 0.07 magnifies rounding
        similarity = queries @ keys.transpose(1, 2)
    positive = similarity.diagonal(dim1=1, dim2=2)[..., None]
    same = torch.eye(similarity.shape[1], dtype=torch.bool, device=similarity.device)
    logits = torch.cat([positive, similarity.masked_fill(same, DIAGONAL)], dim=2).flatten(0, 1) / temperature
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))
