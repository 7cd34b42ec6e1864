"""Networks whose features FID and KID compare: Inception, any feature network by name, or a domain classifier.

Two FIDs compare only where extractor, resize method and number of images agree, so all three are part of a result.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from translate.data.formats import Pixels
from translate.downloads.download import Progress
from translate.errors import UserError
from translate.evaluation.classifier import ClassifierConfig, DomainClassifier, classifier_features, load_classifier
from translate.features import FeatureNetwork, is_file, load_features
from translate.features.weights import first_words, published_weights, read_weights

INCEPTION_URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
)
"""The weights of the FID paper's TensorFlow graph, converted; 91 MB. torch-fidelity names the same address."""
BATCH = 16
INSTEAD = (
    "use a domain classifier, which needs no download: translate classifier DATA -o FOLDER, then --extractor FOLDER"
)


@dataclass(frozen=True)
class Extractor:
    """Turns images into features; `name` and `resize` tell in a result what was used."""

    name: str
    resize: str
    network: nn.Module
    """(N, 3, H, W) uint8 on its device → (N, D)."""
    device: torch.device
    classifier: tuple[DomainClassifier, ClassifierConfig] | None = None
    """Set where the extractor is a domain classifier, which also has an opinion on each image."""
    feature_network: FeatureNetwork | None = None
    """Set where it is a network of `translate.features`."""

    @torch.inference_mode()
    def features(self, images: Sequence[Pixels]) -> Tensor:
        """Features (N, D), float32 on the CPU, of N images (H, W, C) with C 1 or 3; they may differ in size.

        Raises UserError where they have another number of channels.
        """
        made: list[Tensor] = []
        batch: list[Tensor] = []
        for index, image in enumerate(images):
            batch.append(_rgb(image))
            last = index + 1 == len(images)
            if last or len(batch) == BATCH or images[index + 1].shape != image.shape:
                made.append(self.network(torch.stack(batch).to(self.device)).float().cpu())
                batch = []
        return torch.cat(made)


def open_extractor(
    name_or_file: str | Path,
    *,
    weights: Path | None = None,
    device: torch.device | None = None,
    progress: Progress | None = None,
) -> Extractor:
    """Open a feature extractor.

    Args:
        name_or_file: `inception`; a feature network by name (`lite1`, `resnet18`; see `translate.features`); or a
            domain classifier's folder or file (`translate.evaluation.classifier`).
        weights: for the first two: a file of weights (.pth or .safetensors) instead of the published ones, which are
            downloaded at the first use.
        device: where it computes; the CPU if None.
        progress: of the download.
    Raises:
        UserError: no such extractor, a package is missing, or the weights cannot be had or do not fit.
    """
    device = device or torch.device("cpu")
    name, path = str(name_or_file), Path(name_or_file)
    if name == "inception":
        network = _inception(weights, progress).to(device).eval().requires_grad_(False)
        described = f"inception ({weights.name})" if weights else "inception"
        return Extractor(described, "299×299, bilinear (TensorFlow 1)", network, device)
    judge = None
    if is_file(name):
        if weights is not None:
            raise UserError(f"--extractor-weights is for networks that are named; {path} has its own.")
        judge = load_classifier(path)
        features = classifier_features(*judge)
    else:
        features = load_features(name, weights, progress=progress)
    return Extractor(features.title, features.resize, _Embedding(features).to(device), device, judge, features)


class _Embedding(nn.Module):
    """(N, 3, H, W) uint8 → what a feature network makes of whole images."""

    def __init__(self, features: FeatureNetwork) -> None:
        super().__init__()
        self.features = features

    def forward(self, images: Tensor) -> Tensor:
        return self.features.embed(images.float() / 127.5 - 1)


class _First(nn.Module):
    """torch-fidelity's Inception returns a tuple of the features that were asked for."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        made: Tensor = self.network(images)[0]
        return made


def _rgb(image: Pixels) -> Tensor:
    """(H, W, C) of uint8 or uint16 → (3, H, W) uint8; grey is repeated."""
    if image.shape[2] not in (1, 3):
        raise UserError(f"FID and KID compare grey or RGB images; these have {image.shape[2]} channels.")
    eight = image if image.dtype == np.uint8 else np.rint(image / 257).astype(np.uint8)
    return torch.from_numpy(np.array(eight)).permute(2, 0, 1).expand(3, -1, -1)


def _inception(weights: Path | None, progress: Progress | None) -> nn.Module:
    try:
        package = importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
    except ImportError as error:
        raise UserError(
            f"The extractor inception needs torch-fidelity: pip install 'translate-images[metrics]'. Or {INSTEAD}."
        ) from error
    if weights is None:
        try:
            weights = published_weights(INCEPTION_URL, progress)
        except UserError as error:
            raise UserError(f"The extractor inception cannot get its weights. {error} Or {INSTEAD}.") from error
    read_weights(weights)  # torch-fidelity would unpickle anything; what passes here holds tensors only
    try:
        made = package.FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=str(weights))
    except (RuntimeError, TypeError) as error:
        raise UserError(f"{weights} does not hold the weights of FID's Inception: {first_words(error)}") from error
    return _First(made)
