"""CUT and FastCUT against the paper's equations, computed a second time; which layers they compare; who learns."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.conftest import TINY_MODEL, tiny_settings
from translate.checkpoints.format import load_generator
from translate.config import TrainConfig
from translate.errors import UserError
from translate.losses import soften
from translate.models import build_model
from translate.models.cut import CUT
from translate.networks.projection import draw_places
from translate.tracking.history import read_history
from translate.training import trainer
from translate.training.learner import Learner
from translate.training.state import load_newest_state
from translate.training.trainer import train, train_step


def settings(name: str = "cut", **given: Any) -> TrainConfig:
    return TrainConfig.build({"model": {"name": name, **TINY_MODEL, "projection_width": 8, "nce_patches": 20, **given}})


def cut(name: str = "cut", merge: bool = True, **given: Any) -> CUT:
    torch.manual_seed(0)
    model = build_model(settings(name, **given).model, merge).double()
    assert isinstance(model, CUT)
    for weight in model.parameters():  # the first weights make images that are nearly grey
        torch.nn.init.normal_(weight, 0.0, 0.2)
    return model


def batch(count: int = 1, **masks: Tensor) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(2, count, 3, 32, 32, generator=generator, dtype=torch.float64) * 2 - 1
    return {"A": images[0], "B": images[1], **masks}


def gradients_of(model: CUT) -> dict[str, Tensor]:
    return {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


def right_half() -> Tensor:
    mask = torch.zeros(1, 1, 32, 32, dtype=torch.float64)
    mask[..., 16:] = 1
    return mask


def by_hand(model: CUT, source: Tensor, made: Tensor, seed: int, mirrored: bool = False) -> float:
    """PatchNCE of eq. 3 and 4 patch by patch, with plain numbers; places as `model` draws them after this seed."""
    with torch.no_grad():
        keys, queries = model.G.features(source, model.layers), model.G.features(made, model.layers)
        torch.manual_seed(seed)
        places = draw_places(keys, model.config.nce_patches)
        layers = []
        for key, query, chosen, mlp in zip(keys, queries, places, model.F.mlps, strict=True):
            terms = []
            for image in range(len(key)):
                vectors = []
                for feature in (query.flip(3) if mirrored else query, key):
                    rows = [feature[image, :, place // key.shape[3], place % key.shape[3]] for place in chosen.tolist()]
                    projected = [mlp(row) for row in rows]
                    vectors.append([row / row.square().sum().sqrt() for row in projected])
                for own, query_vector in enumerate(vectors[0]):
                    similar = [(query_vector @ key_vector).item() / 0.07 for key_vector in vectors[1]]
                    others = sum(math.exp(value) for place, value in enumerate(similar) if place != own)
                    terms.append(-math.log(math.exp(similar[own]) / (math.exp(similar[own]) + others)))
            layers.append(sum(terms) / len(terms))
    return sum(layers) / len(layers)


@pytest.mark.parametrize("count", [1, 2])
def test_the_losses_of_cut_are_the_papers(count: int) -> None:
    model, real = cut(), batch(count)
    images = model(real)
    torch.testing.assert_close(images["fake_B"], model.G(real["A"]))
    torch.testing.assert_close(images["idt_B"], model.G(real["B"]))
    torch.manual_seed(5)
    total, losses = model.losses("generators", images)
    assert list(losses) == ["G_GAN", "NCE", "NCE_Y"]
    torch.testing.assert_close(losses["G_GAN"], (model.D[0](images["fake_B"]) - 1).square().mean())
    torch.testing.assert_close(total, losses["G_GAN"] + (losses["NCE"] + losses["NCE_Y"]) / 2)
    assert losses["NCE"].item() == pytest.approx(by_hand(model, real["A"], images["fake_B"], 5), rel=1e-6)

    total, losses = model.losses("discriminators", images)
    torch.testing.assert_close(losses["D_real"], (model.D[0](real["B"]) - 1).square().mean())
    torch.testing.assert_close(losses["D_fake"], model.D[0](images["fake_B"]).square().mean())
    torch.testing.assert_close(total, (losses["D_real"] + losses["D_fake"]) / 2)


def test_pictures_that_are_of_b_already_are_compared_with_themselves() -> None:
    model, real = cut(lambda_NCE=0.5), batch()
    images = model(real)
    images["real_A"], images["fake_B"] = images["real_B"], images["idt_B"]
    torch.manual_seed(5)
    _, losses = model.losses("generators", images)
    assert losses["NCE"].item() == pytest.approx(0.5 * by_hand(model, real["B"], images["idt_B"], 5), rel=1e-6)
    torch.manual_seed(5)
    images["real_A"] = -images["real_A"]
    places = draw_places(model.G.features(real["B"], model.layers), 20)  # those of NCE; NCE_Y's come after them
    assert len(places) == len(model.layers)
    seed = torch.random.get_rng_state()
    expected = _seeded(model, real["B"], images["idt_B"], seed)
    torch.manual_seed(5)
    assert model.losses("generators", images)[1]["NCE_Y"].item() == pytest.approx(0.5 * expected, rel=1e-6)


def _seeded(model: CUT, source: Tensor, made: Tensor, state: Tensor) -> float:
    """`by_hand` with the places that are drawn from a state of torch's generator."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "manual_seed", lambda seed: torch.random.set_rng_state(state))
        return by_hand(model, source, made, 0)


