"""The networks that judge translations by features, classes and distances, and the rule which of them may not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from translate.data.formats import Pixels
from translate.downloads.download import Progress
from translate.errors import UserError
from translate.evaluation.classifier import ClassifierConfig, DomainClassifier, classify, load_classifier
from translate.evaluation.extractors import Extractor, open_extractor
from translate.evaluation.images import ImageSet
from translate.evaluation.similarity import LPIPS
from translate.features import FeatureNetwork, canonical_name, load_features

LABEL_JUDGE = "lite1"
"""Says which images have a label, where no judge is named."""


@dataclass(frozen=True)
class Judge:
    """A feature network that judges beside the extractor: KID and FID in its features, and shares of a label."""

    extractor: Extractor
    network: FeatureNetwork
    label: int | None
    """The class of ImageNet whose share is wanted."""

    @property
    def key(self) -> str:
        """Short name of the network; the judge's metrics end in it, for example `kid_lite1`."""
        return self.network.name.removeprefix("timm/").replace(".", "-")

    def features(self, images: Sequence[Pixels]) -> Tensor:
        """(N, D), float32 on the CPU."""
        return self.extractor.features(images)

    @torch.inference_mode()
    def ranks(self, features: Tensor) -> list[int]:
        """How many classes each image has before the label, from its features: 0 where the label is the first."""
        assert self.label is not None
        scores = self.network.classify(features.to(self.extractor.device)).float()
        ranks: list[int] = (scores > scores[:, self.label, None]).sum(dim=1).tolist()
        return ranks


@dataclass(frozen=True)
class Judges:
    """What images are judged with; a judge that could not be had is None, and a note says why."""

    extractor: Extractor | None
    classifier: tuple[DomainClassifier, ClassifierConfig] | None
    lpips: LPIPS | None
    notes: list[str]
    panel: list[Judge] = field(default_factory=list)
    """Further networks, each of which gives its own KID and, where a label is asked for, its own shares."""
    label: str = ""
    """The name of the ImageNet class that the panel looks for."""
    structure: FeatureNetwork | None = None

    def networks(self) -> list[str]:
        """Names of the feature networks among them."""
        opened = [self.extractor.feature_network if self.extractor else None, self.structure]
        names = [judge.network.name for judge in self.panel] + [network.name for network in opened if network]
        return list(dict.fromkeys([*names, *(["alexnet"] if self.lpips else [])]))


@dataclass(frozen=True)
class Known:
    """The real images of a domain, with what the judges make of them; found once, used for both directions."""

    images: ImageSet
    side: Literal["a", "b"]
    """Which of the two it is on disk, and to the classifier."""
    features: Tensor | None
    """(N, D)"""
    training_features: Tensor | None
    """(N, D) features of as many images of the training split; their distance is the best that can be reached."""
    shares: list[float] | None
    """The classifier's probability that the image is of B."""
    by_judge: dict[str, Tensor] = field(default_factory=dict)
    """(N, D) by the key of each further judge."""
    training_by_judge: dict[str, Tensor] = field(default_factory=dict)
    """(N, D) features of the training images, by the key of each further judge."""


def open_judges(
    extractor: str | Path | None = None,
    *,
    weights: Path | None = None,
    classifier: Path | None = None,
    lpips: bool | None = None,
    panel: Sequence[str] = (),
    label: str | None = None,
    structure: str | None = None,
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
        panel: names of further feature networks, as `load_features` takes them.
        label: a class of ImageNet, such as `zebra`; the panel tells which share of the images it is. Without a panel
            LABEL_JUDGE does.
        structure: a feature network for `structure_distance`.
        device: where they compute; the CPU if None.
        progress: of downloads.
    Raises:
        UserError: what was asked for by name cannot be had, or a judge does not know the label.
    """
    device = device or torch.device("cpu")
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
        judge = (network.to(device), config)
    perceptual = None
    if lpips is not False:
        try:
            perceptual = LPIPS(device, progress)
        except UserError as error:
            if lpips:
                raise
            notes.append(f"LPIPS is left out. {error}")
    names = list(dict.fromkeys(panel or ([LABEL_JUDGE] if label else [])))
    judges = [_open_judge(name, label, device, progress) for name in names]
    shape = load_features(structure, progress=progress).to(device) if structure else None
    return Judges(opened, judge, perceptual, notes, judges, label or "", shape)


def _open_judge(name: str, label: str | None, device: torch.device, progress: Progress | None) -> Judge:
    extractor = open_extractor(name, device=device, progress=progress)
    if extractor.feature_network is None:
        raise UserError(f"{name} is no feature network and judges as the extractor alone: --extractor {name}.")
    network = extractor.feature_network
    return Judge(extractor, network, network.label(label) if label else None)


def partial_judges(
    judges: Judges, trained_against: Sequence[str], checkpoint: str, *, insist: bool = False
) -> list[str]:
    """What has to be said where a judge took part in the training that it judges.

    A generator that trained against a network has learned to please it, as an adversarial example does, so the
    network's verdict says little about what people see.

    Args:
        judges: of an evaluation.
        trained_against: names of feature networks, as the checkpoint's provenance has them.
        checkpoint: its name.
        insist: judge nevertheless.
    Returns:
        notes for the result, none where all judges are impartial.
    Raises:
        UserError: a judge is partial, and nobody insisted.
    """
    had_a_part = set(map(canonical_name, trained_against))
    partial = [name for name in judges.networks() if canonical_name(name) in had_a_part]
    if not partial:
        return []
    listed = " and ".join(partial)
    if insist:
        return [f"{checkpoint} was trained against {listed}, which judges it here: its numbers are too good."]
    instead = " or without LPIPS (--no-lpips)" if "alexnet" in partial else ""
    raise UserError(
        f"{checkpoint} was trained against {listed}, so {listed} cannot judge it. Choose other judges{instead}, or "
        "insist with --same-judge; the result will say so."
    )


def know(images: ImageSet, side: Literal["a", "b"], judges: Judges, training: Sequence[Pixels] | None = None) -> Known:
    """What the judges make of the real images of a domain, and of some of its training images."""
    features = judges.extractor.features(images.images) if judges.extractor else None
    before = judges.extractor.features(training) if judges.extractor and training else None
    shares = classify(*judges.classifier, images.images) if judges.classifier else None
    colour = images.images[0].shape[2] in (1, 3)
    panel = judges.panel if colour else []
    by_judge = {judge.key: judge.features(images.images) for judge in panel}
    training_by_judge = {judge.key: judge.features(training) for judge in panel if training}
    return Known(images, side, features, before, shares, by_judge, training_by_judge)
