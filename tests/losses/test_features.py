"""Feature losses against their equations, written out a second time with numpy."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from translate import losses
from translate.errors import UserError
from translate.features import FeatureNetwork
from translate.features.torchvision_models import TorchvisionBackbone

STRIDES = (2, 4)
WEIGHTS = Path(torch.hub.get_dir()) / "checkpoints"
FILES = {"vgg16": "vgg16-397923af.pth", "alexnet": "alexnet-owt-7be5be79.pth"}


@pytest.fixture
def features() -> FeatureNetwork:
    """Two convolutions, in float64."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, 2, 1), torch.nn.ReLU(), torch.nn.Conv2d(4, 5, 3, 2, 1), torch.nn.Flatten()
    )
    made = FeatureNetwork(TorchvisionBackbone(network, 16), name="two", title="", licence="", source="", size=16)
    return made.double()


def images(count: int, seed: int, size: int = 16) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, size, size, dtype=torch.float64, generator=generator) * 2 - 1


def maps(features: FeatureNetwork, x: torch.Tensor) -> list[np.ndarray]:
    return [made.detach().numpy() for made in features(x, STRIDES)]


def gram(one: np.ndarray) -> np.ndarray:
    """Johnson et al. 2016, eq. 3, entry by entry."""
    channels, height, width = one.shape
    found = np.zeros((channels, channels))
    for c in range(channels):
        for d in range(channels):
            found[c, d] = (one[c] * one[d]).sum() / (channels * height * width)
    return found


def test_feature_distance_is_its_equation(features: FeatureNetwork) -> None:
    x, y = images(2, 1), images(2, 2)
    wanted = sum(np.abs(a - b).mean() for a, b in zip(maps(features, x), maps(features, y), strict=True))
    assert losses.feature_distance(features, x, y, STRIDES).item() == pytest.approx(wanted)


def test_content_loss_is_its_equation(features: FeatureNetwork) -> None:
    x, y = images(2, 1), images(2, 2)
    wanted = 0.0
    for a, b in zip(maps(features, x), maps(features, y), strict=True):
        wanted += np.mean([((a[n] - b[n]) ** 2).sum() / a[n].size for n in range(2)])
    assert losses.content_loss(features, x, y, STRIDES).item() == pytest.approx(wanted)


@pytest.mark.parametrize("count", [1, 3])
def test_style_loss_by_gram_matrices_is_its_equation(features: FeatureNetwork, count: int) -> None:
    x, paintings = images(2, 1), images(count, 2, size=24)
    wanted = 0.0
    for a, b in zip(maps(features, x), maps(features, paintings), strict=True):
        target = np.mean([gram(each) for each in b], axis=0)
        wanted += np.mean([((gram(each) - target) ** 2).sum() for each in a])
    assert losses.style_loss(features, x, paintings, STRIDES).item() == pytest.approx(wanted)


@pytest.mark.parametrize("count", [1, 3])
def test_style_loss_by_moments_is_its_equation(features: FeatureNetwork, count: int) -> None:
    x, paintings = images(2, 1), images(count, 2, size=24)
    wanted = 0.0
    for a, b in zip(maps(features, x), maps(features, paintings), strict=True):
        for statistic in (lambda m: m.mean((1, 2)), lambda m: np.sqrt(m.var((1, 2)) + 1e-5)):
            target = np.mean([statistic(each) for each in b], axis=0)
            wanted += np.mean([((statistic(each) - target) ** 2).mean() for each in a])
    found = losses.style_loss(features, x, paintings, STRIDES, statistics="moments")
    assert found.item() == pytest.approx(wanted)


def test_style_does_not_see_where_things_are(features: FeatureNetwork) -> None:
    """A map whose pixels are shuffled has the same statistics; content sees the difference."""
    made = torch.rand(1, 4, 6, 6)
    shuffled = made.flatten(2)[:, :, torch.randperm(36)].view_as(made)
    torch.testing.assert_close(losses.gram_matrix(made), losses.gram_matrix(shuffled))
    torch.testing.assert_close(losses.channel_moments(made), losses.channel_moments(shuffled))


