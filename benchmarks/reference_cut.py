"""Do the same 20 training steps of CUT give the losses that its authors' code gives, and what does a step cost?

    python benchmarks/reference_cut.py --reference-cut PATH [--quick] [--only WORD] [--data FOLDER] [--threads N]
    python benchmarks/reference_cut.py --time [--size 256] [--rounds 5]

PATH is a checkout of contrastive-unpaired-translation. Its CUTModel and ours start from the same weights, see the same
batches and compare the same patches: it draws these with numpy, which is made to give what torch gives after the seed
of our step. Its generator and discriminator are those without blurs (--no_antialias, --no_antialias_up), and its layers
0, 4, 7, 10, 14 are there what 0, 4, 8, 12, 16 are in the one with blurs. The float64 rows and their limit are those of
reference_training.py. In float32 both round in different ways from the first gradient on (the reference multiplies a
patch with its own counterpart by itself, where ours takes the diagonal of all products), and differences grow as they
do there: the limit is 1e-4 for the first 2 steps.

FastCUT is compared with two images a batch. With one, PyTorch 2.15 on a CPU gives a wrong gradient of nn.InstanceNorm2d
for contiguous images where the gradient that comes in is channels_last, as it is from the patches of features that are
not mirrored; the reference uses that norm, and ours does not.

--time needs no checkout. It sets the step of CUT and of FastCUT beside CycleGAN's with the same generator, each in a
process of its own, which take turns.

The exit code is 1 if a difference is above its limit.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import gettempdir
from types import SimpleNamespace
from typing import Any, Literal
from unittest import mock

import torch
from reference_checkout import import_from
from reference_training import (
    FLOAT64,
    RESNET_6,
    RESNET_9,
    SHARED_DATA,
    SHOWN,
    Arithmetic,
    Plan,
    Run,
    Setting,
    add_row,
    default_dtype,
    first_weights,
    load_batches,
)
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from training import Side, make_ours, take_turns

from translate.checkpoints.reference import discriminator_to_reference, net_G, to_reference
from translate.devices import choose_device, describe
from translate.training.learner import Learner
from translate.training.trainer import train_step

FLOAT32 = (Arithmetic("one pass a batch", torch.float32, merge=False, fused=False, limit=1e-4, limit_steps=2),)
FULL: Plan = [
    (Setting("cut", RESNET_9, size=128, batch=1), FLOAT32),
    (Setting("fastcut", RESNET_9, size=128, batch=2), FLOAT32),
    (Setting("cut", RESNET_6, size=128, batch=2), FLOAT32),
    (Setting("cut", RESNET_9, size=128, batch=1, width=16), FLOAT64),
    (Setting("fastcut", RESNET_9, size=128, batch=2, width=16), FLOAT64),
]
QUICK: Plan = [
    (Setting("cut", RESNET_6, size=64, batch=2, width=8), FLOAT32 + FLOAT64),
    (Setting("fastcut", RESNET_6, size=64, batch=2, width=8), FLOAT32 + FLOAT64),
]


def their_names(setting: Setting, state: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Our model's state dict as state dicts of the reference's networks G, F and D."""

    def below(prefix: str) -> dict[str, Tensor]:
        return {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}

    model = setting.config().model
    return {
        "G": to_reference(below("G."), model.generator),
        "F": {re.sub(r"^(\d+)", r"mlp_\1", key): tensor for key, tensor in below("F.mlps.").items()},
        "D": discriminator_to_reference(below("D.0."), model.discriminators[0]),
    }


def build_reference(checkout: Path, setting: Setting, batch: Mapping[str, Tensor]) -> Any:
    """The reference's model with the defaults of its options, except for the blurs, on the CPU.

    Its projection takes the shapes of its weights from a batch.
    """
    model: Any = setting.config().model
    options = SimpleNamespace(
        isTrain=True, gpu_ids=[], checkpoints_dir=gettempdir(), name="", preprocess="resize_and_crop",
        direction="AtoB", input_nc=3, output_nc=3, ngf=setting.width, ndf=setting.width, netG=net_G(model.generator),
        netD="basic", n_layers_D=3, normG="instance", normD="instance", no_dropout=True, init_type="xavier",
        init_gain=0.02, no_antialias=True, no_antialias_up=True, lr=0.0002, beta1=0.5, beta2=0.999, gan_mode="lsgan",
        batch_size=setting.batch, lambda_GAN=1.0, lambda_NCE=model.lambda_NCE, nce_idt=model.nce_identity,
        nce_layers="0,4,7,10,14", nce_T=0.07, nce_includes_all_negatives_from_minibatch=False, netF="mlp_sample",
        netF_nc=256, num_patches=256, flip_equivariance=model.flip_equivariance,
    )  # fmt: skip
    module = import_from(checkout, "models.cut_model")
    with contextlib.redirect_stdout(io.StringIO()):
        reference = module.CUTModel(options)
        reference.data_dependent_initialize(batch)
    return reference


def train_ours(
    setting: Setting, arithmetic: Arithmetic, weights: Mapping[str, Tensor], batches: Sequence[Mapping[str, Tensor]]
) -> Run:
    """Train with the trainer's own step."""
    # The step's dtype is that of autocast; in float64 it is the default dtype that makes the networks so.
    learner = Learner(setting.config(arithmetic.merge), torch.device("cpu"), torch.float32, arithmetic.layout)
    learner.model.load_state_dict(weights, strict=True)
    for player in learner.optimizers.values():
        for optimizer in player.optimizers:
            optimizer.param_groups[0]["fused"] = arithmetic.fused
    losses, seeds = [], []
    for number, batch in enumerate(batches):
        made = train_step(learner, _real(batch), number)
        losses.append({name: loss.item() for name, loss in made.items()})
        seeds.append(torch.initial_seed())
    return Run(losses, _flat(their_names(setting, learner.model.state_dict())), seeds)


