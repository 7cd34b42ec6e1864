"""Do the same 20 training steps give the losses that the reference implementation's `optimize_parameters` gives?

    python benchmarks/reference_training.py --reference PATH [--quick] [--only WORD] [--data FOLDER] [--threads N]

PATH is a checkout of pytorch-CycleGAN-and-pix2pix. Its own models and ours start from the same weights and see the same
batches, on the CPU: of FOLDER/facades and FOLDER/horse2zebra where they are there, else of soft drawn pictures. For
every loss of every step the relative difference is taken; a table shows the largest one of some steps, the largest of
all, and that of the weights and averages after the last step. Two kinds of rows are held against a limit:

    float32, same operations   contiguous images, one pass a batch (run.merge: false), and Adam as PyTorch runs it by
                               default on a CPU (ours is fused). Limit 1e-4 for all 20 steps; in fact the losses and
                               the weights are the same to the last bit, and G_total alone is summed in another order.
    float64                    as we train: merged passes, channels_last, fused Adam. These only round in another way,
                               so in float64 next to nothing may be left of the difference: limit 1e-6 for 10 steps.

The other rows have no limit, since no two ways to round stay together for long: where a gradient is near zero, Adam
(which divides it by its own size) makes a step out of its rounding error, and differences grow tenfold a step. The rows
«theirs, last bit moved» show that: the reference against itself, each of its first weights changed by about the
precision of a number (1e-7 in float32, 2e-16 in float64).

Dropout is on where the title says so, and then the reference starts each step with our step's random seed, so that both
draw the same noise; in another layout it would fall on other places, so the rows above are without. Left out is what
differs by design: a full image pool exchanges images at random, so the pools of 50 do not fill up within 20 steps, and
our learning rate follows the step and the reference's the epoch, so it is constant.

The exit code is 1 if a difference is above its limit.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple

import torch
from reference_checkout import add_reference, find_checkout, import_from
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F

from translate.checkpoints.reference import discriminator_to_reference, net_G, to_reference
from translate.config import TrainConfig
from translate.data.loading import TranslationDataset, make_loader
from translate.data.settings import DataConfig
from translate.models import build_model
from translate.training.learner import Learner
from translate.training.trainer import train_step

STEPS = 20
SHOWN = (1, 2, 5, 10, 15, 20)
"""Steps with a column in the table, counted from 1."""
SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"

Losses = dict[str, float]
"""The losses of one step by the reference's names, and G_total, the sum that its generators minimise."""


@dataclass(frozen=True)
class Setting:
    """What is trained on both sides."""

    model: Literal["pix2pix", "cyclegan", "cut", "fastcut"]
    generator: tuple[tuple[str, Any], ...]
    size: int
    batch: int
    width: int = 64
    dropout: bool = False

    def config(self, merge: bool = False) -> TrainConfig:
        """Our settings; all that is not named here is our default, which is the paper's and the reference's."""
        generator = {"width": self.width, "dropout": self.dropout, **dict(self.generator)}
        model = {"name": self.model, "generator": generator, "discriminator": {"width": self.width}}
        return TrainConfig.build({"model": model, "optim": {"batch_size": self.batch}, "run": {"merge": merge}})

    @property
    def title(self) -> str:
        """In the words of the reference's options."""
        netG = f"{net_G(self.config().model.generator)}{' with dropout' if self.dropout else ''}"
        return f"{self.model} {netG}, ngf {self.width}, {self.size}×{self.size} pixels, batch {self.batch}"


@dataclass(frozen=True)
class Arithmetic:
    """How our side computes, and how far from the reference it may be in its first `limit_steps`."""

    name: str
    dtype: torch.dtype
    layout: torch.memory_format = torch.contiguous_format
    merge: bool = True
    fused: bool = True
    limit: float | None = None
    limit_steps: int = STEPS


SAME_OPERATIONS = (Arithmetic("same operations", torch.float32, merge=False, fused=False, limit=1e-4),)
FLOAT64 = (
    Arithmetic("merged", torch.float64, limit=1e-6, limit_steps=10),
    Arithmetic("merged, channels_last", torch.float64, torch.channels_last, limit=1e-6, limit_steps=10),
)
FLOAT32 = (
    Arithmetic("one pass a batch", torch.float32, merge=False),
    Arithmetic("merged", torch.float32),
    Arithmetic("merged, channels_last", torch.float32, torch.channels_last),
)

