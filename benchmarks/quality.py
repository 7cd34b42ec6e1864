"""How good are the built-in checkpoints? One command makes all numbers of their cards and of docs/quality.md.

    python benchmarks/quality.py DATA [--only NAME ...] [--swap NAME ...] [--record] [--page FILE] [--json FILE]

DATA holds the public data sets, each in a folder of its name (`translate pull dataset NAME`); the validation images are
judged, or the test images where there are none. The judge of a data set with unpaired domains is a classifier
that tells them apart, trained here on its training images and kept (`--classifiers`) for the next time. Labels and
façades, edges and shoes are too easily told apart for features worth anything: there they are those of PHOTOGRAPHS.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from translate.checkpoints.zoo import available
from translate.errors import UserError
from translate.evaluation.classifier import load_classifier, save_classifier
from translate.evaluation.classifier.training import train_classifier
from translate.evaluation.judges import open_judges
from translate.evaluation.result import Evaluation
from translate.inference.evaluate import evaluate, record
from translate.inference.translator import Translator, load
from translate.models import named_model

PHOTOGRAPHS = "horse2zebra"
"""The data set whose classifier gives the features where the domains are paired."""
STEPS = 1500
"""Steps of a classifier's training."""


def judge(data: Path, name: str, classifiers: Path, swap: bool, console: Console) -> Path:
    """The folder of the classifier of a data set's domains, trained if it is not there yet."""
    folder = classifiers / name
    if not folder.is_dir():
        domains = load(name).config.domains
        sides = (domains["a"], domains["b"])
        console.print(f"{name}: training a classifier of {sides[0]} and {sides[1]}")
        save_classifier(folder, *train_classifier(data / name, domains=sides[::-1] if swap else sides, steps=STEPS))
    accuracy = load_classifier(folder)[1].accuracy
    console.print(f"{name}: the classifier is right about {accuracy['a']:.0%} of A and {accuracy['b']:.0%} of B")
    return folder


def measured(translator: Translator, data: Path, classifiers: Path, swap: bool | None, console: Console) -> Evaluation:
    """A checkpoint's evaluation, in every direction it has."""
    name = translator.config.name
    model = named_model(translator.config.provenance.model)
    paired = model is not None and model.paired
    source = PHOTOGRAPHS if paired else name
    features = judge(data, source, classifiers, bool(swap) and not paired, console)
    judges = open_judges(features, device=translator.device)
    if paired:  # its verdict is on other domains
        judges = dataclasses.replace(judges, classifier=None)
    return evaluate(translator, data / name, judges, swap=swap, say=lambda stage: console.print(f"{name}: {stage}"))


def page(results: Sequence[Evaluation]) -> str:
    """All tables as Markdown."""
    about = results[0].environment
    lines = [
        "# Quality of the built-in checkpoints",
        "",
        "Made by `translate bench quality DATA --record --page docs/quality.md` on the public data sets; what each",
        "number means is in the last column.",
        "",
        f"{about['device']}, torch {about['torch']}, {datetime.date.today():%Y-%m-%d}.",
    ]
    for result in results:
        heads, rows = result.table()
        lines += ["", f"## {result.checkpoint}", "", " | ".join(["", *heads, ""]).strip()]
        lines += ["| --- |" + " ---: |" * (len(heads) - 2) + " --- |"]
        lines += [" | ".join(["", *row, ""]).strip() for row in rows]
        counts = ", ".join(f"{one.values['images']:.0f} of {one.source}" for one in result.directions)
        lines += ["", f"Images of `{result.split}`: {counts}; {result.resize}. Features: {result.extractor}."]
        # why something is left out is of this machine
        lines += [f"{note.partition('left out')[0]}left out." if "left out" in note else note for note in result.notes]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables, and write what was asked for."""
    parser = argparse.ArgumentParser(description="Measure the built-in checkpoints on the public data sets.")
    parser.add_argument("data", type=Path, help="folder with a folder for each data set")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these; all built-in ones where not given")
    parser.add_argument("--swap", nargs="+", default=[], metavar="NAME", help="the folder's A is the checkpoint's b")
    parser.add_argument("--classifiers", type=Path, default=Path("runs/classifiers"), help="folder they are kept in")
    parser.add_argument("--record", action="store_true", help="write the numbers into the checkpoints and their cards")
    parser.add_argument("--page", type=Path, help="write the tables into this file")
    parser.add_argument("--json", type=Path, help="write all that was found into this file")
    given = parser.parse_args(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    results = []
    try:
        for name in given.only or [entry.name for entry in available() if entry.origin == "built-in"]:
            translator = load(name)
            swap = True if name in given.swap else None
            results.append(measured(translator, given.data, given.classifiers, swap, console))
            if given.record:
                record(translator, results[-1])
    except UserError as error:
        console.print(str(error), style="red")
        return 1
    print(page(results))
    if given.page is not None:
        given.page.write_text(page(results), encoding="utf-8")
    if given.json is not None:
        found = {result.checkpoint: result.as_dict() for result in results}
        given.json.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
