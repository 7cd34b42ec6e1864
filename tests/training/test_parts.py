"""The parts of a training step: image pool, moving average, schedules."""

from __future__ import annotations

import random

import pytest
import torch
from torch import nn

from translate.config import OptimConfig
from translate.training.ema import EMA
from translate.training.optimizer import PlayerOptimizer
from translate.training.pool import ImagePool
from translate.training.schedule import Schedule


def numbered(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1, 1)


def test_a_filling_pool_gives_back_what_comes() -> None:
    pool = ImagePool(3)
    assert torch.equal(pool.query(numbered(1, 2), random.Random(0)), numbered(1, 2))
    assert torch.equal(pool.query(numbered(3), random.Random(0)), numbered(3))
    assert len(pool.images) == 3


def test_a_full_pool_exchanges_about_half() -> None:
    pool, rng, given = ImagePool(10), random.Random(0), []
    for number in range(1000):
        given.append(int(pool.query(numbered(number), rng).item()))
    fresh = sum(number == place for place, number in enumerate(given))
    assert 400 < fresh < 620
    assert len(set(given[10:])) == 990  # an image leaves the pool when it is given back
    assert len(pool.images) == 10


def test_a_pool_of_none_passes_everything_through() -> None:
    images = numbered(1, 2)
    assert ImagePool(0).query(images, random.Random(0)) is images


def test_a_pool_keeps_its_own_copy() -> None:
    pool, image = ImagePool(1), numbered(1)
    pool.query(image, random.Random(0))
    image.zero_()
    assert pool.images[0].item() == 1


def test_a_pool_goes_on_from_its_state() -> None:
    first = ImagePool(4)
    for number in range(9):
        first.query(numbered(number), random.Random(number))
    second = ImagePool(4)
    second.load_state_dict(first.state_dict(), torch.device("cpu"))
    for number in range(9, 20):
        mine = first.query(numbered(number), random.Random(number))
        assert torch.equal(mine, second.query(numbered(number), random.Random(number)))


@pytest.mark.parametrize("at_once", [True, False])
def test_ema_follows_the_weights(at_once: bool) -> None:
    network = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.ones_(network.weight)
    ema = EMA({"a2b": network}, decay=0.9)
    optimizer = PlayerOptimizer({"G": network}, 1e-2, OptimConfig(), fused=True, at_once=at_once)
    optimizer.follow(ema.follows({"a2b": network}))
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    expected = 1.0
    for step in range(1, 101):
        optimizer.prepare(1.0, ema.weight(step))
        optimizer.zero_grad()
        network(torch.ones(1, 1, 1, 1)).sum().backward()
        optimizer.finish(scaler)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * network.weight.item()
    assert network.weight.item() == pytest.approx(0.0, abs=1e-3)  # 100 steps of Adam, 0.01 each
    assert next(ema.generators["a2b"].parameters()).item() == pytest.approx(expected, rel=1e-4)


def test_ema_of_decay_zero_is_the_newest_weights() -> None:
    network = nn.BatchNorm2d(2)
    ema = EMA({"a2b": network}, decay=0)
    optimizer = PlayerOptimizer({"G": network}, 1e-2, OptimConfig(), fused=True, at_once=True)
    optimizer.follow(ema.follows({"a2b": network}))
    optimizer.prepare(1.0, ema.weight(1))
    network(torch.rand(3, 2, 4, 4)).square().sum().backward()
    ema.copy_buffers({"a2b": network})
    for mine, theirs in zip(ema.generators["a2b"].state_dict().values(), network.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)


def descend(at_once: bool, restored: bool = False) -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
    """Four steps of two layers that share a batch norm's output; `restored`: through a saved state in the middle."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3))
    network.to(memory_format=torch.channels_last)
    optimizer = PlayerOptimizer({"G": network}, 1e-2, OptimConfig(), fused=True, at_once=at_once)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    for step in range(4):
        if restored and step == 2:
            state = {name: tensor.clone().contiguous() for name, tensor in optimizer.state_dict().items()}
            optimizer.load_state_dict(state)
        optimizer.prepare(0.5 if step else 1.0)
        optimizer.zero_grad()
        image = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(step))
        network[2](network[:2](image) + network[:2](image.flip(3))).square().mean().backward()  # weights used twice
        optimizer.finish(scaler)
    return list(network.parameters()), optimizer.state_dict()


def test_updating_at_once_is_the_same_to_the_last_bit_and_keeps_no_gradients() -> None:
    together, state = descend(at_once=False)
    for restored in (False, True):
        at_once, their_state = descend(at_once=True, restored=restored)
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(at_once, together, strict=True))
        assert state.keys() == their_state.keys()
        assert all(torch.equal(state[name], their_state[name]) for name in state)
        assert all(parameter.grad is None for parameter in at_once)


def factors(total: int, per_epoch: int, **settings: object) -> list[float]:
    schedule = Schedule(OptimConfig.model_validate(settings), total, per_epoch)
    return [round(schedule.factor(step), 6) for step in range(total)]


def test_linear_is_constant_then_falls_to_zero() -> None:
    assert factors(8, 1, schedule="linear", decay_start=0.5) == [1, 1, 1, 1, 1, 0.75, 0.5, 0.25]


def test_step_cosine_constant_and_warmup() -> None:
    assert factors(6, 1, schedule="step", decay_epochs=2, factor=0.1) == [1, 1, 0.1, 0.1, 0.01, 0.01]
    assert factors(4, 1, schedule="cosine") == pytest.approx([1, 0.853553, 0.5, 0.146447])
    assert factors(3, 1, schedule="constant") == [1, 1, 1]
    assert factors(4, 1, schedule="constant", warmup_steps=2) == [0.5, 1, 1, 1]


def test_plateau_falls_when_the_loss_does_not() -> None:
    config = OptimConfig(schedule="plateau", decay_epochs=2, factor=0.5)
    schedule = Schedule(config, total_steps=100, steps_per_epoch=2)
    seen = []
    for step in range(1, 21):
        schedule.observe(step, 10.0 - step if step <= 6 else 4.0)
        seen.append(schedule.factor(step))
    assert seen[6] == 1
    assert seen[-1] == 0.25
    copy = Schedule(config, total_steps=100, steps_per_epoch=2)
    copy.load_state_dict(schedule.state_dict())
    for step in range(21, 41):
        schedule.observe(step, 4.0)
        copy.observe(step, 4.0)
        assert schedule.factor(step) == copy.factor(step)
