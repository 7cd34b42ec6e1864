"""translate distil: train a compact generator that imitates a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from translate.commands.terminal import console
from translate.commands.train import parse_overrides
from translate.errors import TrainingStopped, UserError
from translate.terminal import plain_console

if TYPE_CHECKING:
    from translate.checkpoints.settings import CheckpointConfig

REPORT_FILE = "comparison.json"


def distil(
    context: typer.Context,
    teacher: Annotated[str, typer.Argument(help="Name or folder of the checkpoint that is imitated.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the run.")],
    config: Annotated[Path | None, typer.Option(help="YAML file of further settings.")] = None,
    direction: Annotated[
        str | None, typer.Option(help="Which of the teacher's generators: a2b or b2a; a2b where not given.")
    ] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Filters of the student's first convolution.")] = None,
    blocks: Annotated[int | None, typer.Option(min=0, help="The student's residual blocks.")] = None,
    judge: Annotated[
        list[str] | None, typer.Option(help="Feature network for a KID of its own, as in `translate evaluate`.")
    ] = None,
    extractor: Annotated[str | None, typer.Option(help="For FID and KID, as in `translate evaluate`.")] = None,
    label: Annotated[str | None, typer.Option(help="ImageNet's label of the target, e.g. zebra.")] = None,
    images: Annotated[
        int | None, typer.Option(min=2, help="At most this many validation images of each domain.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's newest state, exactly.")] = False,
) -> None:
    """Train a compact generator on a checkpoint's outputs, and compare the two. Any setting can follow, as in `train`.

    Without --config the student is built as its teacher is, but for --width, --blocks and what else is set.
    """
    from translate.checkpoints.folder import read_config
    from translate.checkpoints.zoo import resolve
    from translate.config import TrainConfig
    from translate.evaluation.judges import open_judges, partial_judges
    from translate.inference.comparison import as_dict, costs, table
    from translate.inference.evaluate import evaluate
    from translate.inference.translator import load
    from translate.models import imitating_model, model_class
    from translate.training.ancestry import trace
    from translate.training.trainer import train

    about = read_config(resolve(teacher))
    chosen: dict[str, Any] = {
        "model.name": imitating_model(),
        "model.teacher": teacher,
        "run.dir": str(out),
        "model.direction": direction,
        "model.generator.width": width,
        "model.generator.blocks": blocks,
    }
    overrides = parse_overrides(context.args) | {name: value for name, value in chosen.items() if value is not None}
    if config:
        settings = TrainConfig.load(config, overrides)
    else:
        settings = TrainConfig.build(like_teacher(about, overrides), overrides)
    ((_, imitated),) = model_class(settings.model.name).teachers(settings.model)

    # What cannot be judged in the end is refused before the training and not after it.
    judges = open_judges(extractor, panel=judge or (), label=label, lpips=False)
    features = [*model_class(settings.model.name).features(settings.model), *trace(settings).features]
    partial_judges(judges, features, "The student")

    try:
        train(settings, resume=resume, own_process=True)
    except TrainingStopped as stopped:
        raise typer.Exit(stopped.code) from stopped

    translators = {"teacher": (load(teacher), imitated), "student": (load(out), "a2b")}
    swap_student = settings.data.direction == "b2a"
    swaps = {"teacher": swap_student != (imitated == "b2a"), "student": swap_student}
    with plain_console(stderr=True).status("Comparing") as status:
        results = {
            name: evaluate(
                translator,
                settings.data.root,
                judges,
                direction=way,
                swap=swaps[name],
                limit=images,
                say=status.update,
            )
            for name, (translator, way) in translators.items()
        }
        measured = costs(translators)
    heads, rows = table(measured, results)
    shown = Table(*heads, box=None, pad_edge=False)
    for row in rows:
        shown.add_row(*row)
    console.print(shown)
    path = out / REPORT_FILE
    try:
        path.write_text(json.dumps(as_dict(measured, results), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}.") from error
    console.print(f"Report: {path}", soft_wrap=True)


def like_teacher(about: CheckpointConfig, overrides: dict[str, Any]) -> dict[str, Any]:
    """Settings of a student that is built as its teacher and translates between the same domains.

    Args:
        about: config.json of the teacher.
        overrides: what is set beside, by dotted names; `model.direction` and `data.direction` are read.
    Raises:
        UserError: the teacher has no such direction.
    """
    wish = str(overrides.get("model.direction", "a2b")).lower()
    direction = {"atob": "a2b", "btoa": "b2a"}.get(wish, wish)
    generators = {str(known): generator for known, generator in about.generators.items()}
    if direction not in generators:
        raise UserError(f"{about.name} has no direction {direction}; it has {' and '.join(generators)}.")
    ends = about.ends(direction)
    if str(overrides.get("data.direction", "a2b")).lower() in ("b2a", "btoa"):
        ends = ends[::-1]
    return {
        "title": f"{about.ends(direction)[0]} → {about.ends(direction)[1]}",
        "model": {"generator": generators[direction].model_dump(mode="json")},
        "data": {"domain_A": ends[0], "domain_B": ends[1], "crop_size": about.image_size},
    }
