"""A training step: what it changes, and that nothing else decides the next one."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.conftest import tiny_settings
from translate.checkpoints.format import save_checkpoint
from translate.checkpoints.settings import CheckpointConfig
from translate.config import TrainConfig
from translate.errors import UserError
from translate.training.learner import Learner
from translate.training.trainer import train_step

CPU = torch.device("cpu")


def make(name: str = "cyclegan", **settings: Any) -> Learner:
    tree = tiny_settings(name, Path(), Path())
    for section, values in settings.items():
        tree[section] = tree.get(section, {}) | values
    return Learner(TrainConfig.build(tree), CPU, torch.float32, torch.channels_last)


def batch(seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.rand(1, 3, 32, 32, generator=generator) * 2 - 1 for name in "AB"}


def run(step: Learner, first: int, last: int) -> list[dict[str, float]]:
    return [{name: loss.item() for name, loss in train_step(step, batch(n), n).items()} for n in range(first, last)]


@pytest.mark.parametrize("model", ["pix2pix", "cyclegan"])
def test_every_network_learns(model: str) -> None:
    step = make(model)
    before = {name: weight.clone() for name, weight in step.model.named_parameters()}
    averages = {name: weight.clone() for name, weight in step.ema.generators["a2b"].named_parameters()}
    train_step(step, batch(0), 0)
    assert all(not torch.equal(weight, before[name]) for name, weight in step.model.named_parameters())
    moved = [not torch.equal(weight, averages[name]) for name, weight in step.ema.generators["a2b"].named_parameters()]
    assert all(moved)


@pytest.mark.parametrize("model", ["pix2pix", "cyclegan"])
def test_a_restored_step_goes_on_bit_for_bit(model: str) -> None:
    settings: dict[str, Any] = {"model": {"pool_size": 2}} if model == "cyclegan" else {}
    first = make(model, **settings)
    run(first, 0, 5)
    second = make(model, **settings)
    second.load_state_dict({name: tensor.clone() for name, tensor in first.state_dict().items()})
    assert run(first, 5, 10) == run(second, 5, 10)
    for (name, mine), theirs in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs), name


@pytest.mark.parametrize("model", ["pix2pix", "cyclegan"])
def test_all_is_freed_afterwards(model: str) -> None:
    """A program may train one model after the other: weights, Adam's moments and averages go with their learner."""
    step = make(model)
    train_step(step, batch(0), 0)
    weights = [weakref.ref(weight) for weight in step.model.parameters()]
    moments = [weakref.ref(moment) for moment in step.state_dict().values()]
    assert len(moments) > len(weights)
    del step
    gc.collect()
    assert not [each for each in (*weights, *moments) if each() is not None]


def test_randomness_does_not_depend_on_history() -> None:
    one, other = make("pix2pix"), make("pix2pix")  # dropout draws noise in every step
    torch.rand(100)
    assert run(one, 3, 4) == run(other, 3, 4)
    assert make("pix2pix").model.config.generator.dropout


def test_another_seed_is_another_run() -> None:
    assert run(make(), 0, 1) != run(make(run={"seed": 1}), 0, 1)


def test_a_state_of_other_networks_is_refused() -> None:
    state = make().state_dict()
    other = make(model={"generator": {"width": 8, "blocks": 1}})
    with pytest.raises(UserError, match="other networks"):
        other.load_state_dict(state)


def test_fine_tuning_begins_with_the_checkpoints_generators(tmp_path: Path) -> None:
    trained = make()
    run(trained, 0, 3)
    config = CheckpointConfig(
        name="old",
        domains={"a": "a", "b": "b"},
        generators={"a2b": trained.config.model.generator, "b2a": trained.config.model.generator},
    )
    save_checkpoint(tmp_path / "old", config, trained.ema.generators)
    step = make(run={"seed": 1})
    step.start_from(tmp_path / "old")
    for direction, average in trained.ema.generators.items():
        for networks in (step.model.generators, step.ema.generators):
            for name, weight in networks[direction].named_parameters():
                assert torch.equal(weight, average.get_parameter(name)), name
    before = head(step).clone()
    train_step(step, batch(0), 0)
    assert not torch.equal(head(step), before)
    assert not torch.equal(step.ema.generators["a2b"].get_parameter("head.weight"), before)  # the average follows too


def test_a_start_of_another_architecture_or_direction_is_refused(tmp_path: Path) -> None:
    generator = make("pix2pix").model.generators["a2b"]
    config = CheckpointConfig(
        name="old", domains={"a": "a", "b": "b"}, generators={"a2b": make("pix2pix").config.model.generator}
    )
    save_checkpoint(tmp_path / "old", config, {"a2b": generator})
    with pytest.raises(UserError, match=r"no start for these settings: .* Take model.generator from"):
        make().start_from(tmp_path / "old")
    backwards = config.model_copy(update={"generators": {"b2a": config.generators["a2b"]}})
    save_checkpoint(tmp_path / "back", backwards, {"b2a": generator})
    with pytest.raises(UserError, match="no generator for a2b to start from"):
        make("pix2pix").start_from(tmp_path / "back")


def head(step: Learner) -> Tensor:
    weight: Tensor = step.model.generators["a2b"].get_parameter("head.weight")
    return weight.detach()


def test_half_of_the_learning_rate_moves_adam_half_as_far() -> None:
    def distance(factor: float) -> float:
        step = make()
        before = head(step).clone()
        train_step(step, batch(0), 0, lr_factor=factor)
        return float((head(step) - before).norm())

    assert distance(0.5) == pytest.approx(0.5 * distance(1.0), rel=1e-3)
    assert distance(0.0) == 0


def test_clipping_bounds_the_gradient() -> None:
    step = make(optim={"clip_norm": 1e-3})
    train_step(step, batch(0), 0)
    for player in ("generators", "discriminators"):
        gradients = step.optimizers[player].gradients()
        assert torch.stack([gradient.norm() for gradient in gradients]).norm().item() <= 1.001e-3


def test_bfloat16_trains_with_float32_weights() -> None:
    tree = tiny_settings("cyclegan", Path(), Path())
    step = Learner(TrainConfig.build(tree), CPU, torch.bfloat16, torch.channels_last)
    exact = run(make(), 0, 1)[0]
    half = run(step, 0, 1)[0]
    assert all(weight.dtype == torch.float32 for weight in step.model.parameters())
    for name, loss in exact.items():
        assert half[name] == pytest.approx(loss, rel=0.05)
        assert half[name] != loss
