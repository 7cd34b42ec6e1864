"""Measuring a run while it goes on: the averaged generators on the validation images, every so many steps."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from translate.config import TrainConfig
from translate.data.folders import has_split
from translate.data.formats import Pixels
from translate.data.tensors import to_pixels, to_tensor
from translate.errors import UserError
from translate.evaluation.images import read_split
from translate.evaluation.judges import Known, know, open_judges
from translate.evaluation.measure import lower_is_better, measure, translate_all
from translate.kernels.optimise import optimise
from translate.models import model_class
from translate.networks.blocks import use_image_statistics
from translate.settings import Direction

SIZE = 256
"""Pixels of the squares that images are scaled to, as `translate evaluate` has it; more where crops are larger."""
RECORDED = frozenset(
    "fid kid kid_error kid_improvement lpips ssim psnr l1 ssim_source cycle_l1 classified_as_target".split()  # noqa: SIM905
)
"""What goes into the history: the yardsticks stay as they are."""
DECISIVE = ("lpips", "ssim", "kid", "classified_as_target", "ssim_source", "cycle_l1")
"""`evaluation.best: auto` is the first of these that is measured."""
PREFIX = "val/"


class Validation:
    """Call it with the generators to measure them; it remembers which step was the best.

    Args:
        config: of the run; `config.evaluation` says what to measure with.
        device: where generators and judges compute.
        dtype: of the generators' arithmetic.
        image_statistics: batch norm by the image's own statistics, as the checkpoint will have it.
        before: rows of the history so far, for a run that goes on.
    Raises:
        UserError: there are no validation images, or a judge that was asked for cannot be had.
    """

    def __init__(
        self,
        config: TrainConfig,
        device: torch.device,
        dtype: torch.dtype,
        image_statistics: bool,
        before: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        wishes, data, generator = config.evaluation, config.data, config.model.generator
        if not has_split(data.root, data.val_split):
            raise UserError(
                f"evaluation.every is set, but {data.root} has no images called {data.val_split} to measure on; put "
                "some aside, or name them with data.val_split."
            )
        self.device, self.dtype, self.image_statistics = device, dtype, image_statistics
        model = model_class(config.model.name)
        self.paired = model.paired
        self.judges = open_judges(
            wishes.extractor or None,
            weights=wishes.extractor_weights,
            classifier=wishes.classifier,
            lpips=None if self.paired else False,
            device=device,
        )
        self.notes = self.judges.notes
        swapped = data.direction == "b2a"
        channels = (generator.in_channels, generator.out_channels)
        size = wishes.size or max(SIZE, data.crop_size)
        judged = read_split(
            data.root,
            split=data.val_split,
            layout=data.layout,
            paired=self.paired,
            size=-(-size // generator.multiple) * generator.multiple,
            channels=channels[::-1] if swapped else channels,
            limit=wishes.images,
        )
        sides = know(judged.A, "a", self.judges), know(judged.B, "b", self.judges)
        self.a, self.b = sides[::-1] if swapped else sides
        self.wish = wishes.best
        self._check_wish(cycles=len(model.directions(config.model)) == 2)
        self.best: dict[str, float] = {}
        """The name and value of the deciding metric at its best, and its step."""
        self.metrics: dict[str, dict[str, float]] = {}
        """The newest numbers by direction, as a checkpoint's config.json has them."""
        self.is_best = False
        self.step = 0
        """The step of the newest measurement of this process."""
        for row in before:
            self._take(row)

    def __call__(self, step: int, generators: Mapping[Direction, nn.Module]) -> dict[str, float]:
        """Measure after `step`: {"val/kid_a2b": 0.31, …}. Random numbers of the run are left alone."""
        self.step = step
        if self.image_statistics:
            generators = {
                name: optimise(use_image_statistics(copy.deepcopy(network)), self.device, self.dtype)
                for name, network in generators.items()
            }
        made: dict[str, float] = {}
        ways: list[tuple[Direction, Known, Known]] = [("a2b", self.a, self.b), ("b2a", self.b, self.a)]
        for way, source, target in ways:
            if way in generators:
                values = self._direction(generators, way, source, target)
                made |= {f"{PREFIX}{name}_{way}": value for name, value in values.items() if name in RECORDED}
        finite = {name: value for name, value in made.items() if np.isfinite(value)}
        self._take({"step": step} | finite)
        return finite

    def sentence(self) -> str:
        """The deciding metric, now and at its best, in words."""
        if not self.best:
            return ""
        name = next(iter(self.best))
        now = _decisive({f"{PREFIX}{key}_{way}": v for way, of in self.metrics.items() for key, v in of.items()}, name)
        best = "the best so far" if self.is_best else f"best {self.best[name]:.4g} at step {self.best['step']:.0f}"
        return f"Validation: {name} {now:.4g}, {best}."

    def _check_wish(self, cycles: bool) -> None:
        """Raise UserError now rather than at the first evaluation where `evaluation.best` will not be measured."""
        there = {"ssim", "psnr", "l1"} if self.paired else {"ssim_source"}
        there |= {"lpips"} if self.paired and self.judges.lpips else set()
        there |= {"cycle_l1"} if cycles else set()
        there |= {"classified_as_target"} if self.judges.classifier else set()
        there |= {"fid", "kid", "kid_improvement"} if self.judges.extractor else set()
        if self.wish != "auto" and self.wish.removesuffix("_a2b").removesuffix("_b2a") not in there:
            raise UserError(
                f"evaluation.best is {self.wish}, which is not measured here; there are {', '.join(sorted(there))}."
            )

    def _direction(
        self, generators: Mapping[Direction, nn.Module], way: Direction, source: Known, target: Known
    ) -> dict[str, float]:
        other: Direction = "b2a" if way == "a2b" else "a2b"
        made = self._translate(generators[way], source.images.images)
        back = self._translate(generators[other], made) if other in generators else None
        values, _ = measure(made, source, target, self.judges, paired=self.paired, back=back)
        return values

    def _translate(self, generator: nn.Module, images: Sequence[Pixels]) -> list[Pixels]:
        @torch.inference_mode()
        def batch(pixels: np.ndarray) -> np.ndarray:
            inputs = torch.stack([to_tensor(image) for image in pixels])
            with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
                made = generator(inputs.to(self.device, memory_format=torch.channels_last))
            return np.stack([to_pixels(image) for image in made.float().cpu()])

        return translate_all(batch, images)

    def _take(self, row: Mapping[str, Any]) -> None:
        """Remember the numbers of a row, and the step if it is the best."""
        names = [name for name in row if name.startswith(PREFIX)]
        if not names:
            return
        self.metrics = {}
        for name in names:
            metric, _, way = name.removeprefix(PREFIX).rpartition("_")
            self.metrics.setdefault(way, {})[metric] = row[name]
        deciding = self.wish
        if deciding == "auto":
            deciding = next(name for name in DECISIVE if any(n.startswith(f"{PREFIX}{name}_a2b") for n in names))
        value = _decisive(row, deciding)
        if not np.isfinite(value):  # too few images for it
            self.is_best = False
            return
        sign = 1 if lower_is_better(deciding) else -1
        self.is_best = not self.best or sign * value < sign * self.best[deciding]
        if self.is_best:
            self.best = {deciding: value, "step": row["step"]}


def _decisive(row: Mapping[str, Any], metric: str) -> float:
    """A metric of a row: `kid_a2b` is that of a direction, `kid` the mean of those there are. NaN: not measured."""
    names = [f"{PREFIX}{metric}", f"{PREFIX}{metric}_a2b", f"{PREFIX}{metric}_b2a"]
    values = [float(row[name]) for name in names if name in row]
    return sum(values) / len(values) if values else float("nan")
