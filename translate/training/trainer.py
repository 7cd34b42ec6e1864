"""The training loop, to be read from top to bottom: fetch, forward, losses, backward, updates, averages, observers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from torch import Tensor

from translate.checkpoints.zoo import resolve
from translate.config import DEFAULT_EPOCHS, TrainConfig
from translate.data.loading import TranslationDataset, make_loader, steps_per_epoch
from translate.devices import DTYPES, choose_device, describe
from translate.errors import TrainingStopped
from translate.kernels.memory import keep_freed_memory, separate_large_blocks
from translate.models import model_class
from translate.runs.processes import noted
from translate.tracking.history import History
from translate.training.ancestry import restore, trace
from translate.training.compute_plan import ComputePlan, plan_compute
from translate.training.interruptions import StopSignals, explain
from translate.training.learner import Batch, Learner
from translate.training.observers.checkpoints import Checkpoints
from translate.training.observers.history import HistoryRows, read_losses
from translate.training.observers.progress import TrainingProgress
from translate.training.observers.protocol import Moment, Observer, RunFacts
from translate.training.observers.provenance import learn_sides
from translate.training.observers.reporter import Reporter
from translate.training.observers.samples import SampleSheets
from translate.training.observers.throughput import Stopwatch
from translate.training.resuming import is_copy, open_folder, warn_of_changes
from translate.training.schedule import Schedule
from translate.training.state import State

AGREE_EVERY = 10
"""Several processes ask one another this often, in steps, whether one was told to stop."""

log = logging.getLogger(__name__)


def train_step(learner: Learner, batch: Batch, step: int, lr_factor: float = 1.0) -> dict[str, Tensor]:
    """Update every player once.

    Args:
        learner: the networks, changed in place.
        batch: {"A", "B"} of (N, C, H, W) in [-1, 1], and {"mask_A", "mask_B"} where there are masks; on any device.
        step: number of this step, counted from 0.
        lr_factor: of the learning rates; see `schedule`.
    Returns:
        the named losses, scalars on the device, of this process's batch; reading them waits for the step to end.
        `G_total` is the sum that the generators minimise.
    """
    losses: dict[str, Tensor] = {}
    with learner.step(step, lr_factor):
        # Forward.
        images = learner.forward(batch)
        for player in learner.players.values():
            # Loss.
            shown = learner.through_pools(images, step) if player.discriminates else images
            total, named = learner.loss(player, shown)
            # Backward.
            learner.backward(player, total)
            # Update.
            learner.update(player)
            losses |= {name: loss.detach() for name, loss in named.items()}
            if not player.discriminates:
                losses["G_total"] = total.detach()
        # Averages: the weights' have followed in the update; what batch norm counts is taken over.
        learner.ema.copy_buffers(learner.model.generators)
    return losses


def train(config: TrainConfig, resume: bool = False, *, own_process: bool = False) -> Path:
    """Train a model and leave a run folder: config.yaml, history.jsonl, samples/, checkpoints/, state/.

    Args:
        config: all settings; `run.dir` names the folder.
        resume: go on from the folder's newest whole state, exactly: on the CPU every later loss is bit for bit that of
            a run that was never stopped.
        own_process: the process is there for this run alone, as that of a command is. The settings of its memory
            allocator are then made to suit training, and stay. None of the results depends on it.
    Returns:
        the run folder.
    Raises:
        UserError: settings, data or state that cannot be used; nothing to resume; a loss that is no longer a number.
        TrainingStopped: SIGINT or SIGTERM came; the state is saved.
    """
    training = Training(config, resume, own_process)
    with noted(training.folder):
        return training.fit()


class Training:
    """One training. With several processes each makes one; the main one writes."""

    def __init__(self, config: TrainConfig, resume: bool = False, own_process: bool = False) -> None:
        self.config = config
        self.folder = config.run.dir
        self.processes = PartialState(cpu=config.run.device == "cpu")
        state = open_folder(self.folder, resume)
        distributed = self.processes.num_processes > 1
        self.device = self.processes.device if distributed else choose_device(config.run.device)
        self.sets_allocator = own_process and self.device.type == "cpu"
        if self.sets_allocator:
            separate_large_blocks()

        # The data.
        self.dataset = make_dataset(config, training=True)
        self.epoch_steps = steps_per_epoch(self.dataset, config.optim.batch_size, self.processes.num_processes)
        self.total_steps = config.run.steps or (config.run.epochs or DEFAULT_EPOCHS) * self.epoch_steps

        # What is trained, and how.
        before = state.info["choices"] if state else {}
        self.plan: ComputePlan = plan_compute(config.run, self.device, self.total_steps, before)
        self.dtype, layout = DTYPES[self.plan["precision"]], getattr(torch, self.plan["layout"])
        self.learner = Learner(config, self.device, self.dtype, layout)
        self.schedule = Schedule(config.optim, self.total_steps, self.epoch_steps)
        self.step = 0
        self.tracker_id: str | None = None
        self.seconds = 0.0
        if state is not None:
            self._restore(state)
            self.ancestry = restore(state.info.get("ancestry"), config)
        else:
            self.ancestry = trace(config)
            if config.run.start_from is not None:
                self.learner.start_from(resolve(config.run.start_from))
        if self.plan["compile"]:
            self.learner.compile()

    def fit(self) -> Path:
        """Train to the last step."""
        facts = self._facts()
        if facts.main:
            self._begin_folder()
        with (
            TrainingProgress(self.step, self.total_steps, shown=facts.main) as progress,
            Reporter(facts, progress, self.tracker_id) as reporter,
            StopSignals() as signals,
        ):
            reporter.say(self._headline())
            stopwatch = Stopwatch(facts, self.seconds, self.step)
            rows = HistoryRows(facts, reporter, self.learner, stopwatch)
            sheets = SampleSheets(facts, reporter, self.learner)
            checkpoints = Checkpoints(facts, reporter, self.learner, self.schedule, self.plan, rows, self.step)
            try:
                self._loop(facts, reporter, stopwatch, signals, [rows, sheets, checkpoints])
            except BaseException as error:
                failure = explain(error, self.folder, checkpoints.saved_step)
                if failure:
                    reporter.say(str(failure))  # at once: a launcher ends this process in a moment
                    raise failure from error
                raise
            for sentence in self.dataset.files_left_out():
                reporter.say(sentence)
            reporter.say(f"Done: {self.folder / 'checkpoints'} holds the checkpoint of step {checkpoints.saved_step}.")
        return self.folder

    def _loop(
        self,
        facts: RunFacts,
        reporter: Reporter,
        stopwatch: Stopwatch,
        signals: StopSignals,
        observers: Sequence[Observer],
    ) -> None:
        """Train from the current step to the last one; raises TrainingStopped after a stop signal."""
        batches = iter(self._loader())
        stopwatch.start(self.step)
        begun_at = self.step
        while self.step < self.total_steps:
            # Fetch.
            with stopwatch.waiting():
                batch = next(batches)
            reporter.skipped(batch["skipped"])

            # Forward, losses, backward, updates, averages.
            lr_factor = self.schedule.factor(self.step)
            losses = train_step(self.learner, batch, self.step, lr_factor)
            self.step += 1
            if self.config.optim.schedule == "plateau":
                self.schedule.observe(self.step, read_losses(losses, self.step, facts)["G_total"])
            if self.step == begun_at + 1 and self.sets_allocator:
                keep_freed_memory()  # not sooner: weights and moments have blocks of their own by now

            # Observers.
            stop = signals.agreed(self.device) if self._may_ask() else 0
            moment = Moment(self.step, losses, lr_factor, batch, self.step == self.total_steps, stopping=bool(stop))
            for observer in observers:
                observer.after_step(moment)
            if stop:
                reporter.say(f"Stopped and saved at step {self.step}; go on with --resume.")
                raise TrainingStopped(stop)

    # ---------------------------------------------------------------------------------------------------- preparations

    def _begin_folder(self) -> None:
        """Make the run's folders, write its settings, and forget what the history tells of steps that come again."""
        for name in ("samples", "checkpoints", "state"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.config.save_in_run()
        History(self.folder / "history.jsonl").truncate(self.step)

    def _headline(self) -> str:
        networks = self.learner.model.generators.values()
        parameters = sum(weight.numel() for network in networks for weight in network.parameters())
        count = self.processes.num_processes
        parts = [
            f"{self.config.model.name}, generators of {parameters / 1e6:.1f} M parameters",
            f"{len(self.dataset)} images an epoch, {self.total_steps} steps",
            describe(self.device) + (f" × {count}" if count > 1 else ""),
            f"{self.plan['precision']}, {self.plan['layout'].removesuffix('_format')}",
            "compiled" if self.plan["compile"] else "not compiled",
        ]
        return ("Resuming at step " + str(self.step) + ": " if self.step else "Training ") + "; ".join(parts) + "."

    def _restore(self, state: State) -> None:
        self.learner.load_state_dict(state.tensors)
        self.schedule.load_state_dict(state.info["schedule"])
        self.step = state.step
        copied = is_copy(state, self.folder)
        if copied:
            log.warning("%s is a copy of another run, so it is tracked as a run of its own.", self.folder)
        self.tracker_id = None if copied else state.info["tracker_id"]
        self.seconds = state.info["seconds"]
        if self.processes.is_main_process:
            warn_of_changes(state, self.config)

    def _loader(self) -> Any:
        config = self.config
        return make_loader(
            self.dataset,
            batch_size=config.optim.batch_size,
            seed=config.run.seed,
            first_step=self.step,
            process=self.processes.process_index,
            processes=self.processes.num_processes,
            workers=config.data.workers,
            serial=config.data.serial,
        )

    def _facts(self) -> RunFacts:
        return RunFacts(
            config=self.config,
            device=self.device,
            dtype=self.dtype,
            main=self.processes.is_main_process,
            processes=self.processes.num_processes,
            epoch_steps=self.epoch_steps,
            total_steps=self.total_steps,
            validation_images=lambda: make_dataset(self.config, training=False),
            ancestry=self.ancestry,
            sides=learn_sides(self.dataset) if self.processes.is_main_process else {},
        )

    def _may_ask(self) -> bool:
        return self.processes.num_processes == 1 or self.step % AGREE_EVERY == 0


def make_dataset(config: TrainConfig, training: bool) -> TranslationDataset:
    """The images that a run trains on, or the ones that its sheets of samples show."""
    generator = config.model.generator
    return TranslationDataset(
        config.data,
        channels=(generator.in_channels, generator.out_channels),
        paired=model_class(config.model.name).paired,
        seed=config.run.seed,
        training=training,
        multiple=generator.multiple,
    )