def test_gram_matrices_are_exact_under_autocast() -> None:
    made = torch.rand(1, 4, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        found = losses.gram_matrix(made)
    torch.testing.assert_close(found, losses.gram_matrix(made), rtol=0, atol=0)


LOSSES: dict[str, Callable[[FeatureNetwork, torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "feature_distance": lambda features, x, y: losses.feature_distance(features, x, y, STRIDES),
    "content": lambda features, x, y: losses.content_loss(features, x, y, STRIDES),
    "gram": lambda features, x, y: losses.style_loss(features, x, y, STRIDES),
    "moments": lambda features, x, y: losses.style_loss(features, x, y, STRIDES, "moments"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_flow_to_the_image_alone_and_are_right(features: FeatureNetwork, name: str) -> None:
    x, y = images(1, 1).requires_grad_(), images(1, 2).requires_grad_()
    LOSSES[name](features, x, y).backward()
    assert y.grad is None
    assert all(weight.grad is None for weight in features.backbone.parameters())
    assert x.grad is not None
    direction, step = images(1, 3), 1e-6
    with torch.no_grad():
        ahead, behind = (LOSSES[name](features, x + sign * step * direction, y) for sign in (1, -1))
    slope = ((ahead - behind) / (2 * step)).item()
    assert (x.grad * direction).sum().item() == pytest.approx(slope, rel=1e-4)
    assert abs(slope) > 1e-6


# ----------------------------------------------------------------------------------------------------------- perceptual


def test_perceptual_loss_compares_features_and_leaves_the_target_alone(tmp_path: Path) -> None:
    from torchvision.models import vgg16

    torch.manual_seed(0)
    torch.save(vgg16().state_dict(), tmp_path / "vgg16.pth")
    loss = losses.PerceptualLoss(tmp_path / "vgg16.pth")
    image, target = torch.rand(1, 3, 32, 32, requires_grad=True), torch.rand(1, 3, 32, 32, requires_grad=True)
    assert loss(image, image).item() == 0
    distance = loss(image, target)
    distance.backward()
    assert distance.item() > 0
    assert image.grad is not None
    assert target.grad is None
    assert loss(torch.rand(1, 1, 32, 32), torch.rand(1, 1, 32, 32)).item() > 0


def test_perceptual_loss_names_a_file_it_cannot_use(tmp_path: Path) -> None:
    (tmp_path / "broken.pth").write_bytes(b"not weights")
    with pytest.raises(UserError, match=r"broken\.pth"):
        losses.PerceptualLoss(tmp_path / "broken.pth")


# ---------------------------------------------------------------------------------------------------------------- LPIPS


def needs_weights(network: str) -> Any:
    missing = not (WEIGHTS / FILES[network]).is_file()
    return pytest.param(network, marks=pytest.mark.skipif(missing, reason=f"no weights of {network} on this machine"))


def published(network: str) -> Any:
    """The authors' package, which measures images in [-1, 1]."""
    lpips = pytest.importorskip("lpips")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lpips.LPIPS(net={"vgg16": "vgg", "alexnet": "alex"}[network], verbose=False)


@pytest.mark.parametrize("network", [needs_weights("alexnet"), needs_weights("vgg16")])
def test_lpips_is_the_published_packages(network: Any) -> None:
    reference, loss = published(network), losses.LpipsLoss(network)
    for seed in range(10):
        x, y = images(1, seed, 64).float(), images(1, 100 + seed, 64).float()
        y = torch.lerp(x, y, (seed + 1) / 10)
        assert loss(x, y).item() == pytest.approx(reference(x, y).item(), rel=1e-4)


@pytest.mark.parametrize("network", [needs_weights("alexnet")])
def test_lpips_as_a_loss(network: Any) -> None:
    loss = losses.LpipsLoss(network)
    assert loss.train() is loss and not loss.network.training
    assert not loss.state_dict() and not list(loss.parameters())
    x, y = (images(2, seed, 64).float().requires_grad_() for seed in (1, 2))
    loss(x, y).backward()
    assert y.grad is None
    assert x.grad is not None and x.grad.abs().sum() > 0
    grey = images(1, 3, 64).float()[:, :1]
    assert loss(grey, grey.repeat(1, 3, 1, 1)).item() == pytest.approx(0, abs=1e-6)
    pair = [loss(x[at : at + 1], y[at : at + 1]).item() for at in range(2)]
    assert loss(x, y).item() == pytest.approx(np.mean(pair), rel=1e-4)
