"""Saving: the state that a run goes on from, the checkpoint that people use, and the best checkpoint so far."""

from __future__ import annotations

import shutil
from typing import Any

from translate.checkpoints.format import save_checkpoint
from translate.checkpoints.settings import CheckpointConfig
from translate.devices import describe
from translate.training.learner import Learner
from translate.training.observers.history import HistoryRows, read_losses
from translate.training.observers.protocol import Moment, RunFacts
from translate.training.observers.provenance import describe_checkpoint
from translate.training.observers.reporter import Reporter
from translate.training.schedule import Schedule
from translate.training.state import State, save_state


class Checkpoints:
    """Saves every `run.save_every` steps, at the end, and when the run is told to stop.

    Args:
        facts: of the run.
        reporter: who tells people.
        learner, schedule: whose state is saved.
        plan: the compute plan, which a resumed run keeps.
        rows: the history; its newest validation decides whether the checkpoint is the best so far.
        step: that the run begins at.
    """

    def __init__(
        self,
        facts: RunFacts,
        reporter: Reporter,
        learner: Learner,
        schedule: Schedule,
        plan: dict[str, Any],
        rows: HistoryRows,
        step: int,
    ) -> None:
        self.facts, self.reporter, self.learner, self.schedule = facts, reporter, learner, schedule
        self.plan, self.rows = plan, rows
        self.folder = facts.config.run.dir / "checkpoints"
        self.saved_step = step
        """The step of the newest saved state."""

    def after_step(self, moment: Moment) -> None:
        """Keep the best checkpoint after a validation; save state and checkpoint if that is due."""
        validation = self.rows.validation
        if validation and validation.step == moment.step and validation.is_best:
            self._save_checkpoint("best", moment.step, "best")
        if moment.step % self.facts.config.run.save_every == 0 or moment.last or moment.stopping:
            # A state with weights that are no numbers must not replace a good one.
            read_losses(moment.losses, moment.step, self.facts)
            if self.facts.main:
                self._save(moment.step)
            self.saved_step = moment.step

    def _save(self, step: int) -> None:
        info = {
            "choices": self.plan,
            "schedule": self.schedule.state_dict(),
            "seconds": self.rows.stopwatch.seconds,
            "tracker_id": self.reporter.tracker_id,
            "config": self.facts.config.absolute().dump(),
            "ancestry": self.facts.ancestry.as_dict(),
        }
        save_state(self.facts.config.run.dir / "state", State(step, self.learner.state_dict(), info))
        self._save_checkpoint(f"step-{step:08d}", step, "latest")
        for old in sorted(self.folder.glob("step-*"))[: -self.facts.config.run.keep]:
            shutil.rmtree(old, ignore_errors=True)

    def _save_checkpoint(self, name: str, step: int, alias: Any) -> None:
        save_checkpoint(self.folder / name, self._describe(step), self.learner.ema.generators)
        if self.reporter.tracker:
            self.reporter.tracker.log_checkpoint(self.folder / name, step, alias)

    def _describe(self, step: int) -> CheckpointConfig:
        """The config.json of a checkpoint taken now."""
        about = describe_checkpoint(
            self.facts.config,
            step,
            step / self.facts.epoch_steps,
            self.facts.global_batch,
            self.rows.stopwatch.seconds,
            describe(self.facts.device),
            self.facts.ancestry,
        )
        about.sides = dict(self.facts.sides)
        validation = self.rows.validation
        if validation and validation.metrics:
            about.metrics = validation.metrics | {"best": validation.best}
        return about
