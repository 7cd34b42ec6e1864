"""Every setting of a training run in one tree, put together from the rooms that the settings belong to."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from translate.catalogue import locate_data
from translate.checkpoints.settings import DrawingConfig
from translate.data.settings import DataConfig
from translate.errors import UserError
from translate.evaluation.settings import EvaluationConfig
from translate.models import DEFAULT_MODEL, AnyModel, model_class, model_names
from translate.networks import DISCRIMINATORS, GENERATORS
from translate.settings import Settings, explain, map_paths
from translate.tracking.settings import TrackingConfig

RUN_FILE = "config.yaml"
"""The settings of a run, in its folder."""
TRACES = ("history.jsonl", "state", "process.json")
"""One of these lies beside `RUN_FILE` in every folder that was trained in."""

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
        if isinstance(given, dict) and given.get("compile") in ("true", "false"):  # a flag without a value is true
            return given | {"compile": "on" if given["compile"] == "true" else "off"}
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
        """Read a YAML file, or the settings of a run.

        Args:
            path: a preset, whose relative paths are relative to the working directory (the data sets that can be
                pulled are found wherever they are kept); or a run's folder or the
                config.yaml in it. The folder that is named is the run (`run.dir`), wherever it was trained, and
                relative paths are relative to it, or, where nothing lies there, to the working directory.
            overrides: `{"data.crop_size": 128}`: dotted names that replace what the file says.
        Raises:
            UserError: the file is missing or not YAML, or a setting is unknown or ill-typed.
        """
        path = Path(path)
        run = run_folder(path)
        if run is None:
            config = cls.build(cls._read(path), overrides, source=str(path))
            config.data.root = locate_data(config.data.root)
            return config
        file = run / RUN_FILE
        if not file.is_file():
            raise UserError(
                f"{run} holds no run: there is no {RUN_FILE} in it. To train on the pictures in it: "
                f"translate train {DEFAULT_MODEL} --data.root {shlex.quote(str(run))}"
            )
        saved = map_paths(cls.build(cls._read(file), source=str(file)), lambda one: _found_from(run, one))
        saved.run.dir = run
        return cls.build(saved.dump(), overrides, source=str(file)) if overrides else saved

    @staticmethod
    def _read(path: Path) -> dict[str, Any]:
        try:
            tree = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except OSError as error:
            raise UserError(f"Cannot read the settings {path}: {error.strerror}.") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"{path} is not valid YAML: {error}") from error
        if not isinstance(tree, dict):
            raise UserError(f"{path} holds no settings; it should be a YAML mapping with model, data, optim, run.")
        return tree

    @classmethod
    def build(
        cls, tree: dict[str, Any], overrides: dict[str, Any] | None = None, source: str = "settings"
    ) -> TrainConfig:
        """Validate nested settings, with dotted overrides applied. Raises UserError naming each wrong setting."""
        for dotted, value in (overrides or {}).items():
            # The first discriminator has a spelling of its own, which would win over this one where both are given.
            *sections, leaf = dotted.replace("model.discriminators.0.", "model.discriminator.").split(".")
            branch = tree
            for section in sections:
                branch = _section(branch, section, dotted)
            branch[leaf] = value
            # run.steps and run.epochs replace one another: the one given last counts.
            if dotted in ("run.steps", "run.epochs"):
                branch.pop("epochs" if leaf == "steps" else "steps", None)
        try:
            return cls.model_validate(tree)
        except ValidationError as error:
            model = tree.get("model")
            named = model.get("name") if isinstance(model, dict) else model
            names = [row.name for row in setting_rows(named if named in model_names() else "")]
            raise UserError(f"{source}: {explain(error, names)}") from error

    def dump(self) -> dict[str, Any]:
        """Plain nested data, as YAML and JSON hold it."""
        return self.model_dump(mode="json")

    def absolute(self) -> TrainConfig:
        """The same settings for any working directory: relative paths, and names that are folders, made absolute."""
        fixed = map_paths(self, Path.absolute)
        for section, name in _NAMES_OR_FOLDERS:
            value = getattr(getattr(fixed, section), name)
            if value and _is_checkpoint_or_run(Path(value)):
                setattr(getattr(fixed, section), name, str(Path(value).absolute()))
        return fixed

    def save_in_run(self) -> None:
        """Write the settings to config.yaml in the run's folder, so that they hold when the folder is moved or copied.

        Paths in the folder are written relative to it, all others absolute.
        """
        run = self.run.dir.absolute()

        def portable(path: Path) -> Path:
            return path.relative_to(run) if path != run and path.is_relative_to(run) else path

        map_paths(self.absolute(), portable).save(self.run.dir / RUN_FILE)

    def save(self, path: Path) -> None:
        """Write the settings as YAML."""
        path.write_text(yaml.safe_dump(self.dump(), sort_keys=False, allow_unicode=True), encoding="utf-8")


_NAMES_OR_FOLDERS = (("run", "start_from"), ("evaluation", "extractor"))
"""Settings that are a name or a folder."""


def run_folder(path: Path) -> Path | None:
    """The run that a path means: a folder, or that of a run's config.yaml; None for any other file."""
    if path.is_dir():
        return path
    in_run = path.name == RUN_FILE and any((path.parent / name).exists() for name in TRACES)
    return path.parent if in_run else None


