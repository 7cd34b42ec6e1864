"""history.jsonl: one JSON object a logged step. Any tool can read it; the studio and `translate runs` do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class History:
    """Appends rows to a file; each row is on disk before the next step begins."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, row: dict[str, Any]) -> None:
        """Add one row, e.g. {"step": 20, "epoch": 0, "G_A": 0.31, "step_seconds": 0.4}."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def truncate(self, last_step: int) -> None:
        """Forget the rows after `last_step`: a resumed run writes them again. A half-written row is dropped too."""
        rows = [row for row in read_history(self.path) if row["step"] <= last_step]
        draft = self.path.with_suffix(".part")
        draft.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        draft.replace(self.path)


def read_history(path: Path) -> list[dict[str, Any]]:
    """The rows of a history.jsonl; none where there is no file. A last row that a kill cut short is left out."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows
