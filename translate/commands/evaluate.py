"""translate evaluate | classifier: how good a checkpoint is, and a judge for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from translate.commands.terminal import console
from translate.errors import UserError
from translate.terminal import plain_console

if TYPE_CHECKING:
    from translate.evaluation.result import Evaluation

EXPLAINED_FROM = 110
"""Characters of a terminal's width from which the table says what each number means."""


def evaluate(
    checkpoints: Annotated[
        list[str],
        typer.Argument(help="Names of checkpoints, or their folders; of a run's folder, the best and the last."),
    ],
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
    label: Annotated[
        str | None, typer.Option(help="Tell which share of the images is this to a classifier of ImageNet: zebra.")
    ] = None,
    judge: Annotated[
        list[str] | None,
        typer.Option(help="Feature network for labels, and for a KID and FID of its own; lite1. May be repeated."),
    ] = None,
    structure: Annotated[
        str | None, typer.Option(help="Feature network to compare structure by: timm/vit_small_patch8_224.dino.")
    ] = None,
    same_judge: Annotated[
        bool, typer.Option("--same-judge", help="Let networks judge that the checkpoint was trained against.")
    ] = False,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write the result to this file; of several, a list.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder for a report, tables and the best and worst; a folder in it for each.")
    ] = None,
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
    """Measure checkpoints: FID, KID, LPIPS, SSIM, PSNR, L1, cycle error, what classifiers say, changes by masks."""
    import json as notation

    from translate.evaluation.judges import open_judges
    from translate.evaluation.report import write_report
    from translate.inference.evaluate import evaluate as run_evaluation
    from translate.inference.evaluate import record as write_into_checkpoint
    from translate.inference.translator import load

    chosen = list(dict.fromkeys(name for wish in checkpoints for name in best_and_last(wish)))
    translators = {name: load(name, device=device, precision=precision) for name in chosen}
    with plain_console(stderr=True).status("Opening the judges") as status:
        judges = open_judges(
            extractor,
            weights=extractor_weights,
            classifier=classifier,
            lpips=lpips,
            panel=judge or (),
            label=label,
            structure=structure,
            device=next(iter(translators.values())).device,
            progress=lambda done, _: status.update(Text(f"Downloading weights, {done / 1e6:.0f} MB")),
        )
        results = {}
        for name, translator in translators.items():
            results[name] = run_evaluation(
                translator,
                data,
                judges,
                direction=direction,
                split=split,
                paired=paired,
                swap=swap,
                size=size,
                limit=images,
                same_judge=same_judge,
                say=lambda sentence: status.update(Text(sentence)),
            )
    if json is not None:
        found = [result.as_dict() for result in results.values()]
        try:
            json.parent.mkdir(parents=True, exist_ok=True)
            text = notation.dumps(found[0] if len(found) == 1 else found, indent=2)
            json.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"Cannot write {json}: {error.strerror}.") from error
    for name, result in results.items():
        _show(result, result.checkpoint if len(results) == 1 else name)
    for number, (name, result) in enumerate(results.items(), start=1):
        if report is not None:
            page = write_report(result, report / f"{number}-{Path(name).name}" if len(results) > 1 else report)
            console.print(f"Report: {page}", soft_wrap=True)
        if record:
            write_into_checkpoint(translators[name], result)
            console.print(f"Recorded in {translators[name].folder}", soft_wrap=True)


def best_and_last(wish: str) -> list[str]:
    """The checkpoints to measure: of a run that kept its best, this and the newest where they differ; else the wish."""
    from translate.checkpoints.folder import read_config
    from translate.checkpoints.zoo import newest_checkpoint

    run = Path(wish).expanduser()
    best, last = run / "checkpoints" / "best", newest_checkpoint(run)
    if last is None or not best.is_dir():
        return [wish]
    same = read_config(best).provenance.steps == read_config(last).provenance.steps
    return [str(best)] if same else [str(best), str(last)]


def _show(result: Evaluation, name: str) -> None:
    """Print the table of a result, and under it what it was made with."""
    heads, rows = result.table()
    if console.width < EXPLAINED_FROM:
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    table = Table(*heads, box=None, pad_edge=False, title=f"{name} on {result.data}, {result.split}")
    table.title_justify = "left"
    for column in table.columns[1 : 1 + len(result.directions)]:
        column.justify = "right"
    for row in rows:
        table.add_row(*row)
    console.print(table)
    counts = ", ".join(f"{one.values['images']:.0f} {one.source}" for one in result.directions)
    lines = [f"Images: {counts}; {result.resize}", *([f"Features: {result.extractor}"] if result.extractor else [])]
    lines += [f"{key}: {about}" for key, about in result.judges.items()]
    for line in [*lines, *result.notes, *(f"Left out {note}" for note in result.skipped)]:
        console.print(line, style="dim", soft_wrap=True)


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
    from translate.evaluation.classifier.training import train_classifier

    first, comma, second = domains.partition(",")
    if not comma:
        raise UserError(f"--domains {domains}: give two names with a comma between them, such as horse,zebra.")
    with Progress(console=plain_console(stderr=True)) as bar:
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
        console.print(f"{config.domains[side]}: right about {right}")
    console.print(f"The classifier is in {out}", soft_wrap=True)