def test_the_losses_of_fastcut_are_the_papers() -> None:
    model, real = cut("fastcut", flip_equivariance=False), batch()
    images = model(real)
    assert "idt_B" not in images
    torch.manual_seed(5)
    total, losses = model.losses("generators", images)
    assert list(losses) == ["G_GAN", "NCE"]
    assert losses["NCE"].item() == pytest.approx(10 * by_hand(model, real["A"], images["fake_B"], 5), rel=1e-6)
    torch.testing.assert_close(total, losses["G_GAN"] + losses["NCE"])


def test_half_of_the_steps_mirror_what_goes_in_and_the_features_that_come_out() -> None:
    model, real = cut("fastcut"), batch()
    seen = []
    for seed in range(12):
        torch.manual_seed(seed)
        images = model(real)
        seen.append("flipped" in images)
        fake = model.G(real["A"].flip(3)) if seen[-1] else model.G(real["A"])
        torch.testing.assert_close(images["fake_B"], fake)
        torch.manual_seed(5)
        _, losses = model.losses("generators", images)
        expected = by_hand(model, real["A"], fake, 5, mirrored=seen[-1])
        assert losses["NCE"].item() == pytest.approx(10 * expected, rel=1e-6)
    assert 2 < sum(seen) < 10


def test_masks_follow_a_mirrored_translation() -> None:
    mask = right_half()
    model = cut("fastcut", lambda_outside=3.0, discriminators=[{**TINY_MODEL["discriminator"], "sees": "composite"}])
    real = batch(mask_A=mask, mask_B=mask)
    soft = soften(mask)
    mirrored = set()
    for seed in range(12):
        torch.manual_seed(seed)
        images = model(real)
        _, losses = model.losses("generators", images)
        made = images["fake_B"].flip(3) if "flipped" in images else images["fake_B"]
        torch.testing.assert_close(losses["outside_A"], 3 * ((made - real["A"]).abs() * (1 - soft)).mean())
        shown = made * soft + real["A"] * (1 - soft)
        shown = shown.flip(3) if "flipped" in images else shown
        torch.testing.assert_close(losses["G_GAN"], (model.D[0](shown) - 1).square().mean())
        mirrored.add("flipped" in images)
    assert mirrored == {True, False}


def test_an_object_is_judged_alone() -> None:
    mask = right_half()
    model = cut(discriminators=[{**TINY_MODEL["discriminator"], "sees": "object"}])
    images = model(batch(mask_A=mask, mask_B=mask))
    _, losses = model.losses("discriminators", images)
    torch.testing.assert_close(losses["D_real"], (model.D[0](images["real_B"] * soften(mask)) - 1).square().mean())


