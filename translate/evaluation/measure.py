"""One direction measured: translations against the domain they should look like, and against what they were made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from translate.data.formats import Pixels
from translate.download import Progress
from translate.errors import UserError
from translate.evaluation.classifier import ClassifierConfig, DomainClassifier, classify, load_classifier
from translate.evaluation.distances import fid, kid
from translate.evaluation.extractors import Extractor, open_extractor
from translate.evaluation.images import ImageSet
from translate.evaluation.similarity import LPIPS, l1, psnr, ssim

BATCH = 8
Row = dict[str, Any]

LOWER_IS_BETTER = frozenset({"fid", "kid", "lpips", "l1", "cycle_l1", "nearest"})
"""Of all others, higher is better."""


def lower_is_better(metric: str) -> bool:
    """Whether a metric, with a direction (`kid_a2b`) or without, is the better the lower it is."""
    return metric.removesuffix("_a2b").removesuffix("_b2a") in LOWER_IS_BETTER


@dataclass(frozen=True)
class Judges:
    """What images are judged with; a judge that could not be had is None, and a note says why."""

    extractor: Extractor | None
    classifier: tuple[DomainClassifier, ClassifierConfig] | None
    lpips: LPIPS | None
    notes: list[str]


@dataclass(frozen=True)
class Known:
    """The real images of a domain, with what the judges make of them; found once, used for both directions."""

    images: ImageSet
    side: Literal["a", "b"]
    """Which of the two it is on disk, and to the classifier."""
    features: Tensor | None
    """(N, D)"""
    training_features: Tensor | None
    """Of as many images of the training split, for the yardstick that no translator can beat."""
    shares: list[float] | None
    """The classifier's probability that the image is of B."""


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


def open_judges(
    extractor: str | Path | None = None,
    *,
    weights: Path | None = None,
    classifier: Path | None = None,
    lpips: bool | None = None,
    device: torch.device | None = None,
    progress: Progress | None = None,
) -> Judges:
    """Open what images are judged with.

    Args:
        extractor: for FID and KID, as `open_extractor` takes it. None: the classifier where one is given, else
            Inception, and where that cannot be had, neither FID nor KID; a note says why. "none": neither.
        weights: for the extractor.
        classifier: a domain classifier. None: the extractor, where it is one.
        lpips: True: an error where it cannot be had; None: a note; False: without.
        device: where they compute; the CPU if None.
        progress: of downloads.
    Raises:
        UserError: what was asked for by name cannot be had.
    """
    notes: list[str] = []
    opened: Extractor | None = None
    if extractor != "none":
        try:
            opened = open_extractor(
                extractor or classifier or "inception", weights=weights, device=device, progress=progress
            )
        except UserError as error:
            if extractor or classifier:
                raise
            notes.append(f"FID and KID are left out. {error}")
    judge = opened.classifier if opened else None
    if classifier is not None and str(classifier) != str(extractor or classifier):
        network, config = load_classifier(classifier)
        judge = (network.to(device or torch.device("cpu")), config)
    perceptual = None
    if lpips is not False:
        try:
            perceptual = LPIPS(device, progress)
        except UserError as error:
            if lpips:
                raise
            notes.append(f"LPIPS is left out. {error}")
    return Judges(opened, judge, perceptual, notes)


def know(images: ImageSet, side: Literal["a", "b"], judges: Judges, training: Sequence[Pixels] | None = None) -> Known:
    """What the judges make of the real images of a domain, and of some of its training images."""
    features = judges.extractor.features(images.images) if judges.extractor else None
    before = judges.extractor.features(training) if judges.extractor and training else None
    shares = classify(*judges.classifier, images.images) if judges.classifier else None
    return Known(images, side, features, before, shares)


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
        the target, which no translator can beat but by luck), and `kid_improvement`, 1 − kid / kid_untranslated.
        Pairs: `ssim`, `psnr` (dB), `l1` (values from 0 to 1), `lpips`. Without pairs: `ssim_source`, how much of the
        source's structure is left. `cycle_l1`. With a classifier: `classified_as_target`, the share of translations it
        takes for the target, with those of the sources and of the real targets for comparison.
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
        _add_distances(values, fake, source.features, target)
        nearest = torch.cdist(fake, target.features).min(dim=1).values
        for row, distance in zip(rows, nearest.tolist(), strict=True):
            row["nearest"] = distance
    if paired:
        pairs = target.images.images
        add("ssim", ssim(made, pairs))
        add("psnr", psnr(made, pairs))
        add("l1", l1(made, pairs))
        if judges.lpips and colour and pairs[0].shape[2] in (1, 3):
            add("lpips", judges.lpips(made, pairs))
    elif made[0].shape[2] == source.images.images[0].shape[2]:
        add("ssim_source", ssim(made, source.images.images))
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
    """What a reader should know before trusting the numbers."""
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


def _add_distances(values: dict[str, float], fake: Tensor, source: Tensor, target: Known) -> None:
    real = target.features
    assert real is not None
    if min(len(fake), len(real), len(source)) < 2:
        return  # a single image has no spread
    values["fid"] = fid(real, fake)
    found, untranslated = kid(real, fake), kid(real, source)
    values |= {"kid": found.value, "kid_error": found.error}
    values |= {"kid_subsets": found.subsets, "kid_subset_size": found.subset_size}
    values |= {"fid_untranslated": fid(real, source), "kid_untranslated": untranslated.value}
    if target.training_features is not None and len(target.training_features) > 1:
        values["kid_real"] = kid(real, target.training_features).value
    if untranslated.value > 0:
        values["kid_improvement"] = 1 - found.value / untranslated.value


def _of(target: Known, share: float) -> float:
    return share if target.side == "b" else 1 - share


def _most(shares: Sequence[float]) -> float:
    return sum(share > 0.5 for share in shares) / len(shares)
