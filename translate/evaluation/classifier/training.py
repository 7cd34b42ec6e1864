"""Trains a domain classifier from scratch: minutes on one core, on the data that the translator is trained on."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from translate.data.dataset import Sample, TranslationDataset
from translate.data.loading import make_loader
from translate.data.settings import DataConfig
from translate.devices import choose_device, choose_precision
from translate.errors import UserError
from translate.evaluation.classifier import ClassifierConfig, DomainClassifier, classify
from translate.evaluation.images import read_split

AUGMENT: list[dict[str, Any] | str] = [
    {"RandomScale": {"scale_limit": [-0.11, 0.45], "p": 0.8}},
    {"ColorJitter": {"brightness": 0.25, "contrast": 0.25, "saturation": 0.35, "hue": 0.04, "p": 0.8}},
    {"ToGray": {"p": 0.05}},
    # What the files were saved with must not give the domain away: paintings and photographs differ in that, too.
    {"OneOf": {"transforms": [{"ImageCompression": {"quality_range": [40, 95]}}, {"GaussianBlur": None}], "p": 0.4}},
]
"""Crops at several scales, colours, grey, compression, blur; mirroring and cropping come after these."""
SMOOTHING = 0.05
"""Targets are 0.05 and 0.95: a judge that is sure of everything cannot rank."""
EMA = 0.995
RECOUNTED = 50
"""Batches that the statistics of batch norm are taken from once the weights stand."""

Progress = Callable[[int, int, float], None]
"""Called with (steps done, steps in all, running loss)."""


def train_classifier(
    root: Path,
    *,
    domains: tuple[str, str] = ("A", "B"),
    channels: int = 3,
    width: int = 32,
    size: int = 128,
    steps: int = 1000,
    batch_size: int = 32,
    lr: float = 2e-3,
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
) -> tuple[DomainClassifier, ClassifierConfig]:
    """Train on the real images of A and B and measure it on the validation images.

    As many images of A as of B are in each batch, so a domain with few images counts as much as one with many.

    Args:
        root: folder of the data set, in any layout; `train` is learned from, `val` (or `test`) is judged.
        domains: what A and B show, as they lie on disk.
        channels: of the images.
        width: of the network; the time grows with its square.
        size: pixels of the squares that it sees: images are judged whole, scaled to this size, and trained on as crops
            of this size, from images scaled to 9/8 of it.
        steps: updates of the weights.
        batch_size: images of each domain in a step.
        lr: highest learning rate of AdamW; it rises over a tenth of the steps and falls to zero along a cosine.
        seed: the same seed gives the same classifier, on the same machine.
        device: auto, cpu, cuda, mps.
        progress: called after each step.
    Returns:
        the averaged network in evaluation mode, on the CPU, and its description.
    Raises:
        UserError: the data cannot be used.
    """
    begun = time.monotonic()
    where = choose_device(device)
    dtype = choose_precision("auto", where)
    data = DataConfig(root=root, load_size=size * 9 // 8, crop_size=size, augment=AUGMENT, workers=None, masks=False)
    dataset = TranslationDataset(data, channels=(channels, channels), paired=False, seed=seed)
    config = ClassifierConfig(
        domains={"a": domains[0], "b": domains[1]},
        channels=channels,
        width=width,
        size=size,
        dataset=root.resolve().name,
        images={"a": len(dataset.domains[0]), "b": len(dataset.domains[1])},
        steps=steps,
    )
    torch.manual_seed(seed)
    network = DomainClassifier(config).to(where).to(memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=0.1)
    targets = torch.tensor([SMOOTHING] * batch_size + [1 - SMOOTHING] * batch_size, device=where)
    batches = iter(make_loader(dataset, batch_size=batch_size, seed=seed))
    running = 0.0
    for step in range(steps):
        batch = next(batches)
        images = torch.cat([batch["A"], batch["B"]]).to(where, memory_format=torch.channels_last)
        with torch.autocast(where.type, dtype, enabled=dtype != torch.float32):
            logits = network(images)
        loss = F.binary_cross_entropy_with_logits(logits.float(), targets)
        if not bool(torch.isfinite(loss)):
            raise UserError(f"The classifier's loss is no longer a number at step {step}; try a lower learning rate.")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            decay = min(EMA, (1 + step) / (10 + step))  # so that a young average is not the random start
            for mine, newest in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
                mine.lerp_(newest, 1 - decay) if mine.is_floating_point() else mine.copy_(newest)
        running = loss.item() if step == 0 else 0.98 * running + 0.02 * loss.item()
        if progress is not None:
            progress(step + 1, steps, running)
    _recount(average, (next(batches) for _ in range(min(RECOUNTED, steps))), where)
    classifier = average.cpu().to(memory_format=torch.contiguous_format)
    config.seconds = round(time.monotonic() - begun, 1)
    _validate(classifier, config, root)
    return classifier, config


@torch.no_grad()
def _recount(network: DomainClassifier, batches: Iterable[Sample], device: torch.device) -> None:
    """Batch norm's statistics anew: those of the training are of weights that are gone (Izmailov et al. 2018)."""
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean of all batches
    network.train()
    for batch in batches:
        network(torch.cat([batch["A"], batch["B"]]).to(device, memory_format=torch.channels_last))
    network.eval()


def _validate(classifier: DomainClassifier, config: ClassifierConfig, root: Path) -> None:
    """Fill in `accuracy` and `validated_on` from the validation images; leave them empty where there are none."""
    try:
        judged = read_split(root, paired=False, channels=(config.channels, config.channels))
    except UserError:
        return
    share = {"a": classify(classifier, config, judged.A.images), "b": classify(classifier, config, judged.B.images)}
    right = {"a": [value < 0.5 for value in share["a"]], "b": [value >= 0.5 for value in share["b"]]}
    config.accuracy = {"a": sum(right["a"]) / len(right["a"]), "b": sum(right["b"]) / len(right["b"])}
    config.validated_on = {"a": len(right["a"]), "b": len(right["b"])}
