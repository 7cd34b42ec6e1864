"""A small network that tells two domains apart, and a feature extractor that needs no download.

Trained on the real images of both domains and never on translations (`training`), it says which share of the
translated images it takes for the target: FCN-score (Isola et al. 2017, section 3.2) asks a network trained on real
images in the same spirit. Its penultimate features are made for these two domains, and serve FID and KID where
Inception's weights cannot be had.

    classifier.json           what the network is, what its domains are, how often it is right
    classifier.safetensors    its weights
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F
from pydantic import Field, ValidationError
from torch import Tensor, nn

from translate.errors import UserError
from translate.features import Backbone, FeatureNetwork, register_file_format
from translate.settings import Settings, explain

FORMAT_VERSION = 1
NAME = "classifier"


class ClassifierConfig(Settings):
    """classifier.json. A and B are the domains as they lie on disk, whichever direction is trained or judged."""

    format_version: int = Field(FORMAT_VERSION, description="version of this format")
    domains: dict[Literal["a", "b"], str] = Field(description="what the images of A and of B show")
    channels: int = Field(3, ge=1, description="channels of the images")
    width: int = Field(32, ge=1, description="filters of the first stage; doubled in each further one")
    stages: int = Field(4, ge=1, le=6, description="stages of one residual block, each halving height and width")
    size: int = Field(128, ge=16, description="pixels of the squares that images are scaled to")
    dataset: str = Field("", description="name of the folder it was trained on")
    images: dict[Literal["a", "b"], int] = Field(default_factory=dict, description="training images of each domain")
    steps: int = Field(0, ge=0, description="updates of the weights")
    seconds: float = Field(0.0, ge=0, description="time spent training")
    accuracy: dict[Literal["a", "b"], float] = Field(
        default_factory=dict, description="share of each domain's validation images that it is right about"
    )
    validated_on: dict[Literal["a", "b"], int] = Field(
        default_factory=dict, description="how many validation images of each domain that was measured on"
    )


class DomainClassifier(nn.Module):
    """A ResNet in small: a stem of stride 4, then stages of one basic block (He et al. 2016), then the mean.

    (N, channels, H, W) in [-1, 1] → (N,) logits, positive for B. Any size from 32 pixels up.
    """

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        widths = [config.width * 2**stage for stage in range(config.stages)]
        self.features_made = widths[-1]
        self.stem = nn.Sequential(
            nn.Conv2d(config.channels, config.width, 5, 2, 2, bias=False),
            nn.BatchNorm2d(config.width),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        )
        blocks = zip([config.width, *widths], widths, strict=False)
        self.stages = nn.Sequential(*(_Block(source, made, 1 + bool(at)) for at, (source, made) in enumerate(blocks)))
        self.head = nn.Linear(widths[-1], 1)

    def features(self, images: Tensor) -> Tensor:
        """(N, channels, H, W) in [-1, 1] → (N, features_made): what the decision is made from."""
        made: Tensor = self.stages(self.stem(images)).mean(dim=(2, 3))
        return made

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N,), positive where the image is taken for one of B."""
        logits: Tensor = self.head(self.features(images))
        return logits.squeeze(1)


