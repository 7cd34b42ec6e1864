"""One direction measured: translations against the domain they should look like, and against what they were made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from translate.data.formats import Pixels
from translate.evaluation.classifier import classify
from translate.evaluation.distances import fid, kid
from translate.evaluation.judges import Judge, Judges, Known
from translate.evaluation.similarity import change, l1, psnr, ssim, structure_distance

BATCH = 8
Row = dict[str, Any]

LOWER_IS_BETTER = frozenset(
    {"fid", "kid", "lpips", "l1", "cycle_l1", "nearest", "change_outside", "background_changed", "structure"}
)
"""Metrics where lower is better; for all others higher is. A further network's KID is called `kid_lite1`."""
YARDSTICKS = ("_improvement", "_untranslated", "_real", "_error")


def lower_is_better(metric: str) -> bool:
    """Whether a metric, with a direction (`kid_a2b`) or without, is the better the lower it is."""
    name = metric.removesuffix("_a2b").removesuffix("_b2a")
    return name in LOWER_IS_BETTER or (name.startswith(("kid_", "fid_")) and not name.endswith(YARDSTICKS))


@dataclass
class Measured:
    """One direction: the numbers, and those of each image."""

    direction: str
    source: str
    target: str
    values: dict[str, float] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    """One an image: `name`, and what could be told of a single image."""
    ranked_by: str = ""
    """The column that tells good from bad images."""
    sources: list[Pixels] = field(default_factory=list)
    made: list[Pixels] = field(default_factory=list)
    targets: list[Pixels] = field(default_factory=list)
    """What the translations should be, where there are pairs; else empty."""

    def order(self) -> list[int]:
        """Numbers of the images, best first; as they come where nothing could be told of single images."""
        if not self.ranked_by:
            return list(range(len(self.rows)))
        sign = 1 if lower_is_better(self.ranked_by) else -1
        return sorted(range(len(self.rows)), key=lambda at: sign * float(self.rows[at][self.ranked_by]))


def measure(
    made: Sequence[Pixels],
    source: Known,
    target: Known,
    judges: Judges,
    *,
    paired: bool,
    back: Sequence[Pixels] | None = None,
) -> tuple[dict[str, float], list[Row]]:
    """Measure the translations of a domain's images.

    Args:
        made: translations of `source`, in its order, each of its image's size.
        source, target: the real images of both domains; with `paired`, image by image the same scene.
        judges: see `open_judges`.
        paired: whether to compare each translation with its pair.
        back: the translations translated back, for the cycle error; of `source`'s channels.
    Returns:
        the numbers, and a row for each image. Distances of sets: `fid`, `kid` with its standard error `kid_error`, the
        yardsticks `kid_untranslated`, `fid_untranslated` (the sources as they are) and `kid_real` (training images of
        the target, which no translator can beat but by luck), and `kid_improvement`, 1 − kid / kid_untranslated; by
        each further judge the same, as `kid_lite1`, `kid_lite1_error`, …
        Pairs: `ssim`, `psnr` (dB), `l1` (values from 0 to 1), `lpips`. Without pairs: `ssim_source`, how much of the
        source's structure is left, and `lpips_source`. `structure`: see `structure_distance`. `cycle_l1`.
        With masks: `change_inside`, `change_outside`, `background_changed`; see `change`.
        With a classifier: `classified_as_target`, the share of translations it takes for the target, with those of the
        sources and of the real targets for comparison. With a label, by each judge: `top1_lite1` and `top5_lite1`, the
        shares of translations that have it, and for comparison `top1_lite1_source`, `top1_lite1_real`.
    """
    rows: list[Row] = [{"name": name} for name in source.images.names]
    values: dict[str, float] = {}

    def add(name: str, column: Sequence[float]) -> None:
        values[name] = float(np.mean(column))
        for row, value in zip(rows, column, strict=True):
            row[name] = value

    colour = made[0].shape[2] in (1, 3)
    if judges.extractor and source.features is not None and target.features is not None and colour:
        fake = judges.extractor.features(made)
        values |= _distances(fake, source.features, target.features, target.training_features)
        nearest = torch.cdist(fake, target.features).min(dim=1).values
        for row, distance in zip(rows, nearest.tolist(), strict=True):
            row["nearest"] = distance
    if colour:
        for judge in judges.panel:
            _add_judgement(values, rows, judge, judge.features(made), source, target)
    if paired:
        pairs = target.images.images
        add("ssim", ssim(made, pairs))
        add("psnr", psnr(made, pairs))
        add("l1", l1(made, pairs))
        if judges.lpips and colour and pairs[0].shape[2] in (1, 3):
            add("lpips", judges.lpips(made, pairs))
    elif made[0].shape[2] == source.images.images[0].shape[2]:
        add("ssim_source", ssim(made, source.images.images))
        if judges.lpips and colour:
            add("lpips_source", judges.lpips(made, source.images.images))
    if judges.structure and colour and source.images.images[0].shape[2] in (1, 3):
        add("structure", structure_distance(judges.structure, made, source.images.images))
    if made[0].shape[2] == source.images.images[0].shape[2]:
        _add_changes(values, rows, made, source)
    if back is not None:
        add("cycle_l1", l1(back, source.images.images))
    if judges.classifier and source.shares is not None and target.shares is not None:
        shares = [_of(target, share) for share in classify(*judges.classifier, made)]
        for row, share in zip(rows, shares, strict=True):
            row["target_probability"] = share
        values["classified_as_target"] = _most(shares)
        values["source_classified_as_target"] = _most([_of(target, share) for share in source.shares])
        values["real_classified_as_target"] = _most([_of(target, share) for share in target.shares])
    return values, rows


