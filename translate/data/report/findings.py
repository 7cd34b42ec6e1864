"""What a report on a folder holds, the warnings it draws from that, and how it looks in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from translate.data.listing import describe_others
from translate.data.report.masks import MaskGroup, describe_coverage, warn_of_masks
from translate.models import model_class

_SHOWN = 5  # files of a kind that the terminal names; `as_dict` has all


@dataclass
class FolderGroup:
    """The images of one split and domain: "A", "B", "A|B" (side by side), or "" where the name tells neither."""

    split: str
    domain: str
    folder: str
    files: int
    readable: int = 0
    smallest: list[int] = field(default_factory=list)
    """[width, height] of the image with the fewest pixels, of the median one, and of the one with the most."""
    median: list[int] = field(default_factory=list)
    largest: list[int] = field(default_factory=list)
    different_sizes: int = 0
    aspect_ratios: list[float] = field(default_factory=list)
    """Least, median and greatest width / height; of a half, where there are two side by side."""
    kinds: dict[str, int] = field(default_factory=dict)
    looks_grey: int = 0
    """Pictures without colour, in whatever kind of file."""
    smaller_than_crop: int = 0


@dataclass
class FolderReport:
    """What `inspect_folder` found. Files are named relative to `root`."""

    root: str
    crop_size: int
    layout: str = "unknown"
    """side_by_side, two_folders (pairs by name), unpaired, or unknown."""
    model: str = ""
    """The model to begin with, by its name; "" where there is nothing to train on yet."""
    command: str = ""
    groups: list[FolderGroup] = field(default_factory=list)
    unreadable: list[dict[str, str]] = field(default_factory=list)
    """{"file", "reason"}"""
    not_images: list[str] = field(default_factory=list)
    """Files anywhere in the folder that are no images, hidden ones aside."""
    duplicates: list[list[str]] = field(default_factory=list)
    """Files of one split with exactly the same pixels."""
    leaks: list[dict[str, Any]] = field(default_factory=list)
    """{"train", "other", "exact"}: pictures to learn from that are also among those to judge by."""
    pairs: int = 0
    without_partner: list[str] = field(default_factory=list)
    misaligned: list[dict[str, Any]] = field(default_factory=list)
    """{"files", "sizes"}: pairs of two sizes, and files whose width is odd although two images lie side by side."""
    masks: list[MaskGroup] = field(default_factory=list)
    """Findings about the masks, one entry for each folder of images that has masks beside it."""
    problems: list[str] = field(default_factory=list)
    """What keeps the folder from being trained on as it is."""
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as JSON holds it."""
        return asdict(self)


def warn(report: FolderReport) -> list[str]:
    """Warnings to be read before training, as sentences."""
    warnings = []
    training = [group for group in report.groups if group.split == report.groups[0].split]
    for group in training:
        few = model_class(report.model).enough_images if report.model else 0
        if group.readable < few:
            warnings.append(
                f"{group.folder} has {_count(group.readable, 'image')}; with fewer than {few}, results will be rough."
            )
        if group.smaller_than_crop:
            warnings.append(
                f"{group.smaller_than_crop} of {_count(group.readable, 'image')} in {group.folder} are smaller than "
                f"{report.crop_size}×{report.crop_size}; they will be scaled up and look soft."
            )
        if group.aspect_ratios and (group.aspect_ratios[0] < 2 / 3 or group.aspect_ratios[2] > 3 / 2):
            warnings.append(
                f"{group.folder} has images far from square (width / height from {group.aspect_ratios[0]} to "
                f"{group.aspect_ratios[2]}); --data.preprocess scale_shorter_and_crop does not distort them."
            )
        for kind, count in group.kinds.items():
            if "alpha" in kind:
                warnings.append(f"{_count(count, 'image')} in {group.folder} with alpha ({kind}): laid over white.")
            elif "16-bit" in kind:
                warnings.append(f"{_count(count, 'image')} in {group.folder} with 16 bits: all of them are used.")
            elif kind.startswith("CMYK"):
                warnings.append(f"{_count(count, 'image')} in {group.folder} for print (CMYK): converted to RGB.")
    warnings += _about_grey(training)
    if len(training) == 2 and report.layout == "unpaired":
        small, large = sorted(training, key=lambda group: group.readable)
        if large.readable > 10 * max(1, small.readable):
            warnings.append(f"{large.folder} has more than ten times the images of {small.folder}.")
    if report.model and len({group.split for group in report.groups}) == 1:
        warnings.append("There is no val split; samples will be drawn from the training images.")
    if report.leaks:
        warnings.append(
            f"{_count(len(report.leaks), 'picture')} to train on also among those to judge by: scores would flatter."
        )
    if report.duplicates:
        warnings.append(
            f"{_count(sum(len(same) - 1 for same in report.duplicates), 'file')} repeating another of the same split."
        )
    warnings += warn_of_masks(report.masks)
    if report.unreadable:
        warnings.append(f"{_count(len(report.unreadable), 'file')} unreadable: training skips them.")
    if report.not_images:
        warnings.append(f"{describe_others(Path(report.root), report.not_images)}.")
    return warnings


