"""The terms that every model can have beside its own, each against its equation written out here."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.models.batches import ALL_MODELS, make, masked_batch
from tests.tiny_features import load
from translate.errors import UserError
from translate.models import model_terms

FORTH, BACK = ("A", "B"), ("B", "A")
WAYS = {"pix2pix": [FORTH], "cut": [FORTH], "fastcut": [FORTH], "cyclegan": [FORTH, BACK]}


def softened(mask: Tensor) -> Tensor:
    """Grown by three pixels, then averaged over 5×5."""
    padded = F.pad(mask, [3] * 4)
    grown = torch.stack([padded[..., y : y + 32, x : x + 32] for y in range(7) for x in range(7)]).amax(0)
    counts = F.conv2d(torch.ones_like(mask), torch.ones(1, 1, 5, 5), padding=2)
    return F.conv2d(grown, torch.ones(1, 1, 5, 5), padding=2) / counts


def unmirrored(images: dict[str, Tensor], name: str) -> Tensor:
    return images[name].flip(3) if "flipped" in images else images[name]


@pytest.mark.parametrize("name", ALL_MODELS)
def test_change_outside_of_masks(name: str) -> None:
    model, batch = make(name, lambda_outside=3.0), masked_batch()
    images = model(batch)
    total, losses = model.losses("generators", images)
    for source, target in WAYS[name]:
        outside = 1 - softened(batch[f"mask_{source}"])
        wanted = 3 * ((unmirrored(images, f"fake_{target}") - batch[source]).abs() * outside).mean()
        torch.testing.assert_close(losses[f"outside_{source}"], wanted)
    without = make(name)
    torch.manual_seed(0)
    mirrored = "flipped" in images
    assert sum(term.startswith("outside") for term in losses) == len(WAYS[name])
    assert not [term for term in without.losses("generators", without(batch))[1] if term.startswith("outside")]
    parts = sum(loss for key, loss in losses.items() if not key.startswith("NCE"))
    if not name.endswith("cut"):
        torch.testing.assert_close(total, parts)
    else:
        contrast = torch.stack([loss for key, loss in losses.items() if key.startswith("NCE")]).mean()
        torch.testing.assert_close(total, parts + contrast, msg=f"mirrored: {mirrored}")


@pytest.mark.parametrize("name", ALL_MODELS)
def test_nothing_is_asked_outside_where_there_are_no_masks(name: str) -> None:
    model = make(name, lambda_outside=3.0)
    images = {key: image for key, image in masked_batch().items() if key in "AB"}
    assert not [term for term in model.losses("generators", model(images))[1] if term.startswith("outside")]


@pytest.mark.parametrize("name", ALL_MODELS)
def test_content_is_the_distance_of_features(name: str) -> None:
    model, batch = make(name, lambda_content=2.0, content_features="tiny"), masked_batch()
    images = model(batch)
    losses = model.losses("generators", images)[1]
    network = load()
    for source, target in WAYS[name]:
        (made,), (given,) = network(unmirrored(images, f"fake_{target}"), [4]), network(batch[source], [4])
        torch.testing.assert_close(losses[f"content_{source}"], 2 * (made - given).square().mean())


@pytest.mark.parametrize("statistics", ["gram", "moments"])
@pytest.mark.parametrize("name", ALL_MODELS)
def test_style_is_the_distance_of_statistics(name: str, statistics: str) -> None:
    settings = {"lambda_style": 2.0, "style_features": "tiny", "style_strides": [2, 4], "style_statistics": statistics}
    model, batch = make(name, **settings), masked_batch()
    images = model(batch)
    losses = model.losses("generators", images)[1]
    network = load()
    for _, target in WAYS[name]:
        wanted = torch.zeros(())
        pairs = zip(network(unmirrored(images, f"fake_{target}"), [2, 4]), network(batch[target], [2, 4]), strict=True)
        for made, given in pairs:
            count, channels, height, width = made.shape
            if statistics == "gram":
                flat = made.reshape(count, channels, -1), given.reshape(count, channels, -1)
                grams = [torch.einsum("ncp,ndp->ncd", one, one) / (channels * height * width) for one in flat]
                wanted = wanted + (grams[0] - grams[1].mean(0)).square().sum((1, 2)).mean()
            else:
                for of in (lambda maps: maps.mean((2, 3)), lambda maps: (maps.var((2, 3), correction=0) + 1e-5).sqrt()):
                    wanted = wanted + (of(made) - of(given).mean(0)).square().mean()
        torch.testing.assert_close(losses[f"style_{target}"], 2 * wanted)


def test_style_of_one_domain() -> None:
    model = make("cyclegan", lambda_style=1.0, style_features="tiny", style_strides=[2], style_of=["B"])
    losses = model.losses("generators", model(masked_batch()))[1]
    assert [name for name in losses if name.startswith("style")] == ["style_B"]


@pytest.mark.parametrize("inside", [0.0, 0.25, 2.0])
def test_the_cycle_weighs_less_inside(inside: float) -> None:
    model, batch = make("cyclegan", cycle_inside=inside, lambda_A=7.0, lambda_B=5.0), masked_batch()
    images = model(batch)
    losses = model.losses("generators", images)[1]
    for domain, weight in (("A", 7.0), ("B", 5.0)):
        soft = softened(batch[f"mask_{domain}"])
        by_place = inside * soft + 1 - soft
        wanted = weight * ((images[f"rec_{domain}"] - batch[domain]).abs() * by_place).mean()
        torch.testing.assert_close(losses[f"cycle_{domain}"], wanted)


@pytest.mark.parametrize("name", ALL_MODELS)
def test_every_term_that_is_announced_is_there(name: str) -> None:
    settings = {"lambda_outside": 1.0, "lambda_content": 1.0, "lambda_style": 1.0, "content_features": "tiny"}
    settings |= {"style_features": "tiny", "style_strides": [2], "lambda_r1": 1.0, "objective": "wgan_gp"}
    model = make(name, **settings)
    images = model(masked_batch())
    found = {term for player in ("generators", "discriminators") for term in model.losses(player, images)[1]}
    assert found | {"G_total"} == {term.name for term in model_terms(model.config)}


def test_no_penalty_is_announced_where_no_discriminator_has_one() -> None:
    projected = {"kind": "projected", "features": "tiny", "strides": [2], "width": 4}
    model = make("cyclegan", discriminators=[projected], lambda_r1=1.0)
    assert not [term.name for term in model_terms(model.config) if term.name.endswith("_r1")]
    assert set(model.losses("discriminators", model(masked_batch()))[1]) == {"D_A", "D_B"}


@pytest.mark.parametrize("name", ALL_MODELS)
def test_networks_of_terms_are_neither_trained_nor_saved(name: str) -> None:
    plain = make(name)
    model = make(name, lambda_content=1.0, content_features="tiny")
    assert model.state_dict().keys() == plain.state_dict().keys()
    assert model.Config is plain.Config
    assert type(model).features(model.config) == ["tiny"]


def test_weights_of_vgg_are_given_to_vgg_alone() -> None:
    """`tiny` is loaded although the file of VGG's weights does not exist; VGG is not."""
    make("cyclegan", lambda_style=1.0, style_features="tiny", style_strides=[2], perceptual_weights="missing.pth")
    with pytest.raises(UserError, match=r"missing\.pth"):
        make("cyclegan", lambda_content=1.0, perceptual_weights="missing.pth")
