"""What discriminators see, how several are summed, and that their translations of before keep their own masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.conftest import tiny_settings
from tests.models.batches import ALL_MODELS, PATCH, make, masked_batch
from translate.config import TrainConfig
from translate.errors import UserError
from translate.losses import soften
from translate.models import discriminators
from translate.models.discriminators import View
from translate.networks.diff_augment import diff_augment
from translate.training.learner import Learner

PROJECTED: dict[str, Any] = {"kind": "projected", "features": "tiny", "strides": [2, 4], "width": 4}


def lsgan(logits: Tensor, target: float) -> Tensor:
    return (logits - target).square().mean()


@pytest.mark.parametrize("sees", ["image", "composite", "object"])
def test_views_by_hand(sees: str) -> None:
    image, behind = torch.full((1, 1, 1, 3), 0.8), torch.full((1, 1, 1, 3), -0.4)
    mask = torch.tensor([0.0, 0.25, 1.0]).view(1, 1, 1, 3)
    translated = View(image, mask, behind).seen(sees).flatten().tolist()
    wanted = {"image": [0.8, 0.8, 0.8], "composite": [-0.4, 0.2 - 0.3, 0.8], "object": [0.0, 0.2, 0.8]}
    assert translated == pytest.approx(wanted[sees])
    real = View(image, mask).seen(sees).flatten().tolist()
    assert real == pytest.approx(wanted["object"] if sees == "object" else wanted["image"])
    assert View(image, None, behind).seen(sees) is image


@pytest.mark.parametrize("sees", ["image", "composite", "object"])
@pytest.mark.parametrize("name", ALL_MODELS)
def test_each_model_shows_its_discriminators_that_view(name: str, sees: str) -> None:
    model = make(name, objective="lsgan", discriminator=PATCH | {"sees": sees, "norm": "none"})
    batch = masked_batch()
    images = model(batch)
    generators = model.losses("generators", images)[1]
    judged = model.losses("discriminators", images)[1]
    for target, source, D in (("B", "A", "D_A"), ("A", "B", "D_B")) if name == "cyclegan" else (("B", "A", "D"),):
        soft = {"A": soften(batch["mask_A"]), "B": soften(batch["mask_B"])}
        fake, behind, real = images[f"fake_{target}"], batch[source], batch[target]
        if "flipped" in images:
            fake, behind, soft[source] = fake, behind.flip(3), soft[source].flip(3)
        shown = {
            "image": (fake, real),
            "composite": (fake * soft[source] + behind * (1 - soft[source]), real),
            "object": (fake * soft[source], real * soft[target]),
        }[sees]
        if name == "pix2pix":
            shown = torch.cat((batch["A"], shown[0]), 1), torch.cat((batch["A"], shown[1]), 1)
        network = getattr(model, D)[0]
        on_fake, on_real = network(shown[0]), network(shown[1])
        if name == "cyclegan":
            torch.testing.assert_close(generators["G_A" if D == "D_A" else "G_B"], lsgan(on_fake, 1))
            torch.testing.assert_close(judged[D], (lsgan(on_fake, 0) + lsgan(on_real, 1)) / 2)
        else:
            torch.testing.assert_close(generators["G_GAN"], lsgan(on_fake, 1))
            torch.testing.assert_close(judged["D_fake"], lsgan(on_fake, 0))
            torch.testing.assert_close(judged["D_real"], lsgan(on_real, 1))


def test_past_translations_keep_their_own_mask_and_background() -> None:
    tree = tiny_settings("cyclegan", Path(), Path())
    tree["model"] |= {"pool_size": 2, "discriminator": PATCH | {"sees": "composite"}}
    learner = Learner(TrainConfig.build(tree), torch.device("cpu"), torch.float32, torch.channels_last)
    past: dict[float, tuple[Tensor, Tensor]] = {}
    exchanged = 0
    for step in range(30):
        # Each translation is of one colour that no other has, so that it is recognised when it comes back.
        colour = step / 100
        made = {f"fake_{domain}": torch.full((1, 3, 8, 8), colour) for domain in "AB"}
        generator = torch.Generator().manual_seed(step)
        for domain in "AB":
            made[f"soft_{domain}"] = torch.rand(1, 1, 8, 8, generator=generator)
        made["soft_of_fake_B"] = made["soft_A"]
        made["soft_of_fake_A"] = made["soft_B"]
        made |= {f"behind_fake_{domain}": torch.rand(1, 3, 8, 8, generator=generator) for domain in "AB"}
        past[round(colour, 2)] = (made["soft_A"], made["behind_fake_B"])
        seen = learner.through_pools(made, step)
        found = round(seen["fake_B"].mean().item(), 2)
        exchanged += found != round(colour, 2)
        soft, behind = past[found]
        assert torch.equal(seen["soft_of_fake_B"], soft)
        assert torch.equal(seen["behind_fake_B"], behind)
        assert torch.equal(seen["soft_B"], made["soft_B"])  # of the real image, which is always the newest
    assert exchanged > 5


@pytest.mark.parametrize("name", ALL_MODELS)
def test_several_discriminators_are_summed_with_their_weights_and_objectives(name: str) -> None:
    listed = [
        PATCH | {"norm": "none", "weight": 2.0},
        {"kind": "pixel", "width": 4, "norm": "none", "objective": "hinge", "weight": 0.5},
    ]
    model = make(name, objective="lsgan", discriminators=listed)
    images = model({key: image for key, image in masked_batch().items() if key in "AB"})
    D, fake, real = (model.D_A if name == "cyclegan" else model.D), images["fake_B"], images["real_B"]
    if name == "pix2pix":
        fake, real = (torch.cat((images["real_A"], image), 1) for image in (fake, real))
    generators, judged = model.losses("generators", images)[1], model.losses("discriminators", images)[1]
    adversarial = 2 * lsgan(D[0](fake), 1) + 0.5 * -D[1](fake).mean()
    torch.testing.assert_close(generators["G_A" if name == "cyclegan" else "G_GAN"], adversarial)
    on_real = lsgan(D[0](real), 1) + F.relu(1 - D[1](real)).mean()
    on_fake = lsgan(D[0](fake), 0) + F.relu(1 + D[1](fake)).mean()
    if name == "cyclegan":
        torch.testing.assert_close(judged["D_A"], (on_real + on_fake) / 2)
    else:
        torch.testing.assert_close(judged["D_real"], on_real)
        torch.testing.assert_close(judged["D_fake"], on_fake)


def test_scales_are_averaged() -> None:
    model = make("cyclegan", discriminators=[PATCH | {"kind": "multiscale", "scales": 3, "norm": "none"}])
    images = model(masked_batch())
    scales = model.D_A[0](images["fake_B"])
    assert len({scale.shape for scale in scales}) == len(scales) == 3
    image, wanted = images["fake_B"], []
    for discriminator in model.D_A[0].scales:
        wanted.append(lsgan(discriminator(image), 1))
        image = F.avg_pool2d(image, 3, 2, 1, count_include_pad=False)
    torch.testing.assert_close(model.losses("generators", images)[1]["G_A"], torch.stack(wanted).mean())


@pytest.mark.parametrize("name", ALL_MODELS)
def test_diff_augment_inside_of_a_step(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every image that a discriminator sees goes through it, with gradients, and a condition in the same way."""
    calls: list[list[Tensor]] = []

    def spy(tensors: list[Tensor], policy: Any) -> list[Tensor]:
        assert list(policy) == ["color", "cutout"]
        made = diff_augment(tensors, policy)
        calls.append([*tensors, *made])
        return made

    monkeypatch.setattr(discriminators, "diff_augment", spy)
    model = make(name, diff_augment=["color", "cutout"])
    images = model(masked_batch())
    total = model.losses("generators", images)[0]
    total.backward()
    directions = 2 if name == "cyclegan" else 1
    assert len(calls) == directions
    assert all(weight.grad is not None for network in model.generators.values() for weight in network.parameters())
    model.losses("discriminators", images)
    assert len(calls) == 3 * directions
    if name == "pix2pix":
        for condition, image, condition_after, image_after in calls:
            assert condition.shape == image.shape
            assert torch.equal(condition_after == 0, image_after == 0)  # one square is cut out of both
    assert all(not torch.equal(before[0], before[len(before) // 2]) for before in calls)


def test_a_projected_discriminator_sees_the_image_without_its_condition() -> None:
    model = make("pix2pix", discriminators=[PROJECTED])
    images = model(masked_batch())
    model.D[0].eval()  # no power iteration between the two passes
    scales = model.D[0](images["fake_B"])
    wanted = torch.stack([-scale.mean() for scale in scales]).mean()
    torch.testing.assert_close(model.losses("generators", images)[1]["G_GAN"], wanted)


def test_a_projected_discriminator_trains_its_heads_alone() -> None:
    model = make("cyclegan", discriminators=[PROJECTED])
    assert all(name.startswith("heads.") for name in model.D_A[0].state_dict())
    before = {name: tensor.clone() for name, tensor in model.D_A[0].features.backbone.state_dict().items()}
    total, _ = model.losses("discriminators", model(masked_batch()))
    total.backward()
    assert all(weight.grad is not None for weight in model.D_A.parameters())
    assert before.keys()
    after = model.D_A[0].features.backbone
    assert all(torch.equal(tensor, before[name]) for name, tensor in after.state_dict().items())
    assert all(weight.grad is None for weight in after.parameters())


def test_states_of_one_discriminator_load() -> None:
    """As they were named when a domain had one discriminator: `head.bias`, now `0.head.bias`."""
    old, new = make("cyclegan"), make("cyclegan")
    torch.nn.init.constant_(old.D_A[0].head.bias, 0.5)
    state = {name.removeprefix("0."): tensor for name, tensor in old.D_A.state_dict().items()}
    assert not [name for name in state if name.startswith("0.")]
    new.D_A.load_state_dict(state, strict=True)
    assert all(torch.equal(one, other) for one, other in zip(new.D_A.parameters(), old.D_A.parameters(), strict=True))
    whole = {name.replace("D_A.0.", "D_A.").replace("D_B.0.", "D_B."): t for name, t in old.state_dict().items()}
    new.load_state_dict(whole, strict=True)
    with pytest.raises(RuntimeError, match="Missing key"):
        make("cyclegan", discriminators=[PATCH, PATCH]).D_A.load_state_dict(state, strict=True)


def test_an_unknown_feature_network_is_an_error_when_the_model_is_made() -> None:
    with pytest.raises(UserError, match="no feature network"):
        make("cyclegan", discriminators=[PROJECTED | {"features": "no_such_network"}])
