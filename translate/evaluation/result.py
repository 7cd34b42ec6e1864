"""What an evaluation found, as JSON, as CSV and as the rows of a table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from translate.evaluation.measure import Measured

HEADINGS = {
    "kid": ("KID", "distance to the target's images; the lower the better"),
    "kid_untranslated": ("KID untranslated", "the same for the sources as they are"),
    "kid_real": ("KID of real images", "the same for training images of the target: about what can be reached"),
    "kid_improvement": ("KID improvement", "share of the sources' distance that the translation takes away"),
    "fid": ("FID", "distance to the target's images; the lower the better"),
    "fid_untranslated": ("FID untranslated", "the same for the sources as they are"),
    "lpips": ("LPIPS", "perceptual distance to the paired image; the lower the better"),
    "ssim": ("SSIM", "structural similarity to the paired image; 1 is identical"),
    "psnr": ("PSNR", "decibels, against the paired image; the higher the better"),
    "l1": ("L1", "mean difference to the paired image, of values from 0 to 1"),
    "classified_as_target": ("Taken for the target", "share of the translations, by the domain classifier"),
    "source_classified_as_target": ("… untranslated", "the same share of the sources as they are"),
    "real_classified_as_target": ("… real", "the same share of real images of the target"),
    "change_inside": ("Change inside the mask", "mean difference to the source, of levels from 0 to 255"),
    "change_outside": ("Change outside", "the same for the background; the lower the better"),
    "background_changed": ("Background changed", "share of its pixels that differ by over 40 levels from the source"),
    "structure": ("Structure distance", "how differently its parts are like one another; the lower, the more is kept"),
    "lpips_source": ("LPIPS to the source", "perceptual distance that the translation goes"),
    "ssim_source": ("SSIM to the source", "how much of the source's structure is left"),
    "cycle_l1": ("Cycle error", "mean difference to the source once translated back, of values from 0 to 1"),
}
"""{metric: (title, meaning)} of the metrics that tables show."""
SHARES = frozenset(name for name in HEADINGS if name.endswith("classified_as_target")) | {"kid_improvement"}


@dataclass
class Evaluation:
    """All of it. Numbers compare with those of another evaluation where images, extractor and resize agree."""

    checkpoint: str
    title: str
    data: str
    """Name of the folder."""
    split: str
    paired: bool
    swapped: bool
    """The folder's A is the checkpoint's b."""
    extractor: str
    """What FID and KID were made with; empty where there are none."""
    resize: str
    """What happened to the images: before they were translated, and before their features were taken."""
    classifier: str
    lpips: str
    directions: list[Measured]
    settings: dict[str, Any]
    """The checkpoint's config.json."""
    environment: dict[str, str]
    judges: dict[str, str] = field(default_factory=dict)
    """Further networks: the key that their numbers carry, as in `kid_lite1`, and what they are."""
    label: str = ""
    """The class of ImageNet that they look for."""
    structure: str = ""
    """The network that structure is seen by."""
    notes: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON: the numbers of the first direction at the top, those of each under its name."""
        about = {
            "checkpoint": self.checkpoint,
            "data": self.data,
            "split": self.split,
            "paired": self.paired,
            "swapped": self.swapped,
            "direction": self.directions[0].direction,
        }
        how = {
            "extractor": self.extractor,
            "resize": self.resize,
            "classifier": self.classifier,
            "lpips_by": self.lpips,
            "judges": self.judges,
            "label": self.label,
            "structure_by": self.structure,
        }
        by_direction = {one.direction: finite(one.values) for one in self.directions}
        rest = {"notes": self.notes, "skipped": self.skipped, "seconds": self.seconds, "environment": self.environment}
        return about | by_direction[self.directions[0].direction] | how | by_direction | rest

    def for_checkpoint(self) -> dict[str, dict[str, Any]]:
        """The numbers by direction, each with how it was made, for a checkpoint's config.json and model card."""
        how = {"extractor": self.extractor, "resize": self.resize, "data": f"{self.data}, {self.split}"}
        how |= {"label": self.label, "judges": ", ".join(self.judges.values())}
        return {one.direction: finite(one.values) | {k: v for k, v in how.items() if v} for one in self.directions}

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Heads and rows of a table: a metric a row, a direction a column."""
        heads = ["", *(f"{one.source} → {one.target}" for one in self.directions), ""]
        rows = []
        for name, (title, meaning) in (self._panel_headings() | HEADINGS).items():
            cells = [written(name, one.values.get(name), one.values.get(f"{name}_error")) for one in self.directions]
            if any(cells):
                rows.append([title, *cells, meaning])
        return heads, rows

    def _panel_headings(self) -> dict[str, tuple[str, str]]:
        """The numbers of further judges that are shown: a title, and what it means."""
        headings: dict[str, tuple[str, str]] = {}
        for key, about in self.judges.items():
            if self.label:
                headings |= {
                    f"top1_{key}": (f"Called {self.label} by {key}", f"share of the translations; {about}"),
                    f"top5_{key}": ("… among its first five", "the same, by any of its five likeliest classes"),
                    f"top1_{key}_source": ("… untranslated", "the same share of the sources as they are"),
                    f"top1_{key}_real": ("… real", "the same share of real images of the target"),
                }
            headings |= {
                f"kid_{key}": (f"KID by {key}", f"distance to the target's images; {about}"),
                f"kid_{key}_untranslated": ("… untranslated", "the same for the sources as they are"),
                f"kid_{key}_real": ("… real", "the same for training images of the target"),
                f"fid_{key}": (f"FID by {key}", "distance to the target's images; the lower the better"),
            }
        return headings


def written(name: str, value: float | None, error: float | None = None) -> str:
    """A number as people read it, e.g. `0.0123 ± 0.0021`, `94 %`, `21.37`."""
    if value is None or not math.isfinite(value):
        return ""
    if name == "background_changed":
        return f"{100 * value:.2f} %"
    if name in SHARES or name.startswith(("top1_", "top5_")) or name.endswith("_improvement"):
        return f"{100 * value:.0f} %"
    digits = 2 if abs(value) >= 1 else 4
    text = f"{value:.{digits}f}"
    return f"{text} ± {error:.{digits}f}" if error is not None and math.isfinite(error) else text


def finite(values: Mapping[str, float]) -> dict[str, float]:
    """Without what is no number, which JSON cannot write; six digits are more than any of it is worth."""
    return {
        name: value if isinstance(value, int) else float(f"{value:.6g}")
        for name, value in values.items()
        if math.isfinite(value)
    }


def as_csv(measured: Measured) -> str:
    """The table of images, best first: its rank, its name, and what could be told of it."""
    order = measured.order()
    columns = list(measured.rows[0])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["rank", *columns])
    for rank, at in enumerate(order, start=1):
        row = measured.rows[at]
        writer.writerow(
            [rank, *(f"{row[name]:.6g}" if isinstance(row[name], float) else row[name] for name in columns)]
        )
    return text.getvalue()