def test_f_learns_with_g_and_d_does_not() -> None:
    model = cut()
    players = {player.name: set(player.networks) for player in model.players}
    assert players == {"discriminators": {"D"}, "generators": {"G", "F"}}
    assert model.generators == {"a2b": model.G}
    images = model(batch())
    model.losses("discriminators", images)[0].backward()
    assert all(weight.grad is None for network in (model.G, model.F) for weight in network.parameters())
    model.D.requires_grad_(False)
    model.losses("generators", images)[0].backward()
    learning = {name for name, gradient in gradients_of(model).items() if gradient.abs().sum() > 0}
    assert {
        name for name, _ in model.named_parameters() if name.startswith("F.") and name.endswith("weight")
    } <= learning
    assert "G.stem.conv.weight" in learning


def test_keys_send_no_gradient() -> None:
    """Eq. 3: v⁺ and v⁻ are constants. With the translation cut off, PatchNCE alone gives G nothing to learn from A."""
    model = cut("fastcut", lambda_GAN=0.0, flip_equivariance=False)
    images = {**model(batch()), "real_A": batch()["A"].requires_grad_()}
    model.losses("generators", images)[0].backward()
    assert images["real_A"].grad is None


def test_half_precision_leaves_no_gradient_out() -> None:
    gradients = []
    for enabled in (False, True):
        model = cut("fastcut", flip_equivariance=False).float()
        real = {name: image.float() for name, image in batch().items()}
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            images = model(real)
            torch.manual_seed(5)
            total, _ = model.losses("generators", images)
        total.backward()
        gradients.append(gradients_of(model))
    assert gradients[0].keys() == gradients[1].keys()
    for name, exact in gradients[0].items():
        if name.startswith("F.") and name.endswith("weight"):
            similarity = torch.cosine_similarity(exact.flatten(), gradients[1][name].flatten(), dim=0)
            assert similarity > 0.9, name


def test_merged_passes_give_the_same_losses_and_gradients() -> None:
    results = []
    for merge in (True, False):
        model = cut(merge=merge)
        images = model(batch())
        torch.manual_seed(5)
        found: dict[str, Tensor] = {}
        for player in ("discriminators", "generators"):
            total, losses = model.losses(player, images)
            total.backward()
            found |= losses
        results.append(found | gradients_of(model))
    for name, value in results[0].items():
        torch.testing.assert_close(value, results[1][name], msg=name, rtol=1e-9, atol=1e-12)


def test_the_projection_begins_as_the_generator_does() -> None:
    torch.manual_seed(0)
    model = build_model(TrainConfig.build({"model": {"name": "cut", **TINY_MODEL}}).model)
    assert model.config.generator.init == model.config.discriminators[0].init == "xavier"
    last = model.F.mlps[0][2].weight
    assert last.std().item() == pytest.approx(0.02 * math.sqrt(2 / (256 + 256)), rel=0.02)
    assert not model.F.mlps[0][2].bias.any()


# ------------------------------------------------------------------------------------------------------------- layers


def layers(**given: Any) -> list[str]:
    return list(build_model(settings(**given).model).layers)


def test_layers_are_given_by_number_or_by_name() -> None:
    assert layers(nce_layers=[0, "blocks.0", 7]) == ["image", "blocks.0", "down.1.conv"]


def test_the_papers_layers_are_compared_where_they_are() -> None:
    paper = ["image", "down.0.conv", "down.1.conv", "blocks.0", "blocks.4"]
    assert layers(generator={"width": 4, "blocks": 6}) == paper
    assert layers(generator={"width": 4, "blocks": 2}) == paper[:4]
    assert layers(generator={"width": 4, "blocks": 0}) == paper[:3]


def test_of_a_unet_the_first_levels_are_compared() -> None:
    unet = {"architecture": "unet", "width": 4, "size": 64}
    assert layers(generator=unet) == ["image", *(f"down.{level}.norm" for level in range(4))]
    model = cut(generator=unet)
    _, losses = model.losses("generators", model({name: torch.cat([image] * 2, 3) for name, image in wide().items()}))
    assert all(torch.isfinite(loss) for loss in losses.values())


def wide() -> dict[str, Tensor]:
    """A batch of 64 × 32 pixels."""
    return {name: torch.cat([image] * 2, 2) for name, image in batch().items()}