Plan = list[tuple[Setting, tuple[Arithmetic, ...]]]
UNET_128 = (("size", 128),)
UNET_256 = (("size", 256),)
RESNET_6 = (("blocks", 6),)
RESNET_9 = (("blocks", 9),)
FULL: Plan = [
    (Setting("pix2pix", UNET_256, size=256, batch=1), SAME_OPERATIONS + FLOAT32),
    (Setting("pix2pix", UNET_256, size=256, batch=2), SAME_OPERATIONS),
    (Setting("pix2pix", UNET_256, size=256, batch=1, dropout=True), SAME_OPERATIONS),
    (Setting("pix2pix", UNET_256, size=256, batch=1, width=32), FLOAT64),
    (Setting("cyclegan", RESNET_9, size=128, batch=1), SAME_OPERATIONS + FLOAT32),
    (Setting("cyclegan", RESNET_6, size=128, batch=2), SAME_OPERATIONS),
    (Setting("cyclegan", RESNET_9, size=128, batch=1, width=16), FLOAT64),  # float64 has no fast convolutions
    (Setting("cyclegan", RESNET_6, size=256, batch=1), SAME_OPERATIONS),
    (Setting("cyclegan", RESNET_9, size=256, batch=1), SAME_OPERATIONS),
]
QUICK: Plan = [
    (Setting("pix2pix", UNET_128, size=128, batch=1, width=8, dropout=True), SAME_OPERATIONS),
    (Setting("pix2pix", UNET_128, size=128, batch=2, width=8), SAME_OPERATIONS + FLOAT64),
    (Setting("cyclegan", RESNET_6, size=64, batch=1, width=8), SAME_OPERATIONS + FLOAT64),
]


# ---------------------------------------------------------------------------------------------------------- the batches


def load_batches(setting: Setting, data: Path) -> tuple[list[dict[str, Tensor]], str]:
    """STEPS batches {"A", "B"} of (N, 3, H, W) in [-1, 1], float32, and the name of what they show.

    Noise would not do: on it the losses leap from step to step.
    """
    paired = setting.model == "pix2pix"
    root = data / ("facades" if paired else "horse2zebra")
    if not root.is_dir():
        return [_drawn(setting, step) for step in range(STEPS)], "drawn pictures"
    config = DataConfig(
        root=root,
        direction="b2a" if paired else "a2b",
        load_size=setting.size * 286 // 256,
        crop_size=setting.size,
        cache_gb=0.0,
    )
    dataset = TranslationDataset(config, channels=(3, 3), paired=paired, seed=0)
    loader = make_loader(dataset, batch_size=setting.batch, seed=0, workers=0)
    return [{name: batch[name] for name in ("A", "B")} for _, batch in zip(range(STEPS), loader, strict=False)], (
        root.name
    )


def _drawn(setting: Setting, step: int) -> dict[str, Tensor]:
    """Soft colour gradients; B is the negative of A, flipped where they are no pair."""
    coarse = torch.rand(setting.batch, 3, 5, 5, generator=torch.Generator().manual_seed(step)) * 2 - 1
    A = F.interpolate(coarse, (setting.size, setting.size), mode="bicubic").clamp(-1, 1)
    return {"A": A, "B": -A if setting.model == "pix2pix" else -A.flip(2)}


# ------------------------------------------------------------------------------------------------------- the two sides


class Run(NamedTuple):
    """Losses of each step, the weights and averages after the last one under the reference's names, and the seeds."""

    losses: list[Losses]
    weights: dict[str, Tensor]
    seeds: list[int]


def first_weights(setting: Setting) -> dict[str, Tensor]:
    """State dict of our model, float32."""
    torch.manual_seed(0)
    weights: dict[str, Tensor] = build_model(setting.config().model).state_dict()
    return weights