class _Block(nn.Module):
    """Two 3×3 convolutions and a shortcut.

    The shortcut takes every other pixel before its 1×1 convolution, which is what a stride of 2 would do. With one, the
    gradient of few channels in channels_last writes beyond its memory on processors with AVX2 alone (torch 2.15).
    """

    def __init__(self, source: int, made: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.body = nn.Sequential(
            nn.Conv2d(source, made, 3, stride, 1, bias=False),
            nn.BatchNorm2d(made),
            nn.ReLU(),
            nn.Conv2d(made, made, 3, 1, 1, bias=False),
            nn.BatchNorm2d(made),
        )
        self.shortcut = (
            nn.Identity()
            if source == made and stride == 1
            else nn.Sequential(nn.Conv2d(source, made, 1, bias=False), nn.BatchNorm2d(made))
        )

    def forward(self, images: Tensor) -> Tensor:
        return F.relu(self.body(images) + self.shortcut(images[:, :, :: self.stride, :: self.stride]))


def to_input(images: Sequence[np.ndarray], size: int, channels: int) -> Tensor:
    """(H, W, C) uint8 or uint16 pixels as (N, channels, size, size) in [-1, 1], scaled with antialiasing.

    Raises UserError where the images have another number of channels (grey ones are repeated).
    """
    scaled = []
    for image in images:
        levels = torch.from_numpy(image.astype(np.float32) / np.iinfo(image.dtype).max).permute(2, 0, 1)[None]
        if levels.shape[1] not in (1, channels):
            raise UserError(f"This network reads {channels} channels; these images have {levels.shape[1]}.")
        if levels.shape[2:] != (size, size):
            levels = F.interpolate(levels, (size, size), mode="bilinear", antialias=True, align_corners=False)
        scaled.append(levels.expand(-1, channels, -1, -1).clamp(0, 1))
    return torch.cat(scaled) * 2 - 1


@torch.inference_mode()
def classify(classifier: DomainClassifier, config: ClassifierConfig, images: Sequence[np.ndarray]) -> list[float]:
    """The probability of B for each image, (H, W, C) of uint8 or uint16 as the classifier's data."""
    device = next(classifier.parameters()).device
    made = []
    for start in range(0, len(images), 32):
        batch = to_input(images[start : start + 32], config.size, config.channels)
        made.append(torch.sigmoid(classifier(batch.to(device)).float()).cpu())
    return torch.cat(made).tolist() if made else []


def save_classifier(folder: Path, classifier: DomainClassifier, config: ClassifierConfig) -> Path:
    """Write the two files into a folder, which is made. Returns the folder. Raises UserError where that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in classifier.state_dict().items()}
        safetensors.torch.save_file(state, folder / f"{NAME}.safetensors")
        text = json.dumps(config.model_dump(mode="json"), indent=2, ensure_ascii=False)
        (folder / f"{NAME}.json").write_text(text + "\n", encoding="utf-8")
        # safetensors makes files that only their owner may read
        (folder / f"{NAME}.safetensors").chmod((folder / f"{NAME}.json").stat().st_mode)
    except (OSError, safetensors.SafetensorError) as error:
        raise UserError(f"Cannot write the classifier into {folder}: {getattr(error, 'strerror', error)}.") from error
    return folder


def load_classifier(path: Path) -> tuple[DomainClassifier, ClassifierConfig]:
    """Read a classifier, in evaluation mode on the CPU. Nothing is unpickled.

    Args:
        path: its folder, or its .safetensors file with the .json beside it.
    Raises:
        UserError: a file is missing, broken or of a newer format, or the weights do not fit.
    """
    weights = path / f"{NAME}.safetensors" if path.is_dir() else path
    described = weights.with_suffix(".json")
    try:
        tree: Any = json.loads(described.read_text(encoding="utf-8"))
        if isinstance(tree, dict) and int(tree.get("format_version", 0)) > FORMAT_VERSION:
            raise UserError(f"{described} was written by a newer version of this program.")
        config = ClassifierConfig.model_validate(tree)
        classifier = DomainClassifier(config)
        classifier.load_state_dict(safetensors.torch.load_file(weights))
    except FileNotFoundError as error:
        raise UserError(
            f"{path} is no domain classifier: {error.filename or weights} is missing; make one with: "
            "translate classifier DATA -o FOLDER."
        ) from error
    except ValidationError as error:
        raise UserError(f"{described}: {explain(error)}.") from error
    except (OSError, ValueError, TypeError, RuntimeError, safetensors.SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"The domain classifier {weights} is broken: {reason}") from error
    return classifier.eval().requires_grad_(False), config


class ClassifierBackbone(Backbone):
    """A domain classifier as a feature network: its stages' maps, and the features its decision is made from."""

    def __init__(self, classifier: DomainClassifier, config: ClassifierConfig) -> None:
        super().__init__()
        self.classifier = classifier
        self.channels = {4 * 2**stage: config.width * 2**stage for stage in range(config.stages)}

    def maps(self, images: Tensor, strides: Sequence[int]) -> list[Tensor]:
        made, features = {}, self.classifier.stem(images)
        for stride, stage in zip(self.channels, self.classifier.stages, strict=True):
            if stride > max(strides):
                break
            made[stride] = features = stage(features)
        return [made[stride] for stride in strides]

    def embedding(self, images: Tensor) -> Tensor:
        return self.classifier.features(images)

    def classify(self, embedding: Tensor) -> Tensor:
        scores: Tensor = self.classifier.head(embedding)
        return scores


def classifier_features(classifier: DomainClassifier, config: ClassifierConfig) -> FeatureNetwork:
    """The feature network that a domain classifier is. It holds the classifier itself and moves it to its device."""
    title = f"domain classifier {config.dataset} ({config.domains['a']}, {config.domains['b']})"
    return FeatureNetwork(
        ClassifierBackbone(classifier, config),
        name=title,
        title=title,
        licence="",
        source=f"trained on {config.dataset or 'images of both domains'}",
        size=config.size,
        mean=[0.5] * config.channels,
        deviation=[0.5] * config.channels,
    )


register_file_format(f"{NAME}.json", lambda path: classifier_features(*load_classifier(path)))
