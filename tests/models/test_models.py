"""What the models make of a batch: which images, which losses, with which weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.conftest import TINY_MODEL
from translate.config import TrainConfig
from translate.models import build_model
from translate.models.cyclegan import CycleGAN, CycleGANConfig
from translate.models.pix2pix import Pix2Pix, Pix2PixConfig


def batch(channels: tuple[int, int] = (3, 3), count: int = 1) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        name: torch.rand(count, channel, 32, 32, generator=generator) * 2 - 1
        for name, channel in zip("AB", channels, strict=True)
    }


def cyclegan(**settings: object) -> CycleGAN:
    config = TrainConfig.build({"model": {"name": "cyclegan", **TINY_MODEL, **settings}}).model
    assert isinstance(config, CycleGANConfig)
    torch.manual_seed(0)
    return CycleGAN(config)


def pix2pix(**settings: object) -> Pix2Pix:
    config = TrainConfig.build({"model": {"name": "pix2pix", **TINY_MODEL, **settings}}).model
    assert isinstance(config, Pix2PixConfig)
    torch.manual_seed(0)
    return Pix2Pix(config)


def test_cyclegan_images_come_from_the_right_generators() -> None:
    model, real = cyclegan(), batch()
    images = model(real)
    fake_B, fake_A = model.G_A(real["A"]), model.G_B(real["B"])
    wanted = {
        "fake_B": fake_B,
        "fake_A": fake_A,
        "rec_A": model.G_B(fake_B),
        "rec_B": model.G_A(fake_A),
        "idt_A": model.G_A(real["B"]),
        "idt_B": model.G_B(real["A"]),
    }
    for name, image in wanted.items():
        torch.testing.assert_close(images[name], image, msg=name)


def test_cyclegan_losses_are_the_papers() -> None:
    model = cyclegan(lambda_A=3, lambda_B=5, lambda_identity=0.5)
    images = model(batch())
    total, losses = model.losses("generators", images)
    wanted = {
        "G_A": (model.D_A[0](images["fake_B"]) - 1).square().mean(),
        "G_B": (model.D_B[0](images["fake_A"]) - 1).square().mean(),
        "cycle_A": 3 * (images["rec_A"] - images["real_A"]).abs().mean(),
        "cycle_B": 5 * (images["rec_B"] - images["real_B"]).abs().mean(),
        "idt_A": 2.5 * (images["idt_A"] - images["real_B"]).abs().mean(),
        "idt_B": 1.5 * (images["idt_B"] - images["real_A"]).abs().mean(),
    }
    assert losses.keys() == wanted.keys()
    for name, loss in wanted.items():
        torch.testing.assert_close(losses[name], loss, msg=name)
    torch.testing.assert_close(total, torch.stack(list(wanted.values())).sum())
    on_discriminators, parts = model.losses("discriminators", images)
    D_A = model.D_A[0]
    wanted_D_A = 0.5 * ((D_A(images["real_B"]) - 1).square().mean() + D_A(images["fake_B"]).square().mean())
    torch.testing.assert_close(parts["D_A"], wanted_D_A)
    torch.testing.assert_close(on_discriminators, parts["D_A"] + parts["D_B"])


def test_cyclegan_without_identity_loss_takes_different_channels() -> None:
    model = cyclegan(lambda_identity=0, generator=TINY_MODEL["generator"] | {"in_channels": 1, "out_channels": 3})
    images = model(batch((1, 3)))
    assert images["fake_A"].shape[1] == 1
    assert images["fake_B"].shape[1] == 3
    assert set(model.losses("generators", images)[1]) == {"G_A", "G_B", "cycle_A", "cycle_B"}


def test_pix2pix_judges_the_pair() -> None:
    model, real = pix2pix(), batch()
    model.G.eval()
    images = model(real)
    total, losses = model.losses("generators", images)
    pair = torch.cat([real["A"], images["fake_B"]], 1)
    torch.testing.assert_close(losses["G_GAN"], torch.nn.functional.softplus(-model.D[0](pair)).mean())
    torch.testing.assert_close(losses["G_L1"], 100 * (images["fake_B"] - real["B"]).abs().mean())
    torch.testing.assert_close(total, losses["G_GAN"] + losses["G_L1"])
    total, losses = model.losses("discriminators", images)
    torch.testing.assert_close(total, 0.5 * (losses["D_real"] + losses["D_fake"]))


def test_discriminators_send_no_gradient_into_generators() -> None:
    for model in (cyclegan(), pix2pix()):
        total, _ = model.losses("discriminators", model(batch()))
        total.backward()
        assert all(weight.grad is None for network in model.generators.values() for weight in network.parameters())
        judges = next(player for player in model.players if player.discriminates).networks.values()
        assert all(weight.grad is not None for network in judges for weight in network.parameters())


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan"])
@pytest.mark.parametrize("objective", ["lsgan", "bce", "bce_minimax", "hinge", "wgan_gp"])
def test_every_objective_trains_both_models(name: str, objective: str) -> None:
    tree = {"name": name, **TINY_MODEL, "objective": objective, "lambda_r1": 0.1}
    model = build_model(TrainConfig.build({"model": tree}).model)
    images = model(batch(count=2))
    for total, parts in (model.losses("generators", images), model.losses("discriminators", images)):
        assert all(torch.isfinite(part) for part in parts.values())
        total.backward()
    assert ("D_gp" in parts or "D_A_gp" in parts) == (objective == "wgan_gp")


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan"])
@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_merged_passes_give_the_same_losses_and_gradients(name: str, norm: str) -> None:
    tree = {"name": name, **TINY_MODEL, "objective": "lsgan"}
    tree["generator"] = TINY_MODEL["generator"] | {"norm": norm, "dropout": False}
    tree["discriminator"] = TINY_MODEL["discriminator"] | {"norm": norm, "layers": 2}
    config = TrainConfig.build({"model": tree}).model
    results = []
    for merge in (True, False):
        torch.manual_seed(0)
        model = build_model(config, merge=merge).double()
        images = model({key: image.double() for key, image in batch().items()})
        losses: dict[str, Tensor] = {}
        for total, parts in (model.losses("generators", images), model.losses("discriminators", images)):
            losses |= parts
            total.backward()
        results.append((losses, [weight.grad for weight in model.parameters()]))
    for key, loss in results[0][0].items():
        torch.testing.assert_close(loss, results[1][0][key], msg=key, rtol=1e-5, atol=1e-6)
    for merged, plain in zip(results[0][1], results[1][1], strict=True):
        torch.testing.assert_close(merged, plain, rtol=1e-4, atol=1e-7)