def their_names(setting: Setting, state: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Our model's state dict as state dicts of the reference's networks G, D or G_A, G_B, D_A, D_B."""
    model = setting.config().model
    networks: dict[str, dict[str, Tensor]] = {}
    for name in dict.fromkeys(key.partition(".")[0] for key in state):
        prefix = f"{name}." if name.startswith("G") else f"{name}.0."  # the first of its discriminators
        own = {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}
        if name.startswith("G"):
            networks[name] = to_reference(own, model.generator)
        else:
            networks[name] = discriminator_to_reference(own, model.discriminators[0])
    return networks


def build_reference(checkout: Path, setting: Setting) -> Any:
    """The reference's model with the defaults of its options, except dropout's, on the CPU."""
    ours = setting.config().model
    pix2pix = setting.model == "pix2pix"
    options = SimpleNamespace(
        isTrain=True, gpu_ids=[], checkpoints_dir=gettempdir(), name="", preprocess="resize_and_crop",
        direction="AtoB", input_nc=3, output_nc=3, ngf=setting.width, ndf=setting.width, netG=net_G(ours.generator),
        netD="basic", n_layers_D=3, norm=ours.generator.norm, no_dropout=not setting.dropout, init_type="normal",
        init_gain=0.02, lr=0.0002, beta1=0.5, pool_size=0 if pix2pix else 50,
        gan_mode="vanilla" if pix2pix else "lsgan", lambda_L1=100.0, lambda_A=10.0, lambda_B=10.0, lambda_identity=0.5,
    )  # fmt: skip
    name, classname = ("pix2pix", "Pix2PixModel") if pix2pix else ("cycle_gan", "CycleGANModel")
    module = import_from(checkout, f"models.{name}_model")
    with contextlib.redirect_stdout(io.StringIO()):
        return getattr(module, classname)(options)


def train_ours(
    setting: Setting, arithmetic: Arithmetic, weights: Mapping[str, Tensor], batches: Sequence[Mapping[str, Tensor]]
) -> Run:
    """Train with the trainer's own step."""
    # The step's dtype is that of autocast; in float64 it is the default dtype that makes the networks so.
    step = Learner(setting.config(arithmetic.merge), torch.device("cpu"), torch.float32, arithmetic.layout)
    step.model.load_state_dict(weights, strict=True)
    for player in step.optimizers.values():
        for optimizer in player.optimizers:
            optimizer.param_groups[0]["fused"] = arithmetic.fused
    losses, seeds = [], []
    for number, batch in enumerate(batches):
        real = {side: batch[side].to(torch.get_default_dtype()) for side in ("A", "B")}
        losses.append({name: loss.item() for name, loss in train_step(step, real, number).items()})
        seeds.append(torch.initial_seed())
    return Run(losses, _flat(their_names(setting, step.model.state_dict())), seeds)


def train_reference(
    checkout: Path,
    setting: Setting,
    weights: Mapping[str, Tensor],
    batches: Sequence[Mapping[str, Tensor]],
    seeds: Sequence[int],
    move: float = 0.0,
) -> Run:
    """Train with the reference's `optimize_parameters`.

    Args:
        seeds: of the noise of each step.
        move: relative size (standard deviation) of a random change to the first weights.
    """
    model = build_reference(checkout, setting)
    networks: dict[str, nn.Module] = {name: getattr(model, f"net{name}") for name in model.model_names}
    change = torch.Generator().manual_seed(1)
    for name, state in their_names(setting, weights).items():
        networks[name].load_state_dict(state, strict=True)
        with torch.no_grad():
            for parameter in networks[name].parameters():
                parameter.mul_(1 + move * torch.randn(parameter.shape, generator=change))
    losses = []
    for batch, seed in zip(batches, seeds, strict=True):
        real = {side: batch[side].to(torch.get_default_dtype()) for side in ("A", "B")}
        model.set_input({**real, "A_paths": [], "B_paths": []})
        torch.manual_seed(seed)
        model.optimize_parameters()
        named = {name: getattr(model, f"loss_{name}").item() for name in model.loss_names}
        losses.append({**named, "G_total": model.loss_G.item()})
    return Run(losses, _flat({name: network.state_dict() for name, network in networks.items()}), list(seeds))


def _flat(networks: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {f"{name}.{key}": tensor for name, state in networks.items() for key, tensor in state.items()}


@contextlib.contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Networks built within compute in `dtype`."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


# ------------------------------------------------------------------------------------------------------- the difference


def differences(theirs: Sequence[Losses], ours: Sequence[Losses]) -> list[Losses]:
    """|ours − theirs| / |theirs| of each loss of each step; infinite where one of them is not a number."""
    if len(theirs) != len(ours):
        raise ValueError(f"{len(theirs)} steps of the reference and {len(ours)} of ours")
    return [
        {name: _relative(value, mine[name]) for name, value in step.items()}
        for step, mine in zip(theirs, ours, strict=True)
    ]


def _relative(theirs: float, ours: float) -> float:
    if not (math.isfinite(theirs) and math.isfinite(ours)):
        return math.inf
    return abs(ours - theirs) / abs(theirs) if theirs else (0.0 if ours == theirs else math.inf)


def is_missed(steps: Sequence[Losses], arithmetic: Arithmetic) -> bool:
    """Whether a loss is farther from the reference's than the limit allows."""
    limit = arithmetic.limit
    return limit is not None and max(max(step.values()) for step in steps[: arithmetic.limit_steps]) > limit


def weights_apart(theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> float:
    """Largest difference of a weight or average, relative to the largest of its tensor."""
    apart = 0.0
    for name, tensor in theirs.items():
        largest = tensor.abs().max().item()
        apart = max(apart, _relative(largest, largest + (ours[name] - tensor).abs().max().item()))
    return apart


def compare(
    checkout: Path,
    setting: Setting,
    ways: Sequence[Arithmetic],
    batches: Sequence[Mapping[str, Tensor]],
    table: Table,
    moved: bool,
) -> int:
    """Train in each of the ways, fill the table, and return how many missed their limit.

    `moved`: also train the reference a second time, its first weights moved by their last bit.
    """
    weights = first_weights(setting)
    expected: dict[torch.dtype, Run] = {}
    misses = 0
    for arithmetic in ways:
        with default_dtype(arithmetic.dtype):
            ours = train_ours(setting, arithmetic, weights, batches)
            if arithmetic.dtype not in expected:
                expected[arithmetic.dtype] = train_reference(checkout, setting, weights, batches, ours.seeds)
        misses += add_row(table, arithmetic, expected[arithmetic.dtype], ours)
    for dtype, theirs in expected.items() if moved else ():
        with default_dtype(dtype):
            other = train_reference(checkout, setting, weights, batches, theirs.seeds, move=torch.finfo(dtype).eps)
        add_row(table, Arithmetic("theirs, last bit moved", dtype), theirs, other)
    return misses


def add_row(table: Table, arithmetic: Arithmetic, theirs: Run, ours: Run) -> bool:
    """Fill a row of the table, and return whether it misses its limit."""
    steps = differences(theirs.losses, ours.losses)
    missed = is_missed(steps, arithmetic)
    worst, name = max((value, name) for step in steps for name, value in step.items())
    verdict = "–"
    if arithmetic.limit is not None:
        within = "" if arithmetic.limit_steps == STEPS else f", {arithmetic.limit_steps} steps"
        verdict = f"{'[red]missed' if missed else 'within'} {arithmetic.limit:.0e}{within}"
    table.add_row(
        str(arithmetic.dtype).removeprefix("torch."),
        arithmetic.name,
        *(f"{max(steps[step - 1].values()):.0e}" for step in SHOWN),
        f"{worst:.1e} {name if worst else ''}",
        f"{weights_apart(theirs.weights, ours.weights):.0e}",
        verdict,
    )
    return missed


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare everything, print a table for each setting, and return the exit code."""
    parser = argparse.ArgumentParser(
        description="Compare 20 of our training steps with the reference implementation's."
    )
    add_reference(parser)
    parser.add_argument("--quick", action="store_true", help="small networks and images: seconds instead of an hour")
    parser.add_argument("--only", default="", metavar="WORD", help="settings with this in their title, e.g. pix2pix")
    parser.add_argument(
        "--data", type=Path, default=SHARED_DATA, metavar="FOLDER", help="folder with facades/ and horse2zebra/"
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of PyTorch")
    given = parser.parse_args(arguments)
    checkout = find_checkout(parser, given.reference)
    chosen = [(setting, ways) for setting, ways in (QUICK if given.quick else FULL) if given.only in setting.title]
    if not chosen:
        parser.error(f"no setting has “{given.only}” in its title")
    torch.set_num_threads(given.threads)

    console = Console(width=150)
    began, rows, misses = time.perf_counter(), 0, 0
    for setting, ways in chosen:
        batches, shown = load_batches(setting, given.data)
        columns = ("precision", "ours", *(f"step {step}" for step in SHOWN), "largest", "weights", "limit")
        title = f"Relative difference of the losses from the reference's: {setting.title}, {shown}"
        table = Table(*columns, title=title)
        misses += compare(checkout, setting, ways, batches, table, moved=not given.quick and ways != SAME_OPERATIONS)
        rows += sum(arithmetic.limit is not None for arithmetic in ways)
        console.print(table)
    print(f"{rows} comparisons with a limit, {misses} missed, {time.perf_counter() - began:.0f} s")
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