@pytest.mark.parametrize(("wrong", "reason"), [("blocks.7", "no feature layer blocks.7"), (99, "no feature layer 99")])
def test_a_wrong_layer_is_named_in_a_sentence(wrong: str | int, reason: str) -> None:
    with pytest.raises(UserError, match=rf"model.nce_layers: a ResNetGenerator has {reason}; there are: 0 image, .*\."):
        layers(nce_layers=[0, wrong])


def test_what_it_cannot_do_is_said() -> None:
    with pytest.raises(UserError, match="as many channels in A as in B"):
        settings(generator={"in_channels": 1})
    with pytest.raises(UserError, match="lambda_perceptual compares reconstructions"):
        settings(lambda_perceptual=1.0)


# --------------------------------------------------------------------------------------------------------------- a run


def tree(root: Path, run: Path, name: str) -> dict[str, Any]:
    made = tiny_settings(name, root, run, run__steps=8, run__save_every=3)
    made["model"] |= {"projection_width": 8, "nce_patches": 20}
    return made


@pytest.mark.parametrize("name", ["cut", "fastcut"])
def test_killed_and_resumed_is_the_run_never_stopped(name: str, unpaired: Path, tmp_path: Path) -> None:
    whole = train(TrainConfig.build(tree(unpaired, tmp_path / "whole", name)))
    original = trainer.train_step

    class Interrupted(Exception):
        pass

    def die(learner: Any, shown: Any, step: int, lr_factor: float = 1.0) -> Any:
        if step == 4:
            raise Interrupted
        return original(learner, shown, step, lr_factor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "train_step", die)
        with pytest.raises(Interrupted):
            train(TrainConfig.build(tree(unpaired, tmp_path / "parts", name)))
    train(TrainConfig.build(tree(unpaired, tmp_path / "parts", name)), resume=True)

    rows = [
        [{key: row[key] for key in row if key[:2] in ("G_", "D_", "NC")} for row in read_history(run / "history.jsonl")]
        for run in (whole, tmp_path / "parts")
    ]
    assert len(rows[0]) == 8 and {"NCE", "G_GAN", "D_real", "D_fake", "G_total"} <= rows[0][0].keys()
    assert rows[0] == rows[1]
    states = [load_newest_state(run / "state") for run in (whole, tmp_path / "parts")]
    assert states[0] is not None and states[1] is not None
    assert states[0].tensors.keys() == states[1].tensors.keys()
    assert all(torch.equal(value, states[1].tensors[key]) for key, value in states[0].tensors.items())


def test_f_is_in_the_state_but_neither_averaged_nor_in_the_checkpoint(unpaired: Path, tmp_path: Path) -> None:
    run = train(TrainConfig.build(tree(unpaired, tmp_path / "run", "cut")))
    state = load_newest_state(run / "state")
    assert state is not None
    projection = {key for key in state.tensors if key.startswith("model.F.mlps.")}
    assert len(projection) == 4 * 4  # two linear layers for each of four
    assert not [key for key in state.tensors if key.startswith("ema.") and "mlps" in key]
    checkpoint = run / "checkpoints" / "step-00000008"
    assert [file.name for file in checkpoint.glob("*.safetensors")] == ["a2b.safetensors"]
    assert not [key for key in load_generator(checkpoint, "a2b").state_dict() if "mlps" in key]


def test_a_step_moves_every_network() -> None:
    learner = Learner(settings(), torch.device("cpu"), torch.float32, torch.contiguous_format)
    before = {key: value.clone() for key, value in learner.state_dict().items() if key.endswith("weight")}
    shown = {name: image.float() for name, image in batch().items()}
    assert set(train_step(learner, shown, 0)) == {"D_real", "D_fake", "G_GAN", "NCE", "NCE_Y", "G_total"}
    after = learner.state_dict()
    assert {"model.F.mlps.0.0.weight", "model.G.stem.conv.weight", "model.D.0.head.weight"} <= before.keys()
    assert not [key for key, value in before.items() if key.startswith("model.") and torch.equal(value, after[key])]
