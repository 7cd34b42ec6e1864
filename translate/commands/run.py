"""translate run: images, folders, videos and pipes."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

from translate.errors import UserError
from translate.terminal import plain_console, text_column

if TYPE_CHECKING:
    from translate.inference.translator import Translator

PIPE = Path("-")


def run(
    checkpoint: Annotated[str, typer.Argument(help="Name of a checkpoint, or its folder, or a run's folder.")],
    inputs: Annotated[list[Path], typer.Argument(help="Images, folders of images, videos; - is standard input.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="A file for one image or video, else a folder; - is stdout.")
    ],
    direction: Annotated[str | None, typer.Option(help="a2b or b2a.")] = None,
    precision: Annotated[str, typer.Option(help="float32, bfloat16, float16 or auto.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    engine: Annotated[str, typer.Option(help="torch, onnxruntime, openvino, openvino-int8 or auto.")] = "auto",
    calibration: Annotated[
        Path | None, typer.Option(help="openvino-int8: a folder of images of what is translated; needed once.")
    ] = None,
    size: Annotated[
        str, typer.Option(help="Translate at auto (the size the model works at), full, or N pixels of the longer side.")
    ] = "auto",
    tile: Annotated[int | None, typer.Option(help="Pixels of a tile; large images are tiled anyway, 0 never.")] = None,
    format: Annotated[str | None, typer.Option(help="Write images as png, jpg, webp, tif, bmp or npy.")] = None,
    depth: Annotated[
        str | None, typer.Option(help="Bits of results: 8, 16 or float; by default as the checkpoint learned it.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="In a folder, make anew what is done already.")
    ] = False,
    steady: Annotated[bool, typer.Option("--steady", help="Videos: colours that flicker less.")] = False,
) -> None:
    """Translate images and videos. Tiles save memory and do not change the result.

    An output folder keeps the names of the inputs; what is done in it already is left, so a command that was
    interrupted can be given again. With torchrun, processes share the files.
    """
    from PIL import Image

    from translate.inference.jobs.distributed import gather_results, own_device, process_rank, share
    from translate.inference.jobs.file_plan import is_file_name, is_video, left_out, plan_files, unfinished
    from translate.inference.jobs.files import Outcome, translate_files
    from translate.inference.translator import load
    from translate.inference.video.translation import translate_video
    from translate.inference.working_size import parse_size

    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large images are what tiles are for
    suffix = f".{format.lower().removeprefix('.')}" if format else None
    opened = partial(
        load,
        checkpoint,
        precision=precision,
        engine=engine,
        calibration=calibration,
        depth=depth,
        size=parse_size(size),
    )
    if PIPE in (out, *inputs):
        with redirect_stdout(sys.stderr):  # nothing but the image may go there
            _pipe(partial(opened, device=device), inputs, out, suffix, direction, tile)
        return
    pairs = plan_files(inputs, out, suffix)
    translator = opened(device=own_device(device))
    mine = share(pairs)
    todo = mine if overwrite or is_file_name(out) else unfinished(mine, out, translator, direction)
    pictures, films = [pair for pair in todo if not is_video(pair)], [pair for pair in todo if is_video(pair)]
    console = plain_console(stderr=True)
    outcome, notes = Outcome(), []
    shown = process_rank()[0] == 0
    if pictures:
        with _progress("Translating", console, shown and len(pictures) > 1) as progress:
            outcome = translate_files(translator, pictures, direction, tile, progress)
        notes += outcome.notes
    for source, target in films:
        try:
            with _progress(source.name, console, shown) as progress:
                made = translate_video(translator, source, target, direction, steady, progress, tile)
        except UserError as error:
            outcome.failed.append((source, str(error)))
        else:
            outcome.written.append(target)
            notes += made.notes
    if len(todo) < len(mine):
        notes.append(f"{len(mine) - len(todo)} of {len(mine)} were done already; --overwrite makes them anew.")
    if shown:
        notes += left_out(inputs, out)
    failed = gather_results([sentence for _, sentence in outcome.failed])
    for sentence in notes:
        console.print(sentence, soft_wrap=True)
    for sentence in failed:
        console.print(f"Not translated: {sentence}", soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def _pipe(
    load: Callable[[], Translator],
    inputs: list[Path],
    out: Path,
    suffix: str | None,
    direction: str | None,
    tile: int | None,
) -> None:
    from translate.inference.jobs.file_plan import cannot_write
    from translate.inference.jobs.pipes import translate_pipe
    from translate.inference.raster import ON_REQUEST, WRITABLE

    if len(inputs) != 1 or inputs[0].is_dir():
        raise UserError("A pipe takes one image, and gives one: translate run CHECKPOINT - -o -")
    suffix = suffix or (out.suffix.lower() if out != PIPE else ".png")
    if suffix not in WRITABLE | ON_REQUEST:
        raise UserError(cannot_write(suffix))
    if out == PIPE and sys.__stdout__ is not None and sys.__stdout__.isatty():
        raise UserError("Standard output is a terminal; send the image on: translate run CHECKPOINT - -o - > out.png")
    source = sys.stdin.buffer if inputs[0] == PIPE else inputs[0]
    data = translate_pipe(load(), source, suffix, direction, tile)
    if out != PIPE:
        try:
            out.write_bytes(data)
        except OSError as error:
            raise UserError(f"Cannot write {out}: {error.strerror or error}.") from error
        return
    assert sys.__stdout__ is not None
    try:
        sys.__stdout__.buffer.write(data)
        sys.__stdout__.buffer.flush()
    except BrokenPipeError:  # the reader had enough
        raise typer.Exit(1) from None


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """As rich asks for it."""
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="progress.data.speed")


@contextmanager
def _progress(title: str, console: Console, shown: bool) -> Iterator[Callable[[int, int | None], None]]:
    """A bar with rate and time left, as a function to call with how many are done and how many there are."""
    columns = (
        text_column("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not shown) as bar:
        task = bar.add_task(title, total=None)

        def progress(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        yield progress
