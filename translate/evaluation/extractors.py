"""Networks whose features FID and KID compare: Inception, any of torchvision's classifiers, or one's own.

Two FIDs compare only where extractor, resize method and number of images agree, so all three are part of a result.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.data.formats import Pixels
from translate.download import Progress
from translate.errors import UserError
from translate.evaluation.classifier import ClassifierConfig, DomainClassifier, load_classifier
from translate.evaluation.weights import first_words, published_weights, read_weights

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
        name_or_file: `inception`; a classification model of torchvision by name (`resnet18`); or a domain classifier's
            folder or file (`translate.evaluation.classifier`).
        weights: for the first two: a file of weights (.pth or .safetensors) instead of the published ones, which are
            downloaded at the first use.
        device: where it computes; the CPU if None.
        progress: of the download.
    Raises:
        UserError: no such extractor, a package is missing, or the weights cannot be had or do not fit.
    """
    device = device or torch.device("cpu")
    name = str(name_or_file)
    path = Path(name_or_file)
    if name == "inception":
        network, described, resize = _inception(weights, progress), "inception", "299×299, bilinear (TensorFlow 1)"
        if weights is not None:
            described += f" ({weights.name})"
    elif path.exists() or path.suffix or "/" in name:
        if weights is not None:
            raise UserError(f"--extractor-weights is for inception and torchvision's models; {path} has its own.")
        classifier, config = load_classifier(path)
        classifier.to(device)
        described = f"domain classifier {config.dataset} ({config.domains['a']}, {config.domains['b']})"
        resize = f"{config.size}×{config.size}, bilinear (antialiased)"
        return Extractor(
            described, resize, _ClassifierFeatures(classifier, config).to(device).eval(), device, (classifier, config)
        )
    else:
        network, described, size = _torchvision(name, weights, progress)
        resize = f"{size}×{size}, bilinear (antialiased)"
    return Extractor(described, resize, network.to(device).eval().requires_grad_(False), device)


class _ClassifierFeatures(nn.Module):
    """(N, 3, H, W) uint8 → the domain classifier's penultimate features."""

    def __init__(self, classifier: DomainClassifier, config: ClassifierConfig) -> None:
        super().__init__()
        self.classifier, self.config = classifier, config

    def forward(self, images: Tensor) -> Tensor:
        scaled = _scale(images, self.config.size) * 2 - 1
        return self.classifier.features(scaled[:, : self.config.channels])


class _TorchvisionFeatures(nn.Module):
    """(N, 3, H, W) uint8 → what a torchvision model feeds its last linear layer."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module, size: int, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.network, self.size = network, size
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        made: Tensor = self.network((_scale(images, self.size) - self.mean) / self.deviation)
        return made.flatten(1)


class _First(nn.Module):
    """torch-fidelity's Inception returns a tuple of the features that were asked for."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        made: Tensor = self.network(images)[0]
        return made


def _scale(images: Tensor, size: int) -> Tensor:
    """(N, 3, H, W) uint8 → (N, 3, size, size) in [0, 1]."""
    levels = images.float() / 255
    if levels.shape[2:] == (size, size):
        return levels
    return F.interpolate(levels, (size, size), mode="bilinear", antialias=True, align_corners=False).clamp(0, 1)


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
        weights = _published(INCEPTION_URL, "inception", progress)
    read_weights(weights)  # torch-fidelity would unpickle anything; what passes here holds tensors only
    try:
        made = package.FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=str(weights))
    except (RuntimeError, TypeError) as error:
        raise UserError(f"{weights} does not hold the weights of FID's Inception: {first_words(error)}") from error
    return _First(made)


def _published(url: str, name: str, progress: Progress | None) -> Path:
    try:
        return published_weights(url, progress)
    except UserError as error:
        raise UserError(f"The extractor {name} cannot get its weights. {error} Or {INSTEAD}.") from error


def _torchvision(name: str, weights: Path | None, progress: Progress | None) -> tuple[nn.Module, str, int]:
    import torchvision.models

    if name not in torchvision.models.list_models(module=torchvision.models):
        raise UserError(
            f"There is no extractor {name}: it is inception, a torchvision model such as resnet18, or the folder of a "
            "domain classifier."
        )
    published = torchvision.models.get_model_weights(name).DEFAULT
    if weights is None:
        read_weights(_published(published.url, name, progress))  # torchvision finds it, and would unpickle anything
        network = torchvision.models.get_model(name, weights=published)
    else:
        network = torchvision.models.get_model(name, weights=None)
        try:
            network.load_state_dict(read_weights(weights))
        except RuntimeError as error:
            raise UserError(f"{weights} does not hold the weights of {name}: {first_words(error)}") from error
    _cut_head(network)
    transforms = published.transforms()
    size = transforms.crop_size[0]
    described = f"torchvision {name} ({weights.name if weights else published.name})"
    return _TorchvisionFeatures(network, size, transforms.mean, transforms.std), described, size


def _cut_head(network: nn.Module) -> None:
    """Put nothing in the place of the last linear layer, which makes the classes' scores."""
    layers = [name for name, layer in network.named_modules() if isinstance(layer, nn.Linear)]
    if not layers:
        return  # SqueezeNet ends in a convolution and a mean: its scores are its features
    parent, _, last = layers[-1].rpartition(".")
    setattr(network.get_submodule(parent), last, nn.Identity())
