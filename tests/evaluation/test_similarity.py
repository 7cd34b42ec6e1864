"""SSIM, PSNR, L1 and LPIPS of pictures whose difference is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.models

from tests.conftest import picture
from translate.errors import UserError
from translate.evaluation.similarity import LPIPS, PSNR_TOP, change, l1, psnr, ssim, structure_distance
from translate.features import Backbone, FeatureNetwork, lpips


def pixels(seed: int) -> np.ndarray:
    return np.asarray(picture(seed))


def noisy(image: np.ndarray, amount: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, amount, image.shape)
    return (image + noise).clip(0, 255).astype(np.uint8)


def test_identical_pictures() -> None:
    images = [pixels(1), pixels(2)]
    assert ssim(images, images) == pytest.approx([1, 1])
    assert psnr(images, images) == [PSNR_TOP, PSNR_TOP]
    assert l1(images, images) == [0, 0]


def test_a_known_difference() -> None:
    dark, light = np.full((16, 16, 3), 100, np.uint8), np.full((16, 16, 3), 151, np.uint8)
    assert l1([dark], [light]) == pytest.approx([51 / 255])
    assert psnr([dark], [light]) == pytest.approx([20 * np.log10(255 / 51)], rel=1e-5)


def test_ssim_is_the_formula_where_nothing_varies() -> None:
    """Wang et al. 2004, eq. 6, with zero variances: (2 μx μy + C1) / (μx² + μy² + C1)."""
    dark, light = np.full((24, 24, 1), 51, np.uint8), np.full((24, 24, 1), 153, np.uint8)
    expected = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    assert ssim([dark], [light]) == pytest.approx([expected], rel=1e-3)


def test_each_picture_has_its_own_value_and_noise_makes_it_worse() -> None:
    image = pixels(3)
    worse = [noisy(image, amount) for amount in (0, 8, 40)]
    assert ssim(worse, [image] * 3) == sorted(ssim(worse, [image] * 3), reverse=True)
    assert psnr(worse, [image] * 3) == sorted(psnr(worse, [image] * 3), reverse=True)
    assert l1(worse, [image] * 3) == sorted(l1(worse, [image] * 3))


def test_sixteen_bits_count_as_eight() -> None:
    one, other = pixels(4), noisy(pixels(4), 20)
    deep = [image.astype(np.uint16) * 257 for image in (one, other)]
    for metric in (ssim, psnr, l1):
        assert metric([deep[0]], [deep[1]]) == pytest.approx(metric([one], [other]), rel=1e-4)


def test_pictures_too_small_for_ssim_are_named() -> None:
    with pytest.raises(UserError, match="at least 11 pixels"):
        ssim([np.zeros((8, 40, 3), np.uint8)], [np.zeros((8, 40, 3), np.uint8)])


def test_lpips_is_zero_for_identical_pictures_and_grows_with_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = torchvision.models.alexnet(weights=None)
    monkeypatch.setattr(torchvision.models, "alexnet", lambda weights: network)
    monkeypatch.setattr(lpips, "published_weights", lambda url, progress: Path(url))
    image = np.asarray(picture(5, (64, 64)))
    values = LPIPS()([noisy(image, amount) for amount in (0, 10, 60)], [image] * 3)
    assert values[0] == pytest.approx(0, abs=1e-6)
    assert values[0] < values[1] < values[2]
    grey = image[:, :, :1]
    assert LPIPS()([grey], [np.repeat(grey, 3, axis=2)]) == pytest.approx([0], abs=1e-6)


def test_without_alexnets_weights_lpips_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str, progress: object) -> Path:
        raise UserError(f"Cannot reach {url}.")

    monkeypatch.setattr(lpips, "published_weights", refuse)
    with pytest.raises(UserError, match=r"AlexNet, which LPIPS needs, cannot be had. Cannot reach .*alexnet"):
        LPIPS()


# ------------------------------------------------------------------------------------------------ changes and structure


def test_changes_inside_and_outside_of_a_mask_by_hand() -> None:
    source = np.full((40, 60, 3), 100, np.uint8)
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 10:20] = 255
    image = source.copy()
    image[10:30, 10:20] += 30  # the object
    image[:, 20:26] = 0  # within six pixels of it: neither
    image[:, 40:50, 0] += 90  # 30 levels in the mean over channels: seen, but not as changed
    image[:10, 50:60] += 41
    found = change(image, source, mask)
    background = 40 * 60 - 32 * 22
    assert found["change_inside"] == pytest.approx(30)
    assert found["change_outside"] == pytest.approx(
        (400 * 30 + 100 * 41 + 14 * 6 * 0 + (40 - 32) * 6 * 100) / background
    )
    assert found["background_changed"] == pytest.approx((100 + 8 * 6) / background)


def test_masks_that_missed_the_object_or_leave_no_background() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    tiny = np.zeros((20, 20), np.uint8)
    tiny[3, 3:10] = 255
    assert change(image, image, tiny) == {}
    assert change(image, image, np.full((20, 20), 255, np.uint8)) == {"change_inside": 0}


def seen_by_pixels() -> FeatureNetwork:
    """A network whose only map is the picture itself."""

    class Pixels(Backbone):
        def __init__(self) -> None:
            super().__init__()
            self.channels = {1: 3}
            self.weight = torch.nn.Parameter(torch.ones(()))

        def maps(self, images: torch.Tensor, strides: object) -> list[torch.Tensor]:
            return [images * self.weight]

    return FeatureNetwork(Pixels(), name="pixels", title="", licence="", source="", size=12)


def test_structure_distance_is_its_equation() -> None:
    one, other = np.asarray(picture(6, (12, 12))), np.asarray(picture(7, (12, 12)))

    def similarities(image: np.ndarray) -> np.ndarray:
        tokens = image.reshape(-1, 3) / 127.5 - 1
        tokens = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
        return np.asarray(tokens @ tokens.T)

    wanted = ((similarities(one) - similarities(other)) ** 2).mean()
    assert structure_distance(seen_by_pixels(), [one, one], [other, one]) == pytest.approx([wanted, 0], rel=1e-4)


def test_structure_does_not_see_colours_exchanged() -> None:
    """Similarities of the parts stay where all parts change in the same way."""
    image = np.asarray(picture(6, (12, 12)))
    assert structure_distance(seen_by_pixels(), [image[:, :, ::-1]], [image])[0] == pytest.approx(0, abs=1e-6)


@pytest.mark.skipif(
    not Path(torch.hub.get_dir(), "checkpoints/alexnet-owt-7be5be79.pth").is_file(), reason="no AlexNet"
)
def test_lpips_is_the_authors_package() -> None:
    package = pytest.importorskip("lpips").LPIPS(net="alex", verbose=False)
    one, other = np.asarray(picture(8, (64, 64))), np.asarray(picture(9, (64, 64)))
    pair = [torch.from_numpy(image.copy()).permute(2, 0, 1)[None] / 127.5 - 1 for image in (one, other)]
    assert LPIPS()([one], [other]) == pytest.approx([package(*pair).item()], rel=1e-4)
