"""The norms of the gradients, on demand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.conftest import tiny_settings
from translate.config import TrainConfig
from translate.training.learner import Learner
from translate.training.trainer import train_step


@pytest.mark.parametrize(
    ("model", "names"),
    [("cyclegan", {"G_A", "G_B", "D_A", "D_B"}), ("pix2pix", {"G", "D"})],
    ids=["cyclegan", "pix2pix"],
)
def test_norms_are_those_of_each_networks_gradients_and_change_nothing(
    model: str, names: set[str], tmp_path: Path
) -> None:
    batch = {name: torch.rand(1, 3, 32, 32, generator=torch.manual_seed(1)) * 2 - 1 for name in ("A", "B")}
    losses = []
    for gradients in (False, True):
        tree = tiny_settings(model, tmp_path, tmp_path) | {"tracking": {"gradients": gradients}}
        step = Learner(TrainConfig.build(tree), torch.device("cpu"), torch.float32, torch.contiguous_format)
        train_step(step, batch, 0)
        losses.append({name: loss.item() for name, loss in train_step(step, batch, 1).items()})
        norms = step.gradient_norms()
        assert set(norms) == ({f"gradients/{name}" for name in names} if gradients else set())
    assert losses[0] == losses[1]
    network = next(iter(step.players["discriminators"].networks.values()))
    flat = torch.cat([weight.grad.flatten() for weight in network.parameters() if weight.grad is not None])
    name = f"gradients/{next(iter(step.players['discriminators'].networks))}"
    assert norms[name] == pytest.approx(flat.norm().item(), rel=1e-5)


def test_norms_are_measured_before_clipping(tmp_path: Path) -> None:
    tree = tiny_settings("cyclegan", tmp_path, tmp_path) | {
        "tracking": {"gradients": True},
        "optim": {"clip_norm": 1e-4},
    }
    step = Learner(TrainConfig.build(tree), torch.device("cpu"), torch.float32, torch.contiguous_format)
    train_step(step, {name: torch.rand(1, 3, 32, 32) for name in ("A", "B")}, 0)
    assert step.gradient_norms()["gradients/G_A"] > 1e-3