def train_reference(
    checkout: Path,
    setting: Setting,
    weights: Mapping[str, Tensor],
    batches: Sequence[Mapping[str, Tensor]],
    seeds: Sequence[int],
) -> Run:
    """Train with the reference's `optimize_parameters`; `seeds` are those of each step's patches and mirroring."""
    model = build_reference(checkout, setting, _fed(batches[0]))
    networks: dict[str, nn.Module] = {name: getattr(model, f"net{name}") for name in model.model_names}
    for name, state in their_names(setting, weights).items():
        networks[name].load_state_dict(state, strict=True)
    losses = []
    for batch, seed in zip(batches, seeds, strict=True):
        model.set_input(_fed(batch))
        torch.manual_seed(seed)
        with numpy_draws_as_torch():
            model.optimize_parameters()
        named = {name: getattr(model, f"loss_{name}").item() for name in model.loss_names}
        named["G_total"] = named.pop("G")
        losses.append(named)
    return Run(losses, _flat({name: network.state_dict() for name, network in networks.items()}), list(seeds))


@contextlib.contextmanager
def numpy_draws_as_torch() -> Iterator[None]:
    """Numpy's global generator gives the numbers that torch's gives: which patches, and whether to mirror."""
    with (
        mock.patch("numpy.random.permutation", lambda count: torch.randperm(count).numpy()),
        mock.patch("numpy.random.random", lambda: torch.rand(()).item()),
    ):
        yield


def _real(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {side: batch[side].to(torch.get_default_dtype()) for side in ("A", "B")}


def _fed(batch: Mapping[str, Tensor]) -> dict[str, Any]:
    return {**_real(batch), "A_paths": [], "B_paths": []}


def _flat(networks: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {f"{name}.{key}": tensor for name, state in networks.items() for key, tensor in state.items()}


def compare_losses(checkout: Path, plan: Plan, data: Path, console: Console) -> int:
    """Print a table for each setting, and return how many comparisons missed their limit."""
    misses = 0
    for setting, ways in plan:
        batches, shown = load_batches(setting, data)
        columns = ("precision", "ours", *(f"step {step}" for step in SHOWN), "largest", "weights", "limit")
        title = f"Relative difference of the losses from the reference's: {setting.title}, {shown}"
        table = Table(*columns, title=title)
        weights = first_weights(setting)
        for arithmetic in ways:
            with default_dtype(arithmetic.dtype):
                ours = train_ours(setting, arithmetic, weights, batches)
                theirs = train_reference(checkout, setting, weights, batches, ours.seeds)
            misses += add_row(table, arithmetic, theirs, ours)
        console.print(table)
    return misses


def compare_times(size: int, rounds: int, console: Console) -> None:
    """Print seconds a step and peak memory of each model beside CycleGAN's."""
    device = choose_device()
    models: tuple[Literal["cyclegan", "cut", "fastcut"], ...] = ("cyclegan", "cut", "fastcut")
    sides: dict[str, Side] = {
        name: (make_ours, (Setting(name, RESNET_9, size=size, batch=1), device, "float32", False)) for name in models
    }
    times, peaks = take_turns(sides, rounds, steps=2)
    title = f"Ours, resnet_9blocks, {size}×{size} pixels, batch 1, float32, {describe(device)}"
    table = Table("model", "s a step", "of CycleGAN's", "peak GB", "of CycleGAN's", title=title)
    base = statistics.median(times["cyclegan"])
    for name in models:
        median = statistics.median(times[name])
        share, memory = median / base, peaks[name] / peaks["cyclegan"]
        table.add_row(name, f"{median:.3f}", f"{share:.2f}", f"{peaks[name] / 1e9:.2f}", f"{memory:.2f}")
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare losses or times, print tables, and return the exit code."""
    parser = argparse.ArgumentParser(description="Compare our training steps of CUT with its authors' code.")
    parser.add_argument(
        "--reference-cut", type=Path, metavar="PATH", help="checkout of contrastive-unpaired-translation"
    )
    parser.add_argument("--time", action="store_true", help="step time and memory beside CycleGAN's instead of losses")
    parser.add_argument("--quick", action="store_true", help="small networks and images")
    parser.add_argument("--only", default="", metavar="WORD", help="settings with this in their title, e.g. fastcut")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, metavar="FOLDER", help="folder with horse2zebra/")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of PyTorch")
    parser.add_argument("--size", type=int, default=256, help="--time: pixels of the square images")
    parser.add_argument("--rounds", type=int, default=5, help="--time: rounds of two steps each")
    given = parser.parse_args(arguments)
    console = Console(width=150)
    if given.time:
        compare_times(given.size, given.rounds, console)
        return 0
    checkout: Path | None = given.reference_cut
    if checkout is None:
        print("skipped: --reference-cut PATH names no checkout of contrastive-unpaired-translation to compare with")
        return 0
    if not (checkout / "models" / "cut_model.py").is_file():
        parser.error(f"{checkout} is no checkout of contrastive-unpaired-translation: it has no models/cut_model.py")
    plan = [(setting, ways) for setting, ways in (QUICK if given.quick else FULL) if given.only in setting.title]
    if not plan:
        parser.error(f"no setting has “{given.only}” in its title")
    torch.set_num_threads(given.threads)
    began = time.perf_counter()
    misses = compare_losses(checkout.resolve(), plan, given.data, console)
    rows = sum(arithmetic.limit is not None for _, ways in plan for arithmetic in ways)
    print(f"{rows} comparisons with a limit, {misses} missed, {time.perf_counter() - began:.0f} s")
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
