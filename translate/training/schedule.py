"""The learning rate over a run, as a factor of `optim.lr`."""

from __future__ import annotations

import math

from translate.config import OptimConfig


class Schedule:
    """The factor at each step. All but `plateau` are functions of the step alone."""

    def __init__(self, config: OptimConfig, total_steps: int, steps_per_epoch: int) -> None:
        self.config = config
        self.total_steps = total_steps
        self.steps_per_epoch = steps_per_epoch
        self.plateau_factor = 1.0
        self.best = math.inf
        self.bad_epochs = 0
        self.epoch_sum = 0.0
        self.epoch_rows = 0

    def factor(self, step: int) -> float:
        """The factor for step number `step`, counted from 0.

        linear    1, then from `decay_start` of the run on straight to 0 (Zhu et al. 2017, section 4)
        cosine    ½ (1 + cos(π · step / steps))
        step      `factor` ** (epochs done // `decay_epochs`)
        plateau   times `factor` whenever the generators' loss has not fallen by 1 % for `decay_epochs` epochs
        """
        config = self.config
        match config.schedule:
            case "constant":
                factor = 1.0
            case "linear":
                start = config.decay_start * self.total_steps
                factor = min(1.0, (self.total_steps - step) / max(1.0, self.total_steps - start))
            case "cosine":
                factor = 0.5 * (1 + math.cos(math.pi * step / self.total_steps))
            case "step":
                factor = config.factor ** (step // self.steps_per_epoch // config.decay_epochs)
            case "plateau":
                factor = self.plateau_factor
        if step < config.warmup_steps:
            factor *= (step + 1) / config.warmup_steps
        return max(0.0, factor)

    def observe(self, step: int, generator_loss: float) -> None:
        """Tell the schedule the generators' total loss of step number `step`, counted from 1, for `plateau`."""
        self.epoch_sum += generator_loss
        self.epoch_rows += 1
        if step % self.steps_per_epoch:
            return
        mean, self.epoch_sum, self.epoch_rows = self.epoch_sum / self.epoch_rows, 0.0, 0
        if mean < self.best * 0.99:
            self.best, self.bad_epochs = mean, 0
            return
        self.bad_epochs += 1
        if self.bad_epochs > self.config.decay_epochs:
            self.plateau_factor, self.bad_epochs = self.plateau_factor * self.config.factor, 0

    def state_dict(self) -> dict[str, float]:
        """The state of the `plateau` schedule: its factor, the best loss, and the running sum of the epoch."""
        names = ("plateau_factor", "best", "bad_epochs", "epoch_sum", "epoch_rows")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from what `plateau` had seen."""
        for name, value in state.items():
            setattr(self, name, value)
