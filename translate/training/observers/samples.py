"""Sheets of samples: the same validation images translated again and again while the run goes on."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from translate.data.tensors import to_pixels
from translate.kernels.optimise import optimise
from translate.models import Model
from translate.networks.blocks import use_image_statistics
from translate.settings import Direction
from translate.training.learner import Learner
from translate.training.observers.health import Health
from translate.training.observers.protocol import Moment, RunFacts
from translate.training.observers.provenance import domains, statistics
from translate.training.observers.reporter import Reporter

GAP = 4
"""Pixels between two pictures of a sheet."""


class SampleSheets:
    """Writes a sheet of samples every `run.sample_every` steps, and warns where the samples look wrong.

    Args:
        facts: of the run.
        reporter: who tells people.
        learner: what is trained; its averaged generators make the samples.
    """

    def __init__(self, facts: RunFacts, reporter: Reporter, learner: Learner) -> None:
        self.facts, self.reporter, self.learner = facts, reporter, learner
        self.health = Health(facts.config)
        self.batches = self._batches() if facts.main else []

    def after_step(self, moment: Moment) -> None:
        """Write the sheet of this step if one is due."""
        if self.batches and (moment.step % self.facts.config.run.sample_every == 0 or moment.last):
            self.reporter.warn(moment.step, self._write(moment.step))

    def _batches(self) -> list[dict[str, Tensor]]:
        dataset = self.facts.validation_images()
        count = min(self.facts.config.run.samples, len(dataset))
        samples = [dataset[(0, index * len(dataset) // count)] for index in range(count)]
        return [{name: sample[name][None].to(self.facts.device) for name in ("A", "B")} for sample in samples]

    def _write(self, step: int) -> list[str]:
        """Write the sheet. Returns what is wrong with the samples, in sentences."""
        config = self.facts.config
        path = config.run.dir / "samples" / f"step-{step:08d}.png"
        image_statistics = statistics(config, self.facts.global_batch) == "image"
        generators = self.learner.ema.generators
        rows = write_sheet(path, type(self.learner.model), generators, self.batches, image_statistics)
        ends = domains(config)
        ways = [" → ".join(ends if direction == "a2b" else ends[::-1]) for direction in generators]
        pairs = {way: [(row[0], row[1]) for row in rows[number :: len(ways)]] for number, way in enumerate(ways)}
        if self.reporter.tracker:
            shown = {way: [(rgb(real[0]), rgb(fake[0])) for real, fake in pairs[way]] for way in ways}
            self.reporter.tracker.log_samples(path, shown, step)
        return self.health.observe_images(step, pairs)


@torch.no_grad()
def write_sheet(
    path: Path,
    model: type[Model],
    generators: Mapping[Direction, nn.Module],
    batches: Sequence[Mapping[str, Tensor]],
    image_statistics: bool,
) -> list[tuple[Tensor, ...]]:
    """Translate `batches` of one image each, {"A", "B"} (1, C, H, W) in [-1, 1], and write a PNG, a row each.

    Returns the rows: input, translation and what the model shows beside them, for one direction after the other.
    """
    if image_statistics:
        device = batches[0]["A"].device
        generators = {
            name: optimise(use_image_statistics(copy.deepcopy(network)), device, torch.float32)
            for name, network in generators.items()
        }
    rows = [row for batch in batches for row in model.sheet(generators, batch)]
    pictures = [[rgb(image[0]) for image in row] for row in rows]
    widths = [max(row[column].shape[1] for row in pictures) for column in range(len(pictures[0]))]
    heights = [max(picture.shape[0] for picture in row) for row in pictures]
    sheet = np.full((sum(heights) + GAP * (len(heights) - 1), sum(widths) + GAP * (len(widths) - 1), 3), 255, np.uint8)
    top = 0
    for row, height in zip(pictures, heights, strict=True):
        left = 0
        for picture, width in zip(row, widths, strict=True):
            sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
            left += width + GAP
        top += height + GAP
    draft = path.with_suffix(".part")
    Image.fromarray(sheet).save(draft, format="PNG")
    draft.replace(path)
    return rows


def rgb(image: Tensor) -> np.ndarray:
    """(C, H, W) in [-1, 1] as (H, W, 3) uint8; of images with other than three channels the first is shown in grey."""
    pixels = to_pixels(image.float().cpu())
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels[:, :, :1], 3, axis=2)
