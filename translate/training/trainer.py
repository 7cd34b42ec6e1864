"""The training run, to be read from top to bottom: data in, steps, history, samples, checkpoints, state."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import reduce
from torch import Tensor

from translate.checkpoints.format import save_checkpoint
from translate.checkpoints.zoo import resolve
from translate.config import CheckpointConfig, Pix2PixConfig, TrainConfig
from translate.data.loading import TranslationDataset, make_loader, steps_per_epoch
from translate.devices import DTYPES, choose_device, describe
from translate.errors import UserError
from translate.kernels.memory import keep_freed_memory, separate_large_blocks
from translate.tracking.history import History, read_history
from translate.tracking.weights_and_biases import Tracker
from translate.training.choices import choose
from translate.training.failures import explain
from translate.training.health import Health
from translate.training.jobs import noted
from translate.training.pace import Pace
from translate.training.progress import TrainingProgress
from translate.training.provenance import changed_settings, describe_checkpoint, domains, statistics
from translate.training.samples import rgb, write_sheet
from translate.training.schedule import Schedule
from translate.training.signals import Stopped, StopSignals
from translate.training.state import State, load_newest_state, save_state
from translate.training.step import TrainingStep
from translate.training.validation import Validation

DEFAULT_EPOCHS = 200
AGREE_EVERY = 10
"""Several processes ask one another this often, in steps, whether one was told to stop."""

log = logging.getLogger(__name__)


def train(config: TrainConfig, resume: bool = False, *, own_process: bool = False) -> Path:
    """Train a model and leave a run folder: config.yaml, history.jsonl, samples/, checkpoints/, state/.

    Args:
        config: all settings; `run.dir` names the folder.
        resume: go on from the folder's newest whole state, exactly: on the CPU every later loss is bit for bit that of
            a run that was never stopped. Starts from the beginning where the folder has no state yet.
        own_process: the process is there for this run alone, as that of a command is. The settings of its memory
            allocator are then made to suit training, and stay. None of the results depends on it.
    Returns:
        the run folder.
    Raises:
        UserError: settings, data or state that cannot be used; a loss that is no longer a number.
        Stopped: SIGINT or SIGTERM came; the state is saved.
    """
    run = Run(config, resume, own_process)
    with noted(run.folder):
        return run.fit()


class Run:
    """A training run. With several processes each makes one; the main one writes."""

    def __init__(self, config: TrainConfig, resume: bool = False, own_process: bool = False) -> None:
        self.config = config
        self.folder = config.run.dir
        self.processes = PartialState(cpu=config.run.device == "cpu")
        self.main = self.processes.is_main_process
        state = self._open_folder(resume)

        distributed = self.processes.num_processes > 1
        self.global_batch = config.optim.batch_size * self.processes.num_processes
        self.device = self.processes.device if distributed else choose_device(config.run.device)
        self.sets_allocator = own_process and self.device.type == "cpu"
        if self.sets_allocator:
            separate_large_blocks()

        # The data.
        self.dataset = self._dataset(training=True)
        self.epoch_steps = steps_per_epoch(self.dataset, config.optim.batch_size, self.processes.num_processes)
        self.total_steps = config.run.steps or (config.run.epochs or DEFAULT_EPOCHS) * self.epoch_steps

        # What is trained, and how.
        before = state.info["choices"] if state else {}
        self.choices = choose(config.run, self.device, self.total_steps, before)
        self.dtype, layout = DTYPES[self.choices["precision"]], getattr(torch, self.choices["layout"])
        self.train_step = TrainingStep(config, self.device, self.dtype, layout)
        self.schedule = Schedule(config.optim, self.total_steps, self.epoch_steps)
        self.step = 0
        self.health = Health(config)
        self.warnings: list[str] = []  # not yet in the history
        seconds = state.info["seconds"] if state else 0.0
        self.pace = Pace(config, self.device, self.dtype, images=self.global_batch, seconds=seconds)
        self.history = History(self.folder / "history.jsonl")
        self.tracker: Tracker | None = None
        self.tracker_id: str | None = None
        if state is not None:
            self._restore(state)
        elif config.run.start_from is not None:
            self.train_step.start_from(resolve(config.run.start_from))
        if self.choices["compile"]:
            self.train_step.compile()

    # ---------------------------------------------------------------------------------------------------- preparations

    def _open_folder(self, resume: bool) -> State | None:
        if resume:
            return load_newest_state(self.folder / "state")
        if any((self.folder / name).exists() for name in ("history.jsonl", "state")):
            raise UserError(
                f"{self.folder} already holds a run. Continue it with --resume, or choose another --run.dir."
            )
        return None

    def _dataset(self, training: bool) -> TranslationDataset:
        generator = self.config.model.generator
        return TranslationDataset(
            self.config.data,
            channels=(generator.in_channels, generator.out_channels),
            paired=isinstance(self.config.model, Pix2PixConfig),
            seed=self.config.run.seed,
            training=training,
            multiple=generator.multiple,
        )

    # ------------------------------------------------------------------------------------------------------------- run

    def fit(self) -> Path:
        """Train to the last step."""
        config = self.config
        if self.main:
            for name in ("samples", "checkpoints", "state"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            config.save(self.folder / "config.yaml")
            self.history.truncate(self.step)
        self.tracker = Tracker(config, self.folder, self.tracker_id) if self.main else None
        self.tracker_id = self.tracker.run_id if self.tracker else None
        self.sheet = self._sheet_batches() if self.main else []
        self.validation = self._validation() if self.main and config.evaluation.every else None
        loader = make_loader(
            self.dataset,
            batch_size=config.optim.batch_size,
            seed=config.run.seed,
            first_step=self.step,
            process=self.processes.process_index,
            processes=self.processes.num_processes,
            workers=config.data.workers,
            serial=config.data.serial,
        )
        self.saved_step = self.step
        with (
            TrainingProgress(self.step, self.total_steps, shown=self.main) as self.progress,
            StopSignals() as signals,
        ):
            self.progress.say(self._headline())
            for note in self.validation.notes if self.validation else ():
                self.progress.say(note)
            try:
                self._train(iter(loader), signals)
            except BaseException as error:
                self._finish_tracking(getattr(error, "code", 1))
                failure = explain(error, self.folder, self.saved_step)
                if failure:
                    self.progress.say(str(failure))  # at once: a launcher ends this process in a moment
                    raise failure from error
                raise
            self.progress.say(f"Done: {self.folder / 'checkpoints'} holds the checkpoint of step {self.saved_step}.")
            self._finish_tracking(0)
        return self.folder

    def _train(self, batches: Iterator[dict[str, Any]], signals: StopSignals) -> None:
        """Every step to the last, and what is written now and then."""
        config, begun_at, skipped = self.config, self.step, 0
        self.pace.start(self.step)
        while self.step < self.total_steps:
            # One batch, one step.
            batch = self.pace.fetch(batches)
            lr_factor = self.schedule.factor(self.step)
            losses = self.train_step(batch, self.step, lr_factor)
            self.step += 1
            if self.step == begun_at + 1 and self.sets_allocator:
                keep_freed_memory()  # not sooner: weights and moments have blocks of their own by now
            self.progress.advance(self.step)
            for problem in batch["skipped"]:
                skipped += 1
                self.progress.say(f"Skipped {problem} ({skipped} unreadable so far).")
            if config.optim.schedule == "plateau":
                self.schedule.observe(self.step, self._read(losses)["G_total"])

            # What is written now and then.
            last = self.step == self.total_steps
            validate = bool(config.evaluation.every) and (self.step % config.evaluation.every == 0 or last)
            if self.step % config.run.log_every == 0 or last or validate:
                self._log(losses, lr_factor, validate)
            if self.sheet and (self.step % config.run.sample_every == 0 or last):
                self._warn(self._write_sheet(self.sheet))
            stop = signals.agreed(self.device) if self._may_ask() else 0
            if self.step % config.run.save_every == 0 or last or stop:
                self._save(losses)
                self.saved_step = self.step
            if stop:
                self.progress.say(f"Stopped and saved at step {self.step}; go on with --resume.")
                raise Stopped(stop)

    def _log(self, losses: dict[str, Tensor], lr_factor: float, validate: bool) -> None:
        """A row of the history: losses, pace, learning rates, gradient norms, warnings; validated if due."""
        optim, values = self.config.optim, self._read(losses)
        pace = self.pace.measure(self.step)
        row: dict[str, Any] = {"step": self.step, "epoch": round(self.step / self.epoch_steps, 4)} | values | pace
        row["lr"] = optim.lr * lr_factor
        if optim.lr_discriminator:
            row["lr_discriminator"] = optim.lr_discriminator * lr_factor
        row |= self.train_step.gradient_norms()
        self._warn(self.health.observe_losses(values))
        if self.warnings:
            row["warnings"], self.warnings = self.warnings, []
        if validate and self.validation:
            row |= self._validate(self.validation)
            self.progress.say(self.validation.sentence())
        self.pace.start(self.step)
        if self.main:
            self.history.append(row)
        if self.tracker:
            self.tracker.log(row)
        left = pace["step_seconds"] * (self.total_steps - self.step)
        self.progress.report(self.step, values, pace["images_per_second"], pace["utilisation"], left)

    def _finish_tracking(self, exit_code: int) -> None:
        if self.tracker:
            for note in self.tracker.finish(exit_code=exit_code):
                self.progress.say(note)

    def _warn(self, sentences: list[str]) -> None:
        for sentence in sentences:
            self.progress.say(f"Warning at step {self.step}: {sentence}")
            if self.tracker:
                self.tracker.warn(sentence)
        self.warnings += sentences

    def _may_ask(self) -> bool:
        return self.processes.num_processes == 1 or self.step % AGREE_EVERY == 0

    def _headline(self) -> str:
        parameters = sum(
            weight.numel() for network in self.train_step.model.generators.values() for weight in network.parameters()
        )
        parts = [
            f"{self.config.model.name}, generators of {parameters / 1e6:.1f} M parameters",
            f"{len(self.dataset)} images an epoch, {self.total_steps} steps",
            describe(self.device) + (f" × {self.processes.num_processes}" if self.processes.num_processes > 1 else ""),
            f"{self.choices['precision']}, {self.choices['layout'].removesuffix('_format')}",
            "compiled" if self.choices["compile"] else "not compiled",
        ]
        return ("Resuming at step " + str(self.step) + ": " if self.step else "Training ") + "; ".join(parts) + "."

    def _read(self, losses: dict[str, Tensor]) -> dict[str, float]:
        """The losses as numbers, averaged over all processes. Raises UserError where one is not finite."""
        values = reduce(torch.stack(list(losses.values())), "mean").tolist()
        named = dict(zip(losses, values, strict=True))
        broken = [name for name, value in named.items() if not math.isfinite(value)]
        if broken:
            raise UserError(
                f"The loss {broken[0]} is no longer a number at step {self.step}; the last good state is kept in "
                f"{self.folder / 'state'}. Try a lower --optim.lr or --run.precision float32."
            )
        return named

    # -------------------------------------------------------------------------------------------------- what is written

    def _sheet_batches(self) -> list[dict[str, Tensor]]:
        dataset = self._dataset(training=False)
        count = min(self.config.run.samples, len(dataset))
        samples = [dataset[(0, index * len(dataset) // count)] for index in range(count)]
        return [{name: sample[name][None].to(self.device) for name in ("A", "B")} for sample in samples]

    def _write_sheet(self, batches: list[dict[str, Tensor]]) -> list[str]:
        """Write the samples of this step. Returns what is wrong with them, in sentences."""
        path = self.folder / "samples" / f"step-{self.step:08d}.png"
        step = self.train_step
        rows = write_sheet(
            path, type(step.model), step.ema.generators, batches, statistics(self.config, self.global_batch) == "image"
        )
        ends = domains(self.config)
        ways = [" → ".join(ends if direction == "a2b" else ends[::-1]) for direction in step.model.generators]
        pairs = {way: [(row[0], row[1]) for row in rows[number :: len(ways)]] for number, way in enumerate(ways)}
        if self.tracker:
            shown = {way: [(rgb(real[0]), rgb(fake[0])) for real, fake in pairs[way]] for way in ways}
            self.tracker.log_samples(path, shown, self.step)
        return self.health.observe_images(self.step, pairs)

    def _validation(self) -> Validation:
        return Validation(
            self.config,
            self.device,
            self.dtype,
            statistics(self.config, self.global_batch) == "image",
            before=read_history(self.folder / "history.jsonl"),
        )

    def _validate(self, validation: Validation) -> dict[str, float]:
        """Measure the averaged generators and keep them in checkpoints/best where they are the best so far."""
        values = validation(self.step, self.train_step.ema.generators)
        if validation.is_best:
            save_checkpoint(self.folder / "checkpoints" / "best", self._about(), self.train_step.ema.generators)
            if self.tracker:
                self.tracker.log_checkpoint(self.folder / "checkpoints" / "best", self.step, "best")
        return values

    def _about(self) -> CheckpointConfig:
        """The config.json of a checkpoint taken now."""
        about = describe_checkpoint(
            self.config,
            self.step,
            self.step / self.epoch_steps,
            self.global_batch,
            self.pace.seconds,
            describe(self.device),
        )
        if self.validation and self.validation.metrics:
            about.metrics = self.validation.metrics | {"best": self.validation.best}
        return about

    def _save(self, losses: dict[str, Tensor]) -> None:
        self._read(losses)  # a state with weights that are no numbers must not replace a good one
        if not self.main:
            return
        info = {
            "choices": self.choices,
            "schedule": self.schedule.state_dict(),
            "seconds": self.pace.seconds,
            "tracker_id": self.tracker_id,
            "config": self.config.dump(),
        }
        save_state(self.folder / "state", State(self.step, self.train_step.state_dict(), info))
        checkpoints = self.folder / "checkpoints"
        newest = checkpoints / f"step-{self.step:08d}"
        save_checkpoint(newest, self._about(), self.train_step.ema.generators)
        if self.tracker:
            self.tracker.log_checkpoint(newest, self.step, "latest")
        for old in sorted(checkpoints.glob("step-*"))[: -self.config.run.keep]:
            shutil.rmtree(old, ignore_errors=True)

    def _restore(self, state: State) -> None:
        self.train_step.load_state_dict(state.tensors)
        self.schedule.load_state_dict(state.info["schedule"])
        self.step = state.step
        self.tracker_id = state.info["tracker_id"]
        if self.main:
            for name, before, now in changed_settings(state.info["config"], self.config.dump()):
                log.warning("Resuming with %s changed from %s to %s.", name, before, now)
