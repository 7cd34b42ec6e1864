"""Every setting of a training run in one tree, put together from the rooms that the settings belong to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from translate.checkpoints.settings import DrawingConfig
from translate.data.settings import DataConfig
from translate.errors import UserError
from translate.evaluation.settings import EvaluationConfig
from translate.models import DEFAULT_MODEL, AnyModel, model_class
from translate.settings import Settings, explain
from translate.tracking.settings import TrackingConfig

DEFAULT_EPOCHS = 200
"""Passes over the data where neither run.epochs nor run.steps is given (Zhu et al. 2017, section 4)."""


class OptimConfig(Settings):
    """Batch size, optimiser, learning rate schedule and moving average."""

    batch_size: int = Field(1, ge=1, description="images a step of each domain, in each process")
    lr: float = Field(2e-4, gt=0, description="learning rate of Adam")
    lr_discriminator: float | None = Field(
        None, gt=0, description="the discriminators' learning rate, where it differs"
    )
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's first moment")
    beta2: float = Field(0.999, ge=0, lt=1, description="Adam's second moment")
    schedule: Literal["linear", "step", "plateau", "cosine", "constant"] = Field(
        "linear", description="linear: constant, then to zero; step and plateau: times `factor`; cosine: to zero"
    )
    decay_start: float = Field(0.5, ge=0, le=1, description="linear: share of the run before the decay begins")
    decay_epochs: int = Field(50, ge=1, description="step: epochs between two decays; plateau: epochs of patience")
    factor: float = Field(0.1, gt=0, le=1, description="step and plateau: what the learning rate is multiplied by")
    warmup_steps: int = Field(0, ge=0, description="steps over which the learning rate rises from zero")
    clip_norm: float | None = Field(None, gt=0, description="largest norm of the gradients of each player; none is off")
    ema: float = Field(0.999, ge=0, lt=1, description="decay a step of the generators' moving average; 0 is off")


class RunConfig(Settings):
    """Length of the run, its folder, what is written and how often, and the device, precision and compilation."""

    dir: Path = Field(Path("runs/run"), description="folder of the run: settings, history, samples, checkpoints, state")
    epochs: int | None = Field(None, ge=1, description="passes over the data")
    steps: int | None = Field(None, ge=1, description="updates of the weights; instead of epochs")
    start_from: str | None = Field(
        None, description="fine-tune: a checkpoint's name or folder whose generators the training begins with"
    )
    seed: int = Field(0, ge=0, description="the same seed gives the same run")
    log_every: int = Field(20, ge=1, description="steps between two rows of history.jsonl")
    sample_every: int = Field(500, ge=1, description="steps between two sheets of samples")
    save_every: int = Field(1000, ge=1, description="steps between two saved states and checkpoints")
    keep: int = Field(3, ge=1, description="checkpoints that are kept; older ones are deleted")
    samples: int = Field(4, ge=0, description="images on a sheet of samples; 0 is none")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="of the networks' arithmetic"
    )
    layout: Literal["auto", "channels_last", "contiguous"] = Field("auto", description="of the images in memory")
    compile: Literal["auto", "on", "off"] = Field(
        "auto", description="torch.compile; auto: where it pays back in this run"
    )
    merge: bool = Field(True, description="send images through a network together where that gives the same result")

    @model_validator(mode="before")
    @classmethod
    def _compile_may_be_a_flag(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("compile"), bool):
            return given | {"compile": "on" if given["compile"] else "off"}  # YAML reads a bare `on` as true
        return given

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.epochs is not None and self.steps is not None:
            raise ValueError("give run.steps or run.epochs, not both")
        return self


class TrainConfig(Settings):
    """All of a training run."""

    name: str = Field("", description="what the checkpoint is called; the run folder's name where not given")
    title: str = Field("", description="what people see, e.g. Horse ↔ Zebra")
    dataset: str = Field("", description="name of the data set in the checkpoint's model card")
    license: str = Field("", description="licence of the data, for the model card")
    limits: str = Field("", description="what the checkpoint cannot do, in one line, for the model card")
    drawing: DrawingConfig | None = Field(
        None, description="colours to draw with, where the model reads drawings, for the studio's Draw tab"
    )
    model: AnyModel = Field(default_factory=lambda: model_class(DEFAULT_MODEL).Config())
    data: DataConfig = Field(default_factory=DataConfig)
    optim: OptimConfig = Field(default_factory=OptimConfig)
    run: RunConfig = Field(default_factory=RunConfig)
    evaluation: EvaluationConfig = Field(default_factory=EvaluationConfig)
    tracking: TrackingConfig = Field(default_factory=TrackingConfig)

    @classmethod
    def load(cls, path: str | Path, overrides: dict[str, Any] | None = None) -> TrainConfig:
        """Read a YAML file.

        Args:
            path: the preset, or a run's config.yaml.
            overrides: `{"data.crop_size": 128}`: dotted names that replace what the file says.
        Raises:
            UserError: the file is missing or not YAML, or a setting is unknown or ill-typed.
        """
        path = Path(path)
        try:
            tree = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except OSError as error:
            raise UserError(f"Cannot read the settings {path}: {error.strerror}.") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"{path} is not valid YAML: {error}") from error
        if not isinstance(tree, dict):
            raise UserError(f"{path} holds no settings; it should be a YAML mapping with model, data, optim, run.")
        return cls.build(tree, overrides, source=str(path))

    @classmethod
    def build(
        cls, tree: dict[str, Any], overrides: dict[str, Any] | None = None, source: str = "settings"
    ) -> TrainConfig:
        """Validate nested settings, with dotted overrides applied. Raises UserError naming each wrong setting."""
        for dotted, value in (overrides or {}).items():
            branch = tree
            *sections, leaf = dotted.split(".")
            for section in sections:
                branch = branch.setdefault(section, {})
                if not isinstance(branch, dict):
                    raise UserError(f"--{dotted}: {section} is a single setting, not a section.")
            branch[leaf] = value
            # run.steps and run.epochs replace one another: the one given last counts.
            if dotted in ("run.steps", "run.epochs"):
                branch.pop("epochs" if leaf == "steps" else "steps", None)
        try:
            return cls.model_validate(tree)
        except ValidationError as error:
            raise UserError(f"{source}: {explain(error)}") from error

    def dump(self) -> dict[str, Any]:
        """Plain nested data, as YAML and JSON hold it."""
        return self.model_dump(mode="json")

    def save(self, path: Path) -> None:
        """Write the settings as YAML."""
        path.write_text(yaml.safe_dump(self.dump(), sort_keys=False, allow_unicode=True), encoding="utf-8")