def rank_by(rows: Sequence[Row]) -> str:
    """The column that says most about a single image, of those that are there."""
    for name in ("lpips", "ssim", "target_probability", "nearest", "ssim_source"):
        if name in rows[0]:
            return name
    return ""


def translate_all(translate: Callable[[np.ndarray], np.ndarray], images: Sequence[Pixels]) -> list[Pixels]:
    """Translate images, neighbours of one size together. `translate`: (N, H, W, C) → (N, H, W, C')."""
    made: list[Pixels] = []
    batch: list[Pixels] = []
    for index, image in enumerate(images):
        batch.append(image)
        last = index + 1 == len(images)
        if last or len(batch) == BATCH or images[index + 1].shape != image.shape:
            made += list(translate(np.stack(batch)))
            batch = []
    return made


def doubts(measured: Measured, known: tuple[Known, Known], judges: Judges) -> list[str]:
    """Reasons to doubt the numbers, as sentences: FID of too few images, a classifier trained on other data."""
    notes = []
    source, target = known
    count = min(len(source.images), len(target.images))
    if target.features is not None and count < target.features.shape[1] and "fid" in measured.values:
        notes.append(
            f"FID is of {count} images and {target.features.shape[1]} features: with fewer images than features it is "
            "far too large, and compares only with values from as many images. KID is not biased."
        )
    if measured.values.get("source_classified_as_target", 0) > measured.values.get("real_classified_as_target", 1):
        notes.append(
            f"The classifier takes more of {measured.source} than of {measured.target} for {measured.target}: it was "
            "trained on other data, or with A and B the other way round."
        )
    return notes


def _distances(
    fake: Tensor, source: Tensor, real: Tensor, training: Tensor | None, suffix: str = ""
) -> dict[str, float]:
    """KID and FID of features of the translations to those of the real images, with their yardsticks."""
    if min(len(fake), len(real), len(source)) < 2:
        return {}  # a single image has no spread
    found, untranslated = kid(real, fake), kid(real, source)
    name = f"kid{suffix}"
    values = {f"fid{suffix}": fid(real, fake), name: found.value, f"{name}_error": found.error}
    values |= {f"{name}_subsets": found.subsets, f"{name}_subset_size": found.subset_size}
    values |= {f"fid{suffix}_untranslated": fid(real, source), f"{name}_untranslated": untranslated.value}
    if training is not None and len(training) > 1:
        values[f"{name}_real"] = kid(real, training).value
    if untranslated.value > 0:
        values[f"{name}_improvement"] = 1 - found.value / untranslated.value
    return values


def _add_judgement(
    values: dict[str, float], rows: list[Row], judge: Judge, fake: Tensor, source: Known, target: Known
) -> None:
    """Distances in a judge's features, and the shares of images that have its label."""
    originals, reals = source.by_judge[judge.key], target.by_judge[judge.key]
    values |= _distances(fake, originals, reals, target.training_by_judge.get(judge.key), f"_{judge.key}")
    if judge.label is None:
        return
    for name, features in {"": fake, "_source": originals, "_real": reals}.items():
        ranks = judge.ranks(features)
        for top in (1, 5):
            values[f"top{top}_{judge.key}{name}"] = float(np.mean([rank < top for rank in ranks]))
        if not name:
            for row, rank in zip(rows, ranks, strict=True):
                row[f"rank_{judge.key}"] = rank + 1


def _add_changes(values: dict[str, float], rows: list[Row], made: Sequence[Pixels], source: Known) -> None:
    """Changes inside and outside of the masks: the means over the images that have any to show."""
    columns: dict[str, list[float]] = {}
    masks = source.images.masks or [None] * len(rows)
    for row, image, original, mask in zip(rows, made, source.images.images, masks, strict=True):
        if mask is not None:
            for name, value in change(image, original, mask).items():
                row[name] = value
                columns.setdefault(name, []).append(value)
    values |= {name: float(np.mean(column)) for name, column in columns.items()}
    if columns:
        values["images_with_mask"] = max(map(len, columns.values()))


def _of(target: Known, share: float) -> float:
    return share if target.side == "b" else 1 - share


def _most(shares: Sequence[float]) -> float:
    return sum(share > 0.5 for share in shares) / len(shares)