def _about_grey(groups: Sequence[FolderGroup]) -> list[str]:
    shares = [group.looks_grey / group.readable if group.readable else 0.0 for group in groups]
    warnings = []
    for group, share in zip(groups, shares, strict=True):
        if share > 0.5 and min(shares) < 0.5:
            warnings.append(f"Most of {group.folder} is without colour ({group.looks_grey} of {group.readable}).")
        elif 0 < share <= 0.5 and group.domain != "A|B":
            warnings.append(
                f"{_count(group.looks_grey, 'picture')} in {group.folder} without colour among colourful ones."
            )
    return warnings


def render(report: FolderReport) -> RenderableType:
    """The report for a terminal, as something that Rich prints."""
    title = {
        "side_by_side": "pairs, A and B side by side in one file",
        "two_folders": "pairs, by name in two folders",
        "unpaired": "two folders of unpaired images",
    }.get(report.layout, "a layout that is not known")
    parts: list[RenderableType] = [Text(f"{report.root}: {title}", style="bold")]
    table = Table(
        "Folder", "Images", "Sizes (least, median, greatest)", "Width / height", "Kinds", box=None, pad_edge=False
    )
    for group in report.groups:
        sizes = [
            f"{width}×{height}" for width, height in (group.smallest, group.median, group.largest) if group.readable
        ]
        if group.different_sizes > 1:
            span = f"{', '.join(sizes)}; {group.different_sizes} different"
        else:
            span = f"all {sizes[0]}" if sizes else ""
        ratios = list(dict.fromkeys(f"{ratio:g}" for ratio in group.aspect_ratios))
        kinds = ", ".join(f"{count} {kind}" for kind, count in group.kinds.items())
        name = f"{group.folder} ({group.domain})" if group.domain == "A|B" else group.folder
        table.add_row(Text(name), str(group.readable), Text(span), ", ".join(ratios), Text(kinds))
    parts.append(table)
    if report.pairs:
        parts.append(Text(f"{_count(report.pairs, 'pair')} to train on."))
    parts += [Text(line) for line in describe_coverage(report.masks)]
    lists = [
        ("Unreadable", [f"{entry['file']}: {entry['reason']}" for entry in report.unreadable]),
        ("Same pixels", [" = ".join(same) for same in report.duplicates]),
        (
            "Train / judge",
            [f"{leak['train']} {'=' if leak['exact'] else '≈'} {leak['other']}" for leak in report.leaks],
        ),
        ("Without partner", report.without_partner),
        (
            "Sizes differ" if report.layout != "side_by_side" else "Odd width",
            [_sizes(bad) for bad in report.misaligned],
        ),
        ("No mask", [image for group in report.masks for image in group.without_mask]),
        ("Masks without image", [mask for group in report.masks for mask in group.without_image]),
        ("Empty masks", [mask for group in report.masks for mask in group.empty]),
        ("Full masks", [mask for group in report.masks for mask in group.full]),
        ("Masks of another size", [_sizes(bad) for group in report.masks for bad in group.resized]),
    ]
    for heading, lines in lists:
        if lines:
            more = f"\n  … and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
            parts.append(
                Text.assemble(
                    (f"{heading} ({len(lines)})", "yellow"), "".join(f"\n  {x}" for x in lines[:_SHOWN]), more
                )
            )
    parts += [Text(f"✗ {problem}", style="red") for problem in report.problems]
    parts += [Text(f"! {warning}", style="yellow") for warning in report.warnings]
    if report.model:
        parts.append(Text.assemble("Train ", (report.model, "bold"), f": {report.command}"))
    return Group(*parts)


def _sizes(bad: dict[str, Any]) -> str:
    """`a.png 24×20, b.png 30×30` of files that differ in size."""
    return ", ".join(
        f"{file} {width}×{height}" for file, (width, height) in zip(bad["files"], bad["sizes"], strict=True)
    )


def _count(number: int, noun: str) -> str:
    """`1 image`, `3 images`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
