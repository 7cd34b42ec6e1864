"""How fast are our training steps beside the reference implementation's, on this machine?

    python benchmarks/training.py --reference PATH [--model cyclegan|pix2pix] [--size 256] [--batch 1] [--rounds 5]

PATH is a checkout of pytorch-CycleGAN-and-pix2pix. Each side lives in a process of its own under this one, and they
take turns: a round of the one, a round of the other, so that whatever else the machine does hits both. Networks, image
size and batch are the same; random images lie in memory already: the loading of files is not part of it.

A step's arithmetic is counted once, on the plain float32 step, and set against the rate of a large matrix product in
the same precision on this machine: «of the machine's rate» is how much of what it can multiply is used for training.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from reference_checkout import add_reference, find_checkout
from reference_training import RESNET_9, Setting, build_reference
from rich.console import Console
from rich.table import Table

from translate.devices import DTYPES, choose_device, choose_precision, describe, peak_memory
from translate.kernels.memory import keep_freed_memory, separate_large_blocks
from translate.training.learner import Learner
from translate.training.observers.flops import matrix_rate, step_flops
from translate.training.trainer import train_step

WARM_UP = 2
"""Steps that are not counted, besides the first, which compiles."""
Side = tuple[Callable[..., Callable[[Any], Any]], tuple[Any, ...]]
"""What makes a side's step, and what it is made of: a setting, a device, …"""


def make_ours(setting: Setting, device: torch.device, precision: str, compiled: bool) -> Callable[[Any], Any]:
    """Our step: merged passes, channels_last."""
    layout = torch.channels_last if device.type in ("cpu", "cuda") else torch.contiguous_format
    if device.type == "cpu":
        separate_large_blocks()  # as a run does, here and after the first step
    step = Learner(setting.config(merge=True), device, DTYPES[precision], layout)
    if compiled:
        step.compile()
    warm = False

    def one(batch: dict[str, torch.Tensor]) -> None:
        nonlocal warm
        train_step(step, batch, 0)
        if not warm and device.type == "cpu":
            keep_freed_memory()
        warm = True

    return one


def make_reference(setting: Setting, device: torch.device, checkout: Path) -> Callable[[Any], Any]:
    """The reference's step, as it is: float32, one image at a time."""
    model = build_reference(checkout, setting)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        model.device = device
        for name in model.model_names:
            getattr(model, f"net{name}").to(device)

    def step(batch: dict[str, torch.Tensor]) -> None:
        model.set_input({**batch, "A_paths": [], "B_paths": []})
        model.optimize_parameters()

    return step


def work(pipe: Connection, make: Callable[..., Callable[[Any], Any]], arguments: tuple[Any, ...]) -> None:
    """A side's process: for every number n that comes, n steps; (seconds a step, peak memory in bytes) goes back."""
    setting, device = arguments[0], arguments[1]
    shape = (setting.batch, 3, setting.size, setting.size)
    images = torch.Generator().manual_seed(0)
    batch = {name: (torch.rand(shape, generator=images) * 2 - 1).to(device) for name in ("A", "B")}
    step = make(*arguments)
    for steps in iter(pipe.recv, 0):
        times = []
        for _ in range(steps):
            begun = time.perf_counter()
            step(batch)
            if device.type == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - begun)
        pipe.send((times, torch.cuda.max_memory_allocated() if device.type == "cuda" else peak_memory()))


def take_turns(sides: Mapping[str, Side], rounds: int, steps: int) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Give each side a process of its own, and let each take `steps` steps in every round.

    Returns:
        for each side the seconds of its steps, and its process's peak of memory in bytes.
    """
    context = multiprocessing.get_context("spawn")
    pipes, processes = {}, []
    for name, (make, words) in sides.items():
        pipes[name], theirs = context.Pipe()
        processes.append(context.Process(target=work, args=(theirs, make, words), daemon=True))
        processes[-1].start()
    times: dict[str, list[float]] = {name: [] for name in sides}
    peaks: dict[str, float] = {}
    for turn in range(-1, rounds):
        for name, pipe in pipes.items():
            pipe.send(1 + WARM_UP if turn < 0 else steps)
            took, peaks[name] = pipe.recv()
            if turn >= 0:
                times[name] += took
    for pipe in pipes.values():
        pipe.send(0)
    return times, peaks


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="Time our training steps beside the reference implementation's.")
    add_reference(parser)
    parser.add_argument("--model", choices=("cyclegan", "pix2pix"), default="cyclegan")
    parser.add_argument("--size", type=int, default=256, help="pixels of the square images")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--width", type=int, default=64, help="filters of the first convolutions")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2, help="steps a round")
    parser.add_argument("--precision", choices=("auto", *DTYPES), default="auto", help="ours; theirs is float32")
    parser.add_argument("--compile", action="store_true", help="compile ours")
    given = parser.parse_args(arguments)
    checkout = find_checkout(parser, given.reference)
    generator = (("size", given.size),) if given.model == "pix2pix" else RESNET_9
    setting = Setting(given.model, generator, given.size, given.batch, given.width)
    device = choose_device()
    precision = str(choose_precision(given.precision, device)).removeprefix("torch.")

    sides: dict[str, Side] = {
        "reference": (make_reference, (setting, device, checkout)),
        "ours": (make_ours, (setting, device, precision, given.compile)),
    }
    times, peaks = take_turns(sides, given.rounds, given.steps)

    shape = torch.Size((setting.batch, 3, setting.size, setting.size))
    flops = step_flops(setting.config(merge=True), shape, shape)
    rates = {"reference": matrix_rate(device, torch.float32), "ours": matrix_rate(device, DTYPES[precision])}
    table = Table("", "precision", "s a step", "images/s", "peak GB", "GFLOP/s", "of the machine's rate")
    for name in sides:
        median = statistics.median(times[name])
        table.add_row(
            name,
            "float32" if name == "reference" else precision + (", compiled" if given.compile else ""),
            f"{median:.3f} ({min(times[name]):.3f}–{max(times[name]):.3f})",
            f"{given.batch / median:.2f}",
            f"{peaks[name] / 1e9:.2f}",
            f"{flops / median / 1e9:.0f}",
            f"{flops / median / rates[name]:.0%} of {rates[name] / 1e9:.0f}",
        )
    console = Console(width=120)
    console.print(f"{setting.title}; {describe(device)}; {flops / 1e12:.2f} TFLOP a step")
    console.print(table)
    ratio = statistics.median(times["reference"]) / statistics.median(times["ours"])
    console.print(f"Ours is {ratio:.2f} times as fast.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
