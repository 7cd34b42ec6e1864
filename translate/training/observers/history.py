"""Rows of the history: losses, throughput, learning rates, gradient norms, warnings, and validation where it is due."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from accelerate.utils import reduce
from torch import Tensor

from translate.errors import UserError
from translate.tracking.history import History, read_history
from translate.training.learner import Learner
from translate.training.observers.health import Health
from translate.training.observers.protocol import Moment, RunFacts
from translate.training.observers.provenance import statistics
from translate.training.observers.reporter import Reporter
from translate.training.observers.throughput import Stopwatch
from translate.training.observers.validation import Validation


class HistoryRows:
    """Writes a row of history.jsonl every `run.log_every` steps, and validates every `evaluation.every` steps.

    Args:
        facts: of the run.
        reporter: who tells people.
        learner: what is trained; its averaged generators are validated.
        stopwatch: times the steps.
    """

    def __init__(self, facts: RunFacts, reporter: Reporter, learner: Learner, stopwatch: Stopwatch) -> None:
        config = facts.config
        self.facts, self.reporter, self.learner, self.stopwatch = facts, reporter, learner, stopwatch
        self.history = History(config.run.dir / "history.jsonl")
        self.health = Health(config)
        self.validation = (
            Validation(
                config,
                facts.device,
                facts.dtype,
                statistics(config, facts.global_batch) == "image",
                before=read_history(self.history.path),
            )
            if facts.main and config.evaluation.every
            else None
        )
        for note in self.validation.notes if self.validation else ():
            reporter.say(note)

    def after_step(self, moment: Moment) -> None:
        """Advance the bar; write a row if one is due."""
        config = self.facts.config
        self.reporter.progress.advance(moment.step)
        validate = bool(config.evaluation.every) and (moment.step % config.evaluation.every == 0 or moment.last)
        if moment.step % config.run.log_every == 0 or moment.last or validate:
            self._write(moment, validate)

    def _write(self, moment: Moment, validate: bool) -> None:
        optim, reporter = self.facts.config.optim, self.reporter
        losses = read_losses(moment.losses, moment.step, self.facts)
        pace = self.stopwatch.measure(moment.step, moment.batch)
        row: dict[str, Any] = {"step": moment.step, "epoch": round(moment.step / self.facts.epoch_steps, 4)}
        row |= losses | pace | {"lr": optim.lr * moment.lr_factor}
        if optim.lr_discriminator:
            row["lr_discriminator"] = optim.lr_discriminator * moment.lr_factor
        row |= self.learner.gradient_norms()
        reporter.warn(moment.step, self.health.observe_losses(losses))
        if reporter.pending:
            row["warnings"], reporter.pending = reporter.pending, []
        if validate and self.validation:
            row |= self.validation(moment.step, self.learner.ema.generators)
            reporter.say(self.validation.sentence())
        self.stopwatch.start(moment.step)
        if self.facts.main:
            self.history.append(row)
        if reporter.tracker:
            reporter.tracker.log(row)
        left = pace["step_seconds"] * (self.facts.total_steps - moment.step)
        reporter.progress.report(moment.step, losses, pace["images_per_second"], pace["utilisation"], left)


def read_losses(losses: Mapping[str, Tensor], step: int, facts: RunFacts) -> dict[str, float]:
    """The losses as numbers, averaged over all processes. Raises UserError where one is not finite."""
    values = reduce(torch.stack(list(losses.values())), "mean").tolist()
    named = dict(zip(losses, values, strict=True))
    broken = [name for name, value in named.items() if not math.isfinite(value)]
    if broken:
        raise UserError(
            f"The loss {broken[0]} is no longer a number at step {step}; the last good state is kept in "
            f"{facts.config.run.dir / 'state'}. Try a lower --optim.lr or --run.precision float32."
        )
    return named
