"""Measurement of a checkpoint on a folder: the Translator makes the images, `translate.evaluation` measures them."""

from __future__ import annotations

import datetime
import platform
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

import torch

from translate._version import __version__
from translate.catalogue import dataset_cards
from translate.checkpoints.format import write_config
from translate.checkpoints.settings import CheckpointConfig
from translate.config import TrainConfig
from translate.data.folders import has_split
from translate.data.formats import Pixels
from translate.devices import describe
from translate.errors import UserError
from translate.evaluation.images import Judged, describe_size, read_split
from translate.evaluation.judges import Judges, Known, know, partial_judges
from translate.evaluation.measure import Measured, doubts, measure, rank_by, translate_all
from translate.evaluation.result import Evaluation
from translate.inference.translator import Translator
from translate.models import named_model
from translate.settings import Direction

TRAINING_SPLIT = "train"
SIZE = 256
"""Pixels of the squares that images are scaled to, as in the papers; more where a checkpoint was trained on more."""


def evaluate(
    translator: Translator,
    root: Path,
    judges: Judges,
    *,
    direction: str | None = None,
    split: str | None = None,
    paired: bool | None = None,
    swap: bool | None = None,
    size: int | None = None,
    limit: int | None = None,
    same_judge: bool = False,
    say: Callable[[str], None] = lambda stage: None,
) -> Evaluation:
    """Measure a checkpoint on the validation images of a folder.

    Args:
        translator: the checkpoint.
        root: folder of the data set, in any layout.
        judges: what to measure with; see `translate.evaluation.judges.open_judges`.
        direction: a2b or b2a; None: all that the checkpoint has.
        split: None: val, else test.
        paired: whether A and B are pairs; None: where the checkpoint's model learns from pairs, and where the two lie
            side by side in one file.
        swap: whether the folder's A is the checkpoint's b. None: as its run was trained; else as a public data set
            whose domains have the checkpoint's names; else not.
        size: pixels of the squares that images are scaled to, 0 for none; None: SIZE, or the training size if larger.
        limit: at most this many images of each domain.
        same_judge: let networks judge that the checkpoint was trained against; a note says so.
        say: called with what is being done.
    Raises:
        UserError: no such direction or split, the images do not fit the checkpoint, or it was trained against a judge.
    """
    begun = time.monotonic()
    config = translator.config
    partiality = partial_judges(judges, config.provenance.features, config.name, insist=same_judge)
    directions = _directions(translator, direction)
    swapped = _is_swapped(translator.folder, config) if swap is None else swap
    size = max(SIZE, config.image_size) if size is None else size
    model = named_model(config.provenance.model)
    paired = True if paired is None and model is not None and model.paired else paired

    say("Reading the images")
    channels = _channels(config)
    judged = read_split(
        root, split=split, paired=paired, size=size, channels=channels[::-1] if swapped else channels, limit=limit
    )
    training: list[list[Pixels]] | list[None] = [None, None]
    if (judges.extractor or judges.panel) and judged.split != TRAINING_SPLIT and has_split(root, TRAINING_SPLIT):
        training = _training_images(root, judged, size, channels[::-1] if swapped else channels)
    sides = (judged.A, judged.B)
    known_A = know(sides[0], "a", judges, training[0])
    known_B = know(sides[1], "b", judges, training[1])
    a, b = (known_B, known_A) if swapped else (known_A, known_B)

    measured, notes = [], [*judges.notes, *partiality]
    for way in directions:
        source, target = (a, b) if way == "a2b" else (b, a)
        say(f"Translating {' → '.join(config.ends(way))}")
        one = _measure(translator, way, source, target, judges, judged.paired)
        notes += doubts(one, (source, target), judges)
        measured.append(one)
    extractor = judges.extractor
    return Evaluation(
        checkpoint=config.name,
        title=config.title,
        data=root.resolve().name,
        split=judged.split,
        paired=judged.paired,
        swapped=swapped,
        extractor=extractor.name if extractor else "",
        resize=describe_size(size) + (f"; features: {extractor.resize}" if extractor else ""),
        classifier=judges.classifier[1].dataset if judges.classifier else "",
        lpips=judges.lpips.name if judges.lpips else "",
        directions=measured,
        judges={judge.key: f"{judge.network.title}, {judge.network.resize}" for judge in judges.panel},
        label=judges.label,
        structure=judges.structure.title if judges.structure else "",
        settings=config.model_dump(mode="json", exclude={"metrics"}),
        environment=environment(translator.device),
        notes=list(dict.fromkeys(notes)),
        skipped=judged.skipped,
        seconds=round(time.monotonic() - begun, 1),
    )


def record(translator: Translator, result: Evaluation) -> None:
    """Write the numbers into the checkpoint's config.json and its card; those of other directions stay."""
    metrics = translator.config.metrics | result.for_checkpoint()
    write_config(translator.folder, translator.config.model_copy(update={"metrics": metrics}))


def environment(device: torch.device) -> dict[str, str]:
    """The versions of the packages and the machine that a result was measured with."""
    packages = {name: version(name) for name in ("torch", "torchvision", "torchmetrics")}
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    about = {"date": now, "translate": __version__, "python": platform.python_version(), **packages}
    return about | {"device": describe(device), "system": platform.system()}


def _measure(
    translator: Translator, way: Direction, source: Known, target: Known, judges: Judges, paired: bool
) -> Measured:
    config = translator.config
    made = translate_all(partial(translator.translate_batch, direction=way), source.images.images)
    other: Direction = "b2a" if way == "a2b" else "a2b"
    back: list[Pixels] | None = None
    if other in translator.directions:
        back = translate_all(partial(translator.translate_batch, direction=other), made)
    values, rows = measure(made, source, target, judges, paired=paired, back=back)
    values |= {"images": len(source.images), "images_target": len(target.images)}
    begin, end = config.ends(way)
    return Measured(
        direction=way,
        source=begin,
        target=end,
        values=values,
        rows=rows,
        ranked_by=rank_by(rows),
        sources=source.images.images,
        made=made,
        targets=target.images.images if paired else [],
    )


def _directions(translator: Translator, wish: str | None) -> list[Direction]:
    if wish is None:
        return translator.directions
    known = {"atob": "a2b", "btoa": "b2a"}.get(wish.lower(), wish.lower())
    for direction in translator.directions:
        if direction == known:
            return [direction]
    there = " and ".join(translator.directions)
    raise UserError(f"{translator.config.name} has no direction {wish}; it has {there}.")


def _channels(config: CheckpointConfig) -> tuple[int, int]:
    """The channels of images of the checkpoint's domain a, and of its domain b."""
    if forth := config.generators.get("a2b"):
        return forth.in_channels, forth.out_channels
    back = config.generators["b2a"]
    return back.out_channels, back.in_channels


def _is_swapped(folder: Path, config: CheckpointConfig) -> bool:
    """Whether a folder's A is what this checkpoint calls b: `direction: b2a` in training swaps the domains."""
    run = folder.parent.parent / "config.yaml"
    if folder.parent.name == "checkpoints" and run.is_file():
        return TrainConfig.load(run).data.direction == "b2a"
    names = (config.domains["a"].lower(), config.domains["b"].lower())
    return any((card.domain_B.lower(), card.domain_A.lower()) == names for card in dataset_cards())


def _training_images(root: Path, judged: Judged, size: int, channels: tuple[int, int]) -> list[list[Pixels]]:
    """Read as many training images of A and of B as are judged."""
    limit = (len(judged.A), len(judged.B))
    found = read_split(root, split=TRAINING_SPLIT, paired=False, size=size, channels=channels, limit=limit)
    return [found.A.images, found.B.images]
