"""Every setting, once: its type, its default, and a sentence on what it does.

The command line's flags (`--data.crop_size 128`), the YAML presets, a run's `config.yaml`, a checkpoint's
`config.json` and the tracked run's config are all views of the classes below. An unknown or
ill-typed setting is an error that names it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from translate.errors import UserError

FORMAT_VERSION = 1
"""Version of the checkpoint folder's format; a reader refuses a newer one."""

Norm = Literal["batch", "instance", "none", "sync_batch"]
Init = Literal["normal", "xavier", "kaiming", "orthogonal"]
Objective = Literal["lsgan", "bce", "bce_minimax", "hinge", "wgan_gp"]


def _direction(value: object) -> object:
    """Accept the reference implementation's spelling, AtoB and BtoA."""
    return {"atob": "a2b", "btoa": "b2a"}.get(value.lower(), value.lower()) if isinstance(value, str) else value


Direction = Annotated[Literal["a2b", "b2a"], BeforeValidator(_direction)]


class Settings(BaseModel):
    """Base of all settings: unknown names are errors, and `defaults` may override those of a nested class."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    nested_defaults: ClassVar[dict[str, dict[str, Any]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _fill_nested_defaults(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        filled = dict(given)
        for field, defaults in cls.nested_defaults.items():
            value = filled.get(field) or {}
            if isinstance(value, dict):
                filled[field] = defaults | value
        return filled


# ------------------------------------------------------------------------------------------------------------- networks


class GeneratorConfig(Settings):
    """A generator: maps an image in [-1, 1] to an image of the same size in [-1, 1]."""

    architecture: Literal["resnet", "unet"] = Field("resnet", description="ResNet (Johnson 2016) or U-Net (Isola 2017)")
    in_channels: int = Field(3, ge=1, description="channels of the images it reads")
    out_channels: int = Field(3, ge=1, description="channels of the images it makes")
    width: int = Field(64, ge=1, description="filters of the first convolution (the reference's ngf)")
    blocks: int = Field(9, ge=0, le=64, description="resnet: residual blocks in the middle")
    downsamplings: int = Field(2, ge=0, le=6, description="resnet: stride-2 stages before the blocks")
    size: int = Field(256, description="unet: smallest image side; a power of two from 32 up; 256 has 8 levels")
    norm: Norm = Field("instance", description="normalisation; sync_batch is batch over all processes")
    bias: bool | None = Field(
        None, description="biases before norms; if not given as in the published weights: with instance norm only"
    )
    dropout: bool = Field(False, description="dropout 0.5: in every resnet block, in the unet's inner levels")
    padding: Literal["reflect", "replicate", "zeros"] = Field("reflect", description="resnet: padding of its blocks")
    upsample: Literal["transposed", "resize"] = Field(
        "transposed",
        description="transposed convolution, or nearest-neighbour resize and convolution (no checkerboard)",
    )
    separable: bool = Field(False, description="resnet: depthwise-separable convolutions in the blocks")
    residual: bool = Field(
        False, description="resnet: draw a change of the input instead of a new picture; colours stay"
    )
    spectral_norm: bool = Field(False, description="spectral normalisation of every convolution (Miyato 2018)")
    init: Init = Field("normal", description="initialisation of the weights")
    init_gain: float = Field(0.02, gt=0, description="standard deviation (normal) or gain of the initialisation")

    @model_validator(mode="before")
    @classmethod
    def _drop_attention(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "attention" not in given:
            return given
        if given["attention"]:
            raise ValueError("attention is no longer supported: the mask closed in training; try residual: true")
        return {name: value for name, value in given.items() if name != "attention"}

    @model_validator(mode="after")
    def _input_can_show(self) -> Self:
        if self.residual and self.architecture == "unet":
            raise ValueError("residual is for resnet generators")
        if self.residual and self.in_channels != self.out_channels:
            raise ValueError("residual needs as many in_channels as out_channels: the input shows in the output")
        return self

    @model_validator(mode="after")
    def _size_is_a_power_of_two(self) -> Self:
        if self.size < 32 or self.size & (self.size - 1):
            raise ValueError(f"size must be a power of two from 32 up, not {self.size}")
        return self

    @property
    def multiple(self) -> int:
        """Height and width of the input must be multiples of this many pixels."""
        return self.size if self.architecture == "unet" else 2**self.downsamplings


class DiscriminatorConfig(Settings):
    """A PatchGAN: judges overlapping patches of the image (70×70 pixels with three layers)."""

    architecture: Literal["patch", "pixel"] = Field("patch", description="patches, or single pixels (1×1)")
    width: int = Field(64, ge=1, description="filters of the first convolution (the reference's ndf)")
    layers: int = Field(3, ge=1, description="patch: stride-2 stages; 3 sees patches of 70×70 pixels")
    norm: Norm = Field("instance", description="normalisation")
    spectral_norm: bool = Field(False, description="spectral normalisation of every convolution (Miyato 2018)")
    init: Init = Field("normal", description="initialisation of the weights")
    init_gain: float = Field(0.02, gt=0, description="standard deviation (normal) or gain of the initialisation")


# --------------------------------------------------------------------------------------------------------------- models


class AdversarialConfig(Settings):
    """What both models share."""

    generator: GeneratorConfig = Field(default_factory=GeneratorConfig)
    discriminator: DiscriminatorConfig = Field(default_factory=DiscriminatorConfig)
    objective: Objective = Field("lsgan", description="adversarial objective")
    lambda_gp: float = Field(10.0, ge=0, description="wgan_gp: weight of the gradient penalty")
    lambda_r1: float = Field(0.0, ge=0, description="weight of the R1 penalty (Mescheder 2018); 0 is off")
    lambda_perceptual: float = Field(0.0, ge=0, description="weight of the perceptual (VGG-16) loss; 0 is off")
    perceptual_weights: Path | None = Field(
        None, description="file of VGG-16 weights; torchvision's are downloaded if none"
    )


class Pix2PixConfig(AdversarialConfig):
    """pix2pix: paired images (Isola et al. 2017, https://arxiv.org/abs/1611.07004); the defaults are the paper's."""

    nested_defaults: ClassVar[dict[str, dict[str, Any]]] = {
        "generator": {"architecture": "unet", "norm": "batch", "dropout": True},
        "discriminator": {"norm": "batch"},
    }

    name: Literal["pix2pix"] = "pix2pix"
    objective: Objective = Field("bce", description="adversarial objective")
    lambda_L1: float = Field(100.0, ge=0, description="weight of the L1 distance to the target")


class CycleGANConfig(AdversarialConfig):
    """CycleGAN: unpaired images (Zhu et al. 2017, https://arxiv.org/abs/1703.10593); the defaults are the paper's."""

    name: Literal["cyclegan"] = "cyclegan"
    lambda_A: float = Field(10.0, ge=0, description="weight of the cycle A → B → A")
    lambda_B: float = Field(10.0, ge=0, description="weight of the cycle B → A → B")
    lambda_identity: float = Field(0.5, ge=0, description="weight of the identity loss, relative to the cycle's")
    pool_size: int = Field(50, ge=0, description="past translations shown to the discriminators (Shrivastava 2017)")


# ----------------------------------------------------------------------------------------------------------------- data


class DataConfig(Settings):
    """Where the images are and how they become batches."""

    root: Path = Field(Path("data"), description="folder of the data set")
    layout: Literal["auto", "side_by_side", "two_folders", "unpaired"] = Field(
        "auto",
        description="side_by_side: A and B in one file; two_folders: pairs by name; unpaired; auto looks at the folder",
    )
    split: str = Field("train", description="which images to train on: folder train/, or trainA/ and trainB/")
    val_split: str = Field(
        "val", description="which images to draw samples from; the training split where it is missing"
    )
    direction: Direction = Field("a2b", description="b2a swaps the domains; AtoB and BtoA are understood")
    domain_A: str = Field("A", description="what the images of A show, as they lie on disk")
    domain_B: str = Field("B", description="what the images of B show, as they lie on disk")
    preprocess: Literal[
        "resize_and_crop",
        "crop",
        "scale_width",
        "scale_width_and_crop",
        "scale_shorter",
        "scale_shorter_and_crop",
        "none",
    ] = Field("resize_and_crop", description="how images get their training size")
    load_size: int = Field(286, ge=1, description="pixels that images are scaled to before cropping")
    crop_size: int = Field(256, ge=1, description="pixels of the square that is cropped")
    flip: bool = Field(True, description="mirror half of the images (both of a pair)")
    augment: list[dict[str, Any] | str] = Field(
        default_factory=list,
        description="Albumentations transforms for A and B with the same geometry: - Rotate: {limit: 5}",
    )
    augment_A: list[dict[str, Any] | str] = Field(
        default_factory=list, description="further transforms for A alone (pixels only)"
    )
    augment_B: list[dict[str, Any] | str] = Field(
        default_factory=list, description="further transforms for B alone (pixels only)"
    )
    serial: bool = Field(False, description="take images in order instead of shuffling")
    limit: int | None = Field(None, ge=1, description="use at most this many images of each domain")
    workers: int | None = Field(None, ge=0, description="loading processes; chosen for the machine where not given")
    cache_gb: float = Field(2.0, ge=0, description="memory for decoded images, in gigabytes, all processes together")
    strict: bool = Field(False, description="stop at an unreadable image instead of skipping and counting it")


# ------------------------------------------------------------------------------------------------------------- drawings

Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$"), BeforeValidator(lambda text: str(text).lower())]


class DrawingConfig(Settings):
    """How to draw what a checkpoint reads, where that is a drawing: the studio's Draw tab offers just these colours.

    As YAML: `drawing: {background: "#ffffff", palette: {line: "#000000"}}`; one colour is drawn with a pen, several are
    the labels of areas. It describes the input of a2b.
    """

    background: Colour = Field(description="#rrggbb of the empty sheet")
    palette: dict[str, Colour] = Field(description="#rrggbb of each colour that has a meaning, by its name")

    @model_validator(mode="after")
    def _something_shows(self) -> Self:
        if not set(self.palette.values()) - {self.background}:
            raise ValueError("palette: a colour other than the background is needed")
        return self


# ------------------------------------------------------------------------------------------------------------- training


class OptimConfig(Settings):
    """How the weights move."""

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
    """How long, where, and how the run is kept."""

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


class TrackingConfig(Settings):
    """Weights & Biases. A local history.jsonl is written in every mode."""

    mode: Literal["auto", "online", "offline", "disabled"] = Field(
        "auto",
        description="auto: online where a W&B account is logged in, else offline; disabled where wandb is missing",
    )
    project: str = Field("translate", description="W&B project")
    entity: str | None = Field(None, description="W&B team or user")
    group: str | None = Field(None, description="W&B group")
    tags: list[str] = Field(default_factory=list, description="W&B tags")
    artifacts: bool | None = Field(
        None,
        description="keep every checkpoint as a version of a W&B artifact; not given: where online, "
        "as offline each would be on this disk twice",
    )
    gradients: bool = Field(False, description="log the norm of each network's gradients")


class EvaluationConfig(Settings):
    """Measuring while training, as `translate evaluate` does after: the averaged generators on validation images."""

    every: int = Field(0, ge=0, description="steps between two evaluations; 0 is never")
    images: int = Field(60, ge=2, description="at most this many validation images of each domain")
    size: int = Field(0, ge=0, description="pixels that they are scaled to; 0: 256, or data.crop_size where larger")
    extractor: str = Field(
        "",
        description="for FID and KID: inception, a torchvision model, a classifier's folder, none; "
        "not given: the classifier, else inception where its weights can be had",
    )
    extractor_weights: Path | None = Field(None, description="weights for the extractor instead of the published ones")
    classifier: Path | None = Field(None, description="folder of a domain classifier; see `translate classifier`")
    best: str = Field(
        "auto", description="metric that decides which step is kept in checkpoints/best: kid, kid_a2b, lpips, ssim, …"
    )


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
    model: Annotated[Pix2PixConfig | CycleGANConfig, Field(discriminator="name")] = Field(
        default_factory=CycleGANConfig
    )
    data: DataConfig = Field(default_factory=DataConfig)
    optim: OptimConfig = Field(default_factory=OptimConfig)
    run: RunConfig = Field(default_factory=RunConfig)
    evaluation: EvaluationConfig = Field(default_factory=EvaluationConfig)
    tracking: TrackingConfig = Field(default_factory=TrackingConfig)

    @model_validator(mode="after")
    def _cycles_need_square_channels(self) -> Self:
        generator = self.model.generator
        if (
            isinstance(self.model, CycleGANConfig)
            and self.model.lambda_identity > 0
            and generator.in_channels != generator.out_channels
        ):
            raise ValueError("the identity loss needs as many channels in A as in B; set model.lambda_identity to 0")
        return self

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
        if isinstance(tree.get("model"), dict):
            tree["model"].setdefault("name", "cyclegan")
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


def explain(error: ValidationError) -> str:
    """One clause per wrong setting: its dotted name and what is wrong with it."""
    clauses = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"] if part not in ("pix2pix", "cyclegan"))
        reason = (
            "no such setting" if problem["type"] == "extra_forbidden" else problem["msg"].removeprefix("Value error, ")
        )
        clauses.append(f"{name}: {reason}" if name else reason)
    return "; ".join(clauses)


# ---------------------------------------------------------------------------------------------------------- checkpoints


class Provenance(Settings):
    """Where a checkpoint's weights come from."""

    dataset: str = Field("", description="name of the data set")
    license: str = Field("", description="licence of the data")
    model: str = Field("", description="pix2pix, cyclegan, or what it was imported from")
    start: str = Field("", description="the checkpoint whose generators training began with")
    steps: int = Field(0, description="updates of the weights")
    epochs: float = Field(0.0, description="passes over the data")
    batch_size: int = Field(0, description="images a step")
    seed: int | None = Field(None, description="seed of the run")
    seconds: float = Field(0.0, description="time spent training")
    machine: str = Field("", description="processor or GPU it was trained on")
    commit: str = Field("", description="commit of this project, where it was a checkout")
    version: str = Field("", description="version of this project")
    created: str = Field("", description="ISO 8601 date and time, UTC")


class CheckpointConfig(Settings):
    """`config.json` of a checkpoint folder: all that is needed to use the weights beside it. No flag repeats it."""

    format_version: int = Field(FORMAT_VERSION, description="version of this format")
    name: str = Field(description="short name, as in `translate run NAME`")
    title: str = Field("", description="what people see")
    summary: str = Field("", description="one line on what it does")
    limits: str = Field("", description="one line on what it cannot do")
    domains: dict[Literal["a", "b"], str] = Field(
        description="names of the domains: what a2b reads is a, what it makes is b"
    )
    generators: dict[Direction, GeneratorConfig] = Field(description="architecture for each direction with weights")
    image_size: int = Field(256, description="pixels of the squares it was trained on")
    value_range: tuple[float, float] = Field(
        (-1.0, 1.0), description="range of the pixel values the networks read and make"
    )
    statistics: Literal["running", "image"] = Field(
        "running",
        description="batch norm: running averages, or the image's own statistics as pix2pix does at test time",
    )
    examples: list[str] = Field(default_factory=list, description="files in the folder to try it on, for the studio")
    drawing: DrawingConfig | None = Field(
        None, description="colours to draw with, where a2b reads drawings, for the studio"
    )
    metrics: dict[str, Any] = Field(
        default_factory=dict, description="as `translate evaluate` gives them, by direction"
    )
    provenance: Provenance = Field(default_factory=Provenance)

    @model_validator(mode="after")
    def _has_a_generator(self) -> Self:
        if not self.generators:
            raise ValueError("generators: at least one direction is needed")
        if set(self.domains) != {"a", "b"}:
            raise ValueError("domains: names for a and b are needed")
        return self

    def ends(self, direction: str) -> tuple[str, str]:
        """Names of the domains a direction leads from and to."""
        return (self.domains["a"], self.domains["b"]) if direction == "a2b" else (self.domains["b"], self.domains["a"])
