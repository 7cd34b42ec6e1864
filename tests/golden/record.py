"""Write the golden losses, or an exact record for a comparison on one machine.

    python -m tests.golden.record                 writes tests/golden/float64.json and float32.json
    python -m tests.golden.record --exact FILE    writes every loss of every precision as hexadecimal floats

The golden losses are written anew only by a commit that means to change what is trained, whose message says which
losses change and why. A commit that only rearranges code leaves them as they are.

Two exact records of the same machine and the same versions of its libraries are equal, byte for byte, if nothing was
changed. They also hold bfloat16 and networks that are wide enough for the kernels of processors with AVX2 alone; on a
processor with AVX-512 set ATEN_CPU_CAPABILITY=avx2 to record what those kernels compute.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from tests.golden.steps import VARIANTS, WIDE, WIDE_SIDE, WIDE_STEPS, train

FOLDER = Path(__file__).parent
GOLDEN = {"float64": torch.float64, "float32": torch.float32}
DIGITS = {"float64": 17, "float32": 9}
"""Significant decimal digits from which a value of this precision is read back exactly."""

Values = dict[str, dict[str, list[float]]]
"""{"losses": {name: one value a step}, "averages": {direction: mean and standard deviation}}"""


def load(precision: str) -> dict[str, Values]:
    """The golden values of every variant. `precision` is "float64" or "float32"."""
    values: dict[str, Values] = json.loads((FOLDER / f"{precision}.json").read_text(encoding="utf-8"))
    return values


def record(precision: str) -> None:
    """Train every variant and write the golden values of one precision."""
    runs = {name: train(settings, GOLDEN[precision]) for name, settings in VARIANTS.items()}

    def rounded(values: list[float]) -> str:
        return json.dumps([float(f"{value:.{DIGITS[precision]}g}") for value in values])

    _write(FOLDER / f"{precision}.json", runs, rounded)


def record_exactly(path: Path) -> None:
    """Train every variant in float64, float32 and bfloat16, and the wide ones, and write all values to the last bit."""
    precisions = GOLDEN | {"bfloat16": torch.bfloat16}
    runs = {
        f"{name}, {precision}": train(settings, dtype)
        for precision, dtype in precisions.items()
        for name, settings in VARIANTS.items()
    }
    for name, settings in WIDE.items():
        runs[f"{name}, float32"] = train(settings, torch.float32, side=WIDE_SIDE, steps=WIDE_STEPS)
    _write(path, runs, lambda values: json.dumps([value.hex() for value in values]))


def _write(
    path: Path,
    runs: Mapping[str, tuple[Mapping[str, list[float]], Mapping[str, list[float]]]],
    written: Callable[[list[float]], str],
) -> None:
    """JSON with a line for each loss, so that a difference between two files names what has changed."""
    variants = []
    for name, (losses, averages) in runs.items():
        sections = []
        for title, rows in (("losses", losses), ("averages", averages)):
            lines = ",\n".join(f"      {json.dumps(row)}: {written(values)}" for row, values in rows.items())
            sections.append(f'    "{title}": {{\n{lines}\n    }}')
        variants.append(f"  {json.dumps(name)}: {{\n" + ",\n".join(sections) + "\n  }")
    path.write_text("{\n" + ",\n".join(variants) + "\n}\n", encoding="utf-8")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Write the golden losses anew.")
    parser.add_argument("--exact", type=Path, metavar="FILE", help="write an exact record there instead")
    chosen = parser.parse_args()
    if chosen.exact is not None:
        record_exactly(chosen.exact)
        return
    for precision in GOLDEN:
        record(precision)


if __name__ == "__main__":
    main()