def _found_from(run: Path, path: Path) -> Path:
    """Where a path in a run's settings leads: absolute ones as they are, others into the run where something is there.

    Runs of earlier versions have paths that are relative to the working directory of their time.
    """
    return run / path if not path.is_absolute() and (run / path).exists() else path


def _is_checkpoint_or_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("config.json", "classifier.json", "checkpoints"))


def _section(branch: Any, section: str, dotted: str) -> Any:
    """The part of a tree of settings that a part of a dotted name leads to, made where it is missing.

    Entries of a list, such as `model.discriminators.1`, go by their number; every list of sections has one by default.
    """
    if section.isdigit() and isinstance(branch, list):
        if int(section) > len(branch):
            raise UserError(f"--{dotted}: there are {len(branch)} before it, so the next one has number {len(branch)}.")
        branch.extend({} for _ in range(int(section) + 1 - len(branch)))
        found = branch[int(section)]
    elif isinstance(branch, dict):
        found = branch.setdefault(section, [{}] if section == "discriminators" else {})
    else:
        found = None
    if not isinstance(found, dict | list):
        raise UserError(f"--{dotted}: {section} is a single setting, not a section.")
    return found


class SettingRow(NamedTuple):
    """A setting, for people."""

    name: str
    """Dotted, e.g. data.crop_size."""
    default: str
    meaning: str


def setting_rows(model: str = "") -> list[SettingRow]:
    """Every setting of a run with a model, those of all generators and discriminators included.

    Raises UserError where there is no such model; without a name it is the default one.
    """
    chosen = model_class(model or DEFAULT_MODEL).Config()
    rows = list(_rows("", TrainConfig(model=chosen)))
    shown = {row.name for row in rows}
    for registry, tag, place in ((GENERATORS, "architecture", "generator"), (DISCRIMINATORS, "kind", "discriminator")):
        for name in registry.names():
            for row in _rows(f"model.{place}.", registry[name].Config()):
                if row.name not in shown:
                    rows.append(row._replace(meaning=f"{place}.{tag} {name}: {row.meaning}"))
    return rows


def _rows(prefix: str, values: BaseModel) -> Iterator[SettingRow]:
    for name, info in type(values).model_fields.items():
        value: Any = getattr(values, name)
        if isinstance(value, BaseModel):
            yield from _rows(f"{prefix}{name}.", value)
        elif isinstance(value, list) and value and isinstance(value[0], BaseModel):
            yield from _rows(f"{prefix}{name.removesuffix('s')}.", value[0])  # the spelling for the first of them
        else:
            yield SettingRow(f"{prefix}{name}", str(value), info.description or "")
