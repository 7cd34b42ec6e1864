"""Translation of files: one picture, many, or a folder tree whose names are kept.

While the network computes, the next files are decoded and the finished ones encoded in threads. How many pixels may lie
between these stations is bounded, so that the memory needed does not grow with the number of files. What is to be done,
and what is done already, is in `file_plan`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from os import cpu_count
from pathlib import Path

import numpy as np

from translate.data.images import image_size
from translate.errors import UserError
from translate.inference.animation.containers import first_of, holds_several
from translate.inference.animation.reading import count_pictures
from translate.inference.animation.translation import write_pictures
from translate.inference.jobs.file_plan import Pair
from translate.inference.raster import DEEP, FLOAT, Depth, Raster, bits_for, read_raster, write_raster
from translate.inference.translator import SMALLEST_SIDE, Translator
from translate.inference.video.translation import Progress

BATCH_PIXELS = {"cuda": 2**22}
"""Most pixels of the images that go through the network together, by the kind of device."""
BATCH_PIXELS_ELSEWHERE = 2**19
"""The same on processors: eight images of 256×256. Larger batches save no more time there."""
WAITING = 2**25
"""Most pixels that may be decoded and not yet translated, and most that may be translated and not yet written."""
FILES = 256
"""Most files that are decoded or translated and not yet written, however small they are."""
THREADS = min(4, cpu_count() or 1)
"""Threads that decode, and as many that encode."""


@dataclass
class Outcome:
    """The results that were written, and the sources that failed, each with a sentence that names it and says why."""

    written: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is not in the results although it is in the sources, as sentences."""
    failed: list[tuple[Path, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Job:
    """A file that has been decoded and is to be translated."""

    index: int
    source: Path
    target: Path
    raster: Raster
    depth: Depth | None

    @property
    def pixels(self) -> int:
        height, width = (max(int(side), SMALLEST_SIDE) for side in self.raster.colour.shape[:2])
        return height * width

    @property
    def bits(self) -> int:
        return bits_for(self.raster, self.target.suffix, self.depth)


def translate_files(
    translator: Translator,
    pairs: Sequence[Pair],
    direction: str | None = None,
    tile: int | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Translate every pair of input and output image; a bad file does not stop the rest.

    Images of one size go through the network together; the results are those of one at a time. A result is there whole
    or not at all, also when the process is killed. Of a file of several pictures (an animation, pages) all are
    translated where the target's format holds several, otherwise the first.

    Args:
        translator: the checkpoint.
        pairs: as `plan_files` gives them.
        direction: a2b or b2a.
        tile: as the Translator takes it.
        progress: see `Progress`.
    Raises:
        UserError: the checkpoint lacks the direction, or its weights are damaged.
    """
    translator.warm_up(SMALLEST_SIDE, direction)  # what is wrong with the checkpoint is not said once a file
    channels = translator.config.generators[translator.direction(direction)].in_channels
    limit = BATCH_PIXELS.get(translator.device.type, BATCH_PIXELS_ELSEWHERE)
    depth = translator.depth(direction)
    outcome = Outcome(notes=_shallow(depth, pairs))
    sentences: dict[int, str | None] = {}  # of the files that are done, by their place in `pairs`
    writing: deque[tuple[_Job, Future[None]]] = deque()

    def settle(index: int, sentence: str | None) -> None:
        sentences[index] = sentence
        if progress is not None:
            progress(len(sentences), len(pairs))

    def collect(pixels: int) -> None:
        """Note the results that are written, and wait until at most so many pixels are not."""
        while writing and (writing[0][1].done() or _too_many([job for job, _ in writing], pixels)):
            job, written = writing.popleft()
            settle(job.index, _sentence(job.source, job.target, written.exception()))

    def compute(group: list[_Job]) -> None:
        colours = np.stack([job.raster.colour for job in group])
        try:
            made = translator.translate_batch(colours, direction, group[0].bits, tile)
        except Exception as error:
            if len(group) > 1:  # it may be one of them, or be too much together
                for job in group:
                    compute([job])
            else:
                settle(group[0].index, _sentence(group[0].source, group[0].target, error))
            return
        for job, colour in zip(group, made, strict=True):
            result = Raster(colour, job.raster.alpha)
            writing.append((job, writers.submit(write_raster, result, job.target, depth)))
        collect(WAITING)

    with ThreadPoolExecutor(THREADS) as readers, ThreadPoolExecutor(THREADS) as writers:
        try:
            groups: dict[object, list[_Job]] = {}
            for index, decoded in _read_ahead(readers, pairs, channels, outcome.notes):
                source, target = pairs[index]
                if isinstance(decoded, _Several):
                    settle(index, _several(translator, source, target, direction, tile))
                    continue
                if isinstance(decoded, BaseException):
                    settle(index, _sentence(source, target, decoded))
                    continue
                job = _Job(index, source, target, decoded, depth)
                key = (decoded.colour.shape, decoded.colour.dtype, job.bits)
                groups.setdefault(key, []).append(job)
                if _too_many([*groups[key], job], limit):
                    compute(groups.pop(key))
                elif _too_many([job for group in groups.values() for job in group], 4 * limit):
                    compute(groups.pop(next(iter(groups))))
            for group in groups.values():
                compute(group)
            collect(-1)
        finally:
            for pool in (readers, writers):
                pool.shutdown(cancel_futures=True)
    for index, (source, target) in enumerate(pairs):
        sentence = sentences[index]
        if sentence is None:
            outcome.written.append(target)
        else:
            outcome.failed.append((source, sentence))
    return outcome


def _shallow(depth: Depth | None, pairs: Sequence[Pair]) -> list[str]:
    """Sentences on formats among the results that do not hold the depth of the results."""
    if depth is None or depth.bits == 8:
        return []
    holds, wanted = (FLOAT, "floating-point numbers") if depth.bits == "float" else (DEEP, "16 bits a channel")
    return [
        f"The results have {wanted}, but {suffix} files hold less; --format tif keeps all of it."
        for suffix in sorted({target.suffix.lower() for _, target in pairs} - holds)
    ]


class _Several:
    """Stands for a file of several pictures, which are decoded one by one while they are translated."""


def _several(translator: Translator, source: Path, target: Path, direction: str | None, tile: int | None) -> str | None:
    """Translate all pictures of a file; the sentence to tell where that failed."""
    try:
        write_pictures(translator, source, target, direction, tile)
    except Exception as error:
        return _sentence(source, target, error)
    return None


def _read_ahead(
    readers: ThreadPoolExecutor, pairs: Sequence[Pair], channels: int, notes: list[str]
) -> Iterator[tuple[int, Raster | _Several | BaseException]]:
    """Decode the sources in their order, some of them in advance."""
    ahead: deque[tuple[int, int, Future[Raster]]] = deque()

    def first() -> tuple[int, Raster | BaseException]:
        index, _, decoded = ahead.popleft()
        return index, decoded.exception() or decoded.result()

    for index, (source, target) in enumerate(pairs):
        count, kind = count_pictures(source, channels)
        if count > 1 and holds_several(target.suffix, kind):
            yield index, _Several()
            continue
        if count > 1:
            notes.append(first_of(source, count, target.suffix))
        try:
            width, height = image_size(source)
        except UserError:
            width, height = 0, 0  # the decoding says what is wrong
        while ahead and (sum(pixels for _, pixels, _ in ahead) + width * height > WAITING or len(ahead) > 8 * THREADS):
            yield first()
        ahead.append((index, width * height, readers.submit(read_raster, source, channels)))
    while ahead:
        yield first()


def _too_many(jobs: Sequence[_Job], pixels: int) -> bool:
    return len(jobs) > FILES or sum(job.pixels for job in jobs) > pixels


def _sentence(source: Path, target: Path, error: BaseException | None) -> str | None:
    """The sentence to tell about a file that failed; None where it did not. Raises errors that are not the file's."""
    if error is None:
        return None
    text = str(error)
    if isinstance(error, UserError):
        return text if str(source) in text else f"{source}: {text}"
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "memory" in text.lower()):
        return f"{source} needs more memory than there is free; try smaller tiles (--tile 256)."
    if isinstance(error, OSError):
        return f"Cannot write {target}: {error.strerror or error}."
    raise error
