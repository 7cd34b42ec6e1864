"""The report on an evaluation: one HTML file, beside it the tables, the contact sheets and the JSON."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from translate.errors import UserError
from translate.evaluation.contact_sheet import contact_sheet, examples, name_of, number
from translate.evaluation.measure import Measured
from translate.evaluation.page import code, direction, facts, figures, folded, notes, page, picture, table
from translate.evaluation.result import Evaluation, as_csv, written
from translate.pages.charts import bar_chart
from translate.pages.fragments import Markup

EXAMPLES = 6
"""Best and worst images that the page shows of each direction."""


def write_report(evaluation: Evaluation, folder: Path) -> Path:
    """Write report.html, evaluation.json, and of each direction DIRECTION.csv and DIRECTION.png (a contact sheet).

    Returns the page. Raises UserError where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(evaluation.as_dict() | {"per_image": per_image(evaluation)}, indent=2)
        (folder / "evaluation.json").write_text(text + "\n", encoding="utf-8")
        for measured in evaluation.directions:
            (folder / f"{measured.direction}.csv").write_text(as_csv(measured), encoding="utf-8", errors="replace")
            contact_sheet(measured, EXAMPLES).save(folder / f"{measured.direction}.png")
        (folder / "report.html").write_text(render(evaluation), encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"Cannot write the report to {folder}: {error.strerror}.") from error
    return folder / "report.html"


def per_image(evaluation: Evaluation) -> dict[str, list[dict[str, object]]]:
    """The table of images of each direction, best first."""
    return {one.direction: [one.rows[at] for at in one.order()] for one in evaluation.directions}


def render(evaluation: Evaluation) -> str:
    """The page as HTML."""
    heads, rows = evaluation.table()
    columns = range(1, len(heads) - 1)
    kind = "pairs" if evaluation.paired else "unpaired images"
    lead = f"Evaluated on {evaluation.data}, split {evaluation.split} ({kind})."
    sections = [
        ("", figures(_headlines(evaluation))),
        ("", notes(evaluation.notes)),
        ("Numbers", table(heads, rows, columns) + facts(_how(evaluation))),
    ]
    for measured in evaluation.directions:
        sections.append((f"{measured.source} → {measured.target}", _direction(measured)))
    settings = yaml.safe_dump(evaluation.settings, sort_keys=False, allow_unicode=True)
    rest = [
        folded("The checkpoint's settings", code(settings)),
        folded("Environment", facts(evaluation.environment)),
        folded(f"{len(evaluation.skipped)} images could not be read", code("\n".join(evaluation.skipped)))
        if evaluation.skipped
        else Markup(),
    ]
    sections.append(("Particulars", Markup().join(rest)))
    footer = (
        f"Made by translate {evaluation.environment['translate']} in {evaluation.seconds:.0f} seconds. Numbers compare "
        "with those of another evaluation where images, extractor and resizing agree."
    )
    return page(evaluation.title or evaluation.checkpoint, lead, sections, footer)


def _headlines(evaluation: Evaluation) -> list[tuple[str, str]]:
    chosen = ("lpips", "ssim", "kid_improvement", "classified_as_target", "kid")
    titles = {
        "lpips": "LPIPS",
        "ssim": "SSIM",
        "kid_improvement": "nearer to the target, by KID",
        "classified_as_target": "taken for the target",
        "kid": "KID",
    }
    several = len(evaluation.directions) > 1
    entries = []
    for measured in evaluation.directions:
        there = [name for name in chosen if name in measured.values][:2]
        for name in there:
            way = f", {measured.source} → {measured.target}" if several else ""
            entries.append((written(name, measured.values[name]), titles[name] + way))
    return entries


def _how(evaluation: Evaluation) -> dict[str, str]:
    first = evaluation.directions[0].values
    subsets = int(first.get("kid_subsets", 0))
    return {
        "Images": ", ".join(
            f"{one.values['images']:.0f} × {one.source}, against {one.values['images_target']:.0f} × {one.target}"
            for one in evaluation.directions
        ),
        "Size": evaluation.resize,
        "Features for FID and KID": evaluation.extractor,
        "KID": f"{subsets} subsets of {first['kid_subset_size']:.0f} images"
        if subsets > 1
        else "all images at once; ± is the standard error by the jackknife"
        if subsets
        else "",
        "LPIPS": evaluation.lpips,
        "Further judges": "; ".join(evaluation.judges.values()),
        "Structure": evaluation.structure,
        "Domain classifier": evaluation.classifier,
        "A and B": "the folder's A is the checkpoint's b" if evaluation.swapped else "",
    }


def _direction(measured: Measured) -> Markup:
    best, worst = examples(measured, EXAMPLES)
    values = measured.values
    charts = []
    if "kid" in values:
        names = {"kid": "translated", "kid_untranslated": "untranslated", "kid_real": "real images"}
        bars = [(label, values[name], written(name, values[name])) for name, label in names.items() if name in values]
        charts.append(bar_chart("KID", bars, "the shorter the better"))
    if "classified_as_target" in values:
        names = {
            "classified_as_target": "translated",
            "source_classified_as_target": "untranslated",
            "real_classified_as_target": "real images",
        }
        bars = [(label, values[name], written(name, values[name])) for name, label in names.items()]
        charts.append(bar_chart(f"Taken for {measured.target}", bars, "by the domain classifier"))
    label = name_of(measured.ranked_by)
    columns = [name for name in measured.rows[0] if name != "name"]
    lines = [
        [str(rank), str(measured.rows[at]["name"]), *(written(name, measured.rows[at][name]) for name in columns)]
        for rank, at in enumerate(measured.order(), start=1)
    ]
    listed = table(["", "image", *columns], lines, range(2, 2 + len(columns)))
    return direction(charts, label, _boxes(measured, best), _boxes(measured, worst), len(lines), listed)


def _boxes(measured: Measured, chosen: list[int]) -> list[tuple[Markup, str, str]]:
    """For each chosen image: its pictures side by side, its name, and the value that it is ranked by."""
    boxes = []
    for at in chosen:
        shown = [
            picture(measured.sources[at], f"source: {measured.source}"),
            picture(measured.made[at], f"translation to {measured.target}"),
            *(picture(target, f"what it should be: {measured.target}") for target in measured.targets[at : at + 1]),
        ]
        boxes.append((Markup().join(shown), str(measured.rows[at]["name"]), number(measured, at)))
    return boxes
