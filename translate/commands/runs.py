"""translate runs | compare | report: list training runs, tell what differs between some, write one as an HTML file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from translate.commands.terminal import console
from translate.errors import UserError

if TYPE_CHECKING:
    from translate.runs.listing import Run


def runs(
    folder: Annotated[Path, typer.Option("--runs", help="Folder of training runs.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the training runs in a folder, the newest first."""
    from translate.runs.listing import list_runs

    found = list_runs(folder)
    if as_json:
        _print_json([_about(run) for run in found])
        return
    if not found:
        console.print(f"There are no runs in {folder} yet. Train one: translate train")
        return
    table = Table("Name", "Model", "Data", "Steps", "State", "When", "Last losses", "Best metric", box=None)
    for run in found:
        best = _best(run)
        table.add_row(
            run.name,
            run.config.model.name,
            _data(run),
            f"{run.step}/{run.total or '?'}",
            run.state,
            f"{run.changed:%Y-%m-%d %H:%M}",
            "  ".join(f"{name} {value:.3f}" for name, value in _last(run, run.losses).items()),
            f"{best['metric']} {best['value']:.4g} at step {best['step']}" if best else "",
        )
    console.print(table)


def compare(
    names: Annotated[list[str], typer.Argument(help="Two or more runs: names of folders in --runs, or paths.")],
    folder: Annotated[Path, typer.Option("--runs", help="Folder of training runs.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Show in which settings runs differ, and their last losses and metrics side by side."""
    from translate.runs.listing import differences

    if len(names) < 2:
        raise UserError("Name two or more runs to compare; `translate runs` lists them.")
    compared = [_open(folder, name) for name in names]
    shown = [run.name for run in compared]
    if len(set(shown)) < len(shown):
        shown = names  # the same name in two places
    settings = differences(compared)
    results = _results(compared)
    falling = {term.name for run in compared for term in run.terms if term.better == "low"}
    better = {name: _better(name, values, falling) for name, values in results.items()}
    if as_json:
        _print_json(
            {
                "runs": [_about(run) | {"name": name} for name, run in zip(shown, compared, strict=True)],
                "settings": dict(settings),
                "results": {
                    name: {"values": values, "better": [shown[index] for index in better[name]]}
                    for name, values in results.items()
                },
            }
        )
        return
    table = Table("", *shown, box=None)
    table.add_row("step", *(str(run.step) for run in compared))
    for name, values in settings:
        table.add_row(name, *map(str, values))
    table.add_section()
    for name, values in results.items():
        cells = (
            "" if value is None else f"{value:.4g}" + (" ◂ better" if index in better[name] else "")
            for index, value in enumerate(values)
        )
        table.add_row(name, *cells)
    console.print(table)


def report(
    run: Annotated[Path, typer.Argument(help="Folder of a training run.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The file; report.html in the run's folder.")] = None,
) -> None:
    """Write a report on a training run: curves, samples, settings and machine, in one HTML file."""
    from translate.runs.report import write_run_report

    file = write_run_report(run, out or run / "report.html")
    console.print(f"Wrote {file}", soft_wrap=True)


def _open(folder: Path, name: str) -> Run:
    from translate.runs.listing import read_run

    for path in (folder / name, Path(name)):
        if (path / "config.yaml").is_file():
            return read_run(path)
    raise UserError(f"There is no run called {name} in {folder}; `translate runs --runs {folder}` lists them.")


def _about(run: Run) -> dict[str, Any]:
    return {
        "name": run.name,
        "folder": str(run.folder),
        "model": run.config.model.name,
        "data": _data(run),
        "step": run.step,
        "steps": run.total,
        "state": run.state,
        "reason": run.reason,
        "changed": run.changed.isoformat(timespec="seconds"),
        "losses": _last(run, run.losses),
        "metrics": _last(run, run.measures),
        "best": _best(run),
        "tracked_at": run.tracked_at,
    }


def _data(run: Run) -> str:
    return run.config.dataset or run.config.data.root.name


def _last(run: Run, names: Sequence[str]) -> dict[str, float]:
    """The newest value of each curve."""
    return {name: curve[-1][1] for name in names if (curve := run.curve(name))}


def _best(run: Run) -> dict[str, Any] | None:
    """The metric by which checkpoints/best was chosen, its value there and its step; None where there is none."""
    try:
        about = json.loads((run.folder / "checkpoints" / "best" / "config.json").read_text(encoding="utf-8"))
        best = dict(about["metrics"]["best"])
        step = int(best.pop("step"))
        ((metric, value),) = best.items()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return {"metric": metric, "value": value, "step": step}


def _results(compared: Sequence[Run]) -> dict[str, list[float | None]]:
    """The last value in each run of every loss and metric that one of them has."""
    found = [_last(run, [*run.losses, *run.measures]) for run in compared]
    names = dict.fromkeys(name for values in found for name in values)
    return {name: [values.get(name) for values in found] for name in names}


def _better(name: str, values: Sequence[float | None], falling: Set[str]) -> list[int]:
    """Places of the best values; none where there is nothing to choose, or nobody knows which way is better."""
    there = [value for value in values if value is not None]
    if len(there) < 2 or min(there) == max(there):
        return []
    lower = _lower_is_better(name, falling)
    if lower is None:
        return []
    best = min(there) if lower else max(there)
    return [index for index, value in enumerate(values) if value == best]


def _lower_is_better(name: str, falling: Set[str]) -> bool | None:
    if "kid_error" in name:
        return None
    if name.startswith("val/"):
        from translate.evaluation.measure import lower_is_better  # imports torch

        return lower_is_better(name.removeprefix("val/"))
    return True if name in falling else None


def _print_json(data: Mapping[str, Any] | Sequence[Any]) -> None:
    print(json.dumps(data, indent=1))
