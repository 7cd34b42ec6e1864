"""A teacher and its student side by side: size, arithmetic, time, and how good their translations are."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from translate.checkpoints.architecture import empty_generator, parameter_count
from translate.checkpoints.folder import weights_file
from translate.evaluation.result import Evaluation
from translate.inference.translator import Translator
from translate.networks import GeneratorConfig
from translate.settings import Direction

SIDE = 256
"""Pixels of the squares that arithmetic and time are told of."""
ROUNDS = 15
"""Timed translations of each; the median counts."""
WARM_UP = 3
COSTS = {
    "parameters": "Parameters (millions)",
    "megabytes": "Weights (MB)",
    "gmac": f"GMAC at {SIDE}×{SIDE}",
    "milliseconds": f"Milliseconds at {SIDE}×{SIDE}",
}


@dataclass(frozen=True)
class Cost:
    """What a generator takes.

    Attributes:
        parameters: their number.
        megabytes: of its weights on disk, 10⁶ bytes each.
        gmac: 10⁹ multiplications with additions of its convolutions, for an image of 256×256 pixels.
        milliseconds: for such an image, the median; see `costs`.
    """

    parameters: int
    megabytes: float
    gmac: float
    milliseconds: float


def multiplications(config: GeneratorConfig, side: int = SIDE) -> int:
    """Multiplications with additions of a generator's convolutions for one image, counted without computing any."""
    generator = empty_generator(config)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        generator(torch.empty(1, config.in_channels, side, side, device="meta"))
    return int(counter.get_total_flops()) // 2


def costs(translators: Mapping[str, tuple[Translator, Direction]]) -> dict[str, Cost]:
    """What each generator takes; they are timed in turns, so that whatever else the machine does hits all of them."""
    calls = {name: _translation(translator, direction) for name, (translator, direction) in translators.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(WARM_UP + ROUNDS):
        for name, call in calls.items():
            begun = time.perf_counter()
            call()
            if turn >= WARM_UP:
                times[name].append(time.perf_counter() - begun)
    found = {}
    for name, (translator, direction) in translators.items():
        config = translator.config.generators[direction]
        found[name] = Cost(
            parameters=parameter_count(config),
            megabytes=round(weights_file(translator.folder, direction).stat().st_size / 1e6, 3),
            gmac=round(multiplications(config) / 1e9, 4),
            milliseconds=round(1000 * statistics.median(times[name]), 2),
        )
    return found


def as_dict(costs: Mapping[str, Cost], results: Mapping[str, Evaluation]) -> dict[str, Any]:
    """{"teacher": {"parameters": …, "evaluation": {…}}, "student": …} for JSON."""
    return {name: asdict(cost) | {"evaluation": results[name].as_dict()} for name, cost in costs.items()}


def table(costs: Mapping[str, Cost], results: Mapping[str, Evaluation]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of a table: a number a row, a generator a column.

    Args:
        costs: by the name of each generator.
        results: of each one's only direction, by the same names, all measured in the same way.
    """
    rows = [[title, *(_written(name, getattr(cost, name)) for cost in costs.values())] for name, title in COSTS.items()]
    by_title = {name: {row[0]: row[1] for row in results[name].table()[1]} for name in costs}
    titles = dict.fromkeys(title for cells in by_title.values() for title in cells)
    return ["", *costs], rows + [[title, *(by_title[name].get(title, "") for name in costs)] for title in titles]


def _written(name: str, value: float) -> str:
    return f"{value / 1e6:.3f}" if name == "parameters" else f"{value:.3g}"


def _translation(translator: Translator, direction: Direction) -> Callable[[], object]:
    """A call that translates one image."""
    channels = translator.config.generators[direction].in_channels
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (1, SIDE, SIDE, channels), generator=generator, dtype=torch.uint8).numpy()
    return lambda: translator.translate_batch(pixels, direction=direction)
