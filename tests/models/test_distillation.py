"""Distillation: the losses against their equations, and that the teacher stays what it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.models.batches import make, masked_batch
from tests.tiny_features import load
from translate.errors import UserError
from translate.losses import soften
from translate.models import build_model, model_names, model_terms, teachers
from translate.models.distillation import Distillation
from translate.models.teachers import register_teachers
from translate.networks import build_generator, generator_config


@pytest.fixture(autouse=True)
def teacher() -> Iterator[nn.Module]:
    """What every checkpoint's name opens here: another kind of generator than the student's."""
    torch.manual_seed(5)
    network = build_generator(generator_config("unet", width=4, size=32, dropout=False, norm="none", init_gain=0.3))

    def open_it(checkpoint: str, direction: str) -> nn.Module:
        if checkpoint != "large":
            raise UserError(f"There is no checkpoint {checkpoint}.")
        return network.eval()

    register_teachers(open_it)
    yield network
    teachers._loaders.pop()


def student(**settings: Any) -> Distillation:
    model = make("distillation", teacher="large", **settings)
    assert isinstance(model, Distillation)
    return model


def test_the_losses_are_distances_to_the_teacher(teacher: nn.Module) -> None:
    weights = {"lambda_GAN": 2.0, "lambda_pixel": 3.0, "lambda_feature": 0.5}
    model = student(**weights, feature_network="tiny", feature_strides=[2, 4])
    batch = masked_batch()
    images = model(batch)
    taught = teacher(batch["A"])
    torch.testing.assert_close(images["fake_B"], model.G(batch["A"]))
    total, losses = model.losses("generators", images)
    distance = torch.zeros(())
    for mine, theirs in zip(load()(images["fake_B"], [2, 4]), load()(taught, [2, 4]), strict=True):
        distance = distance + (mine - theirs).square().mean()
    wanted = {
        "G_GAN": 2 * (model.D[0](images["fake_B"]) - 1).square().mean(),
        "G_pixel": 3 * (images["fake_B"] - taught).abs().mean(),
        "G_feature": 0.5 * distance,
    }
    assert losses.keys() == wanted.keys()
    for name, loss in wanted.items():
        torch.testing.assert_close(losses[name], loss, msg=name)
    torch.testing.assert_close(total, torch.stack(list(wanted.values())).sum())
    total, losses = model.losses("discriminators", images)
    torch.testing.assert_close(losses["D_real"], (model.D[0](batch["B"]) - 1).square().mean())
    torch.testing.assert_close(losses["D_fake"], model.D[0](images["fake_B"]).square().mean())
    torch.testing.assert_close(total, (losses["D_real"] + losses["D_fake"]) / 2)


def test_with_masks_the_teacher_may_be_imitated_inside_alone(teacher: nn.Module) -> None:
    batch = masked_batch()
    for inside in (True, False):
        model = student(teacher_inside=inside)
        soft = soften(batch["mask_A"]) if inside else torch.ones(1)
        aim: Tensor = teacher(batch["A"]) * soft + batch["A"] * (1 - soft)
        torch.testing.assert_close(model(batch)["taught_B"], aim)
    unmasked = {name: image for name, image in batch.items() if name in "AB"}
    torch.testing.assert_close(student(teacher_inside=True)(unmasked)["taught_B"], teacher(batch["A"]))


def test_the_teacher_is_neither_trained_nor_saved(teacher: nn.Module) -> None:
    model = student()
    assert {name.split(".")[0] for name in model.state_dict()} == {"G", "D"}
    model.train()
    assert not teacher.training
    before = [weight.clone() for weight in teacher.parameters()]
    model.losses("generators", model(masked_batch()))[0].backward()
    assert all(weight.grad is None for weight in teacher.parameters())
    assert all(torch.equal(one, other) for one, other in zip(before, teacher.parameters(), strict=True))
    assert all(weight.grad is not None for weight in model.G.parameters())
    model.double()
    assert next(teacher.parameters()).dtype == torch.float64


def test_terms_and_networks_are_announced() -> None:
    model = student(lambda_feature=1.0, feature_network="tiny", lambda_outside=1.0)
    images = model(masked_batch())
    found = {term for player in ("generators", "discriminators") for term in model.losses(player, images)[1]}
    assert found | {"G_total"} == {term.name for term in model_terms(model.config)}
    assert Distillation.features(model.config) == ["tiny"]
    assert Distillation.teachers(model.config) == [("large", "a2b")]
    assert "distillation" in model_names()


def test_what_cannot_be_imitated_is_a_sentence() -> None:
    with pytest.raises(UserError, match=r"--model\.teacher"):
        make("distillation")
    with pytest.raises(UserError, match="no checkpoint small"):
        make("distillation", teacher="small")
    with pytest.raises(UserError, match="channels"):
        make("distillation", teacher="large", teacher_inside=True, generator={"width": 4, "out_channels": 1})
    grey = student(generator={"width": 4, "blocks": 1, "out_channels": 1})
    with pytest.raises(UserError, match="makes images of 3 channels"):
        grey(masked_batch())


def test_shapes_alone_are_computed_on_the_meta_device(teacher: nn.Module) -> None:
    config = student().config
    with torch.device("meta"):
        model = build_model(config)
        images = model({name: torch.empty(1, 3, 32, 32) for name in "AB"})
    assert images["taught_B"].is_meta
