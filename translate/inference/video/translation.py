"""Translation of videos: every frame is translated, sound and timing are kept.

Frames keep their timestamps, so a rate that varies goes on varying. Sound and subtitles are copied as they are where
the new container takes them; otherwise sound is encoded anew. A rotation noted in the file is applied to the frames,
because a network knows upright pictures, as an image's orientation is. Other notes (places, dates, devices) are not
copied.

Pictures become H.264 of a quality that few eyes tell from the original (VP9 in WebM; where a container takes neither,
its own default) with 8 bits a channel. H.264 with colour at half resolution, which every player knows, needs even
sides: a video with an odd one gets colour at full resolution (yuv444p), which keeps its size, and which browsers other
than Chrome may not play.

The next frames are decoded in one thread and the finished ones encoded in another while the network computes.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from translate.errors import UserError
from translate.inference.animation.reading import count_pictures, open_pictures
from translate.inference.temporal_norm import begin_scene
from translate.inference.translator import Translator
from translate.inference.video.film import Reader, open_film, pyav
from translate.inference.video.pictures import PictureReader
from translate.inference.video.temporal_smoothing import StillParts
from translate.inference.video.writing import Writer, create_film

if TYPE_CHECKING:
    from av.container import OutputContainer

VIDEO_SUFFIXES = frozenset(
    ".3gp .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .webm .wmv".split()  # noqa: SIM905
)
"""Lower-case suffixes of the files that count as videos."""

Progress = Callable[[int, int | None], None]
"""Is called with the number of items done and of all items, where that is known. An exception from it ends the work."""
Item = TypeVar("Item")


@dataclass(frozen=True)
class VideoOutcome:
    """A video that was written: its frames, its length, its size, and sentences on what is not as in the source."""

    frames: int
    seconds: float
    width: int
    height: int
    notes: list[str]


def translate_video(
    translator: Translator,
    source: Path,
    target: Path,
    direction: str | None = None,
    steady: bool = False,
    progress: Progress | None = None,
    tile: int | None = None,
) -> VideoOutcome:
    """Translate a video.

    Args:
        translator: the checkpoint; other threads may go on using it.
        source: any film that FFmpeg reads, or an animation that Pillow reads.
        target: its suffix names the container. It is written whole, or not at all.
        direction: a2b or b2a.
        steady: against flicker: what stands still in the source stands still in the result (see `temporal_smoothing`).
        progress: see `Progress`; counts frames. How many there are may be an estimate.
        tile: as the Translator takes it.
    Raises:
        UserError: PyAV is missing, the source holds no frames that can be read, the target cannot be written, or the
            checkpoint reads or makes something else than grey or colour.
    """
    error_of_ffmpeg: type[Exception] = pyav().error.FFmpegError
    if target.resolve() == source.resolve():
        raise UserError(f"The translation of {source} would overwrite it; choose another output.")
    generator = translator.config.generators[translator.direction(direction)]
    if {generator.in_channels, generator.out_channels} - {1, 3}:
        raise UserError(f"Videos are grey or in colour, but {translator.config.name} has other channels.")
    draft = target.with_name(f".{target.stem}.part{target.suffix}")
    chosen, still = (translator.steady(), StillParts()) if steady else (translator, None)
    try:
        with _open(source, generator.in_channels, still) as reader:
            target.parent.mkdir(parents=True, exist_ok=True)
            with create_film(draft) as made:
                outcome = _translate(chosen, reader, made, direction, progress, tile)
        draft.replace(target)
    except (error_of_ffmpeg, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"Cannot write {target}: {reason.lower()}.") from error
    finally:
        with suppress(OSError):
            draft.unlink()
    return outcome


@contextmanager
def _open(source: Path, channels: int, still: StillParts | None) -> Iterator[Reader | PictureReader]:
    """Open a film, or an animation as one. Raises UserError where the source is neither."""
    if count_pictures(source, channels)[0] > 1:
        with open_pictures(source, channels) as pictures:
            yield PictureReader(pictures, still)
    else:
        with open_film(source) as film:
            yield Reader(film, channels, still)


def _translate(
    translator: Translator,
    reader: Reader | PictureReader,
    made: OutputContainer,
    direction: str | None,
    progress: Progress | None,
    tile: int | None,
) -> VideoOutcome:
    direction = translator.direction(direction)
    network, generator = translator.generator(direction), translator.config.generators[direction]
    writer: Writer | None = None
    writing: Future[None] | None = None
    done = 0
    with ThreadPoolExecutor(1) as encoding, _ahead(reader.batches()) as batches:
        for batch in batches:
            if not batch.pixels:
                break  # no frames at all
            if writer is None:
                writer = Writer(made, reader, generator.out_channels)
            if batch.new_scene:
                begin_scene(network)
            frames = translator.translate_batch(np.stack(batch.pixels), direction, tile=tile)
            if writing is not None:
                writing.result()
            writing = encoding.submit(writer.write, list(frames), batch)
            done += len(frames)
            if progress is not None:
                progress(done, max(reader.total, done) if reader.total else None)
        if writer is None or writing is None:
            raise UserError(f"{reader.name} holds no frames that can be read.")
        writing.result()
        writer.close()
    if reader.damaged:
        writer.notes.append(f"{reader.damaged} damaged pieces of {reader.name} were left out.")
    return VideoOutcome(done, reader.seconds, reader.width, reader.height, writer.notes)


@contextmanager
def _ahead(items: Iterator[Item]) -> Iterator[Iterator[Item]]:
    """Iterate over the same items, the next two of which are made in a thread that has ended when this is left."""
    ready: queue.Queue[Item | BaseException] = queue.Queue(2)
    left = threading.Event()

    def put(item: Item | BaseException) -> None:
        while not left.is_set():
            try:
                ready.put(item, timeout=0.1)
                break
            except queue.Full:
                pass

    def make() -> None:
        try:
            for item in items:
                put(item)
                if left.is_set():
                    return
            put(StopIteration())
        except BaseException as error:
            put(error)

    def take() -> Iterator[Item]:
        while not isinstance(item := ready.get(), StopIteration):
            if isinstance(item, BaseException):
                raise item
            yield item

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        yield take()
    finally:
        left.set()
        thread.join()
