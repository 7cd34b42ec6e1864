"""translate evaluate | classifier: how good a checkpoint is, and a judge for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from translate.commands.terminal import console
from translate.errors import UserError

EXPLAINED_FROM = 110
"""Characters of a terminal's width from which the table says what each number means."""


def evaluate(
    checkpoint: Annotated[str, typer.Argument(help="Name of a checkpoint, or its folder, or a run's folder.")],
    data: Annotated[Path, typer.Argument(help="Folder of a data set; its validation images are used.")],
    direction: Annotated[str | None, typer.Option(help="a2b or b2a; all there are where not given.")] = None,
    extractor: Annotated[
        str | None,
        typer.Option(help="For FID and KID: inception, a torchvision model, a classifier's folder, or none."),
    ] = None,
    extractor_weights: Annotated[Path | None, typer.Option(help="Weights for it, instead of the published.")] = None,
    classifier: Annotated[Path | None, typer.Option(help="A domain classifier; see `translate classifier`.")] = None,
    lpips: Annotated[
        bool | None, typer.Option("--lpips/--no-lpips", help="Insist on LPIPS, or do without; else where it can be.")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")] = None,
    report: Annotated[Path | None, typer.Option(help="Folder for a report, tables and the best and worst.")] = None,
    images: Annotated[int | None, typer.Option(min=2, help="At most this many images of each domain.")] = None,
    size: Annotated[
        int | None, typer.Option(min=0, help="Pixels images are scaled to, 0 for none; 256 or the training size.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Which images; val or test where not given.")] = None,
    paired: Annotated[
        bool | None, typer.Option("--paired/--unpaired", help="Whether A and B are pairs; found out where not given.")
    ] = None,
    swap: Annotated[
        bool | None, typer.Option("--swap/--no-swap", help="Whether the folder's A is the checkpoint's b.")
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Write the result into the checkpoint and its card.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="float32, bfloat16, float16 or auto.")] = "auto",
) -> None:
    """Measure a checkpoint: FID, KID, LPIPS, SSIM, PSNR, L1, cycle error, and what a domain classifier says."""
    import json as notation

    from translate.evaluation.measure import open_judges
    from translate.evaluation.report import write_report
    from translate.inference.evaluate import evaluate as run_evaluation
    from translate.inference.evaluate import record as write_into_checkpoint
    from translate.inference.translator import load

    translator = load(checkpoint, device=device, precision=precision)
    with Console(stderr=True).status("Opening the judges") as status:
        judges = open_judges(
            extractor,
            weights=extractor_weights,
            classifier=classifier,
            lpips=lpips,
            device=translator.device,
            progress=lambda done, _: status.update(f"Downloading weights, {done / 1e6:.0f} MB"),
        )
        result = run_evaluation(
            translator,
            data,
            judges,
            direction=direction,
            split=split,
            paired=paired,
            swap=swap,
            size=size,
            limit=images,
            say=status.update,
        )
    heads, rows = result.table()
    if console.width < EXPLAINED_FROM:
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    table = Table(
        *heads, box=None, pad_edge=False, title=escape(f"{result.checkpoint} on {result.data}, {result.split}")
    )
    table.title_justify = "left"
    for column in table.columns[1 : 1 + len(result.directions)]:
        column.justify = "right"
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)
    counts = ", ".join(f"{one.values['images']:.0f} {one.source}" for one in result.directions)
    lines = [f"Images: {counts}; {result.resize}", *([f"Features: {result.extractor}"] if result.extractor else [])]
    for line in [*lines, *result.notes, *(f"Left out {note}" for note in result.skipped)]:
        console.print(line, style="dim", highlight=False, markup=False, soft_wrap=True)
    if json is not None:
        try:
            json.parent.mkdir(parents=True, exist_ok=True)
            json.write_text(notation.dumps(result.as_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"Cannot write {json}: {error.strerror}.") from error
    if report is not None:
        page = write_report(result, report)
        console.print(f"Report: {page}", highlight=False, markup=False, soft_wrap=True)
    if record:
        write_into_checkpoint(translator, result)
        console.print(f"Recorded in {translator.folder}", highlight=False, markup=False, soft_wrap=True)


def classifier(
    data: Annotated[Path, typer.Argument(help="Folder of a data set; its training images are learned from.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the classifier.")],
    domains: Annotated[str, typer.Option(help="What A and B show, as they lie on disk: horse,zebra.")] = "A,B",
    steps: Annotated[int, typer.Option(min=1, help="Updates of the weights.")] = 1500,
    size: Annotated[int, typer.Option(min=32, help="Pixels of the squares that images are scaled to.")] = 128,
    width: Annotated[int, typer.Option(min=1, help="Filters of the first stage.")] = 32,
    channels: Annotated[int, typer.Option(min=1, help="Channels of the images.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same classifier.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
) -> None:
    """Train a small network that tells A from B, for `translate evaluate --classifier`; minutes on one core."""
    from translate.evaluation.classifier import save_classifier
    from translate.evaluation.classifier_training import train_classifier

    first, comma, second = domains.partition(",")
    if not comma:
        raise UserError(f"--domains {domains}: give two names with a comma between them, such as horse,zebra.")
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("Training", total=steps)

        def show(done: int, total: int, loss: float) -> None:
            bar.update(task, completed=done, description=f"Training, loss {loss:.3f}")

        network, config = train_classifier(
            data,
            domains=(first.strip(), second.strip()),
            channels=channels,
            width=width,
            size=size,
            steps=steps,
            seed=seed,
            device=device,
            progress=show,
        )
    save_classifier(out, network, config)
    for side in config.accuracy:
        right = f"{100 * config.accuracy[side]:.1f} % of {config.validated_on[side]} validation images"
        console.print(f"{config.domains[side]}: right about {right}", highlight=False, markup=False)
    console.print(f"The classifier is in {out}", highlight=False, markup=False, soft_wrap=True)
