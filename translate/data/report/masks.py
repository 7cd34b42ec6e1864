"""The part of a report that is on masks: how much they cover, which are of no use, and what object crops would show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from translate.data.images import UnreadableImage
from translate.data.listing import scan, stem_of
from translate.data.masks import Mask, mask_folder, object_share, read_mask
from translate.data.report.facts import Place
from translate.data.settings import DataConfig
from translate.data.transforms import resize
from translate.data.transforms.placement import SIDES, shares_in_crops
from translate.errors import UserError

SHARE = (0.15, 0.8)
"""Limits of the object's share that the report tries object crops with."""
SMALL = 0.02
"""Share below which `data.object_crop` leaves an image out by default."""
FULL = 0.98
"""Share from which on a mask is taken for full."""
SAMPLED = 200
"""At most this many masks of a folder are kept for trying object crops."""


@dataclass
class MaskGroup:
    """The masks of the images in one folder. Files are named relative to the root of the data set."""

    split: str
    domain: str
    """As in `FolderGroup`."""
    images: str
    """The folder of the images."""
    folder: str
    masks: int = 0
    """Readable masks that belong to an image."""
    coverage: float = 0.0
    """Mean share of a picture that its mask covers, from 0 to 1."""
    small: int = 0
    """Masks that cover less than 2 %, the empty ones included."""
    empty: list[str] = field(default_factory=list)
    full: list[str] = field(default_factory=list)
    """Masks that cover 98 % or more."""
    without_mask: list[str] = field(default_factory=list)
    """Images without a mask."""
    without_image: list[str] = field(default_factory=list)
    """Masks that belong to no image."""
    resized: list[dict[str, Any]] = field(default_factory=list)
    """{"files": [image, mask], "sizes": [[width, height], …]}: masks of another size than their image."""
    coverage_in_crops: float | None = None
    """Mean share of the object in object crops; see `scale`."""
    scale: list[int] = field(default_factory=list)
    """The limits of the crops' sides that this share belongs to, for `data.object_crop.scale_A` and `scale_B`."""


@dataclass
class MaskFacts:
    """Facts about a readable mask: (width, height), the object's share, and the mask scaled as training scales it."""

    path: Path
    size: tuple[int, int]
    share: float
    scaled: Mask


def list_masks(place: Place) -> list[Path]:
    """The masks beside a folder of images, whether they belong to one or not; sorted."""
    folder = mask_folder(place.folder, None, place.split)
    return [folder / name for name in scan(folder)] if place.domain and folder.is_dir() else []


def look_at_mask(path: Path, crop_size: int) -> MaskFacts | str:
    """Decode a mask and take note, or say why it is unreadable."""
    try:
        mask = read_mask(path)
    except UnreadableImage as error:
        return error.reason
    except UserError as error:
        return str(error)
    side = _load_size(crop_size)
    scaled = resize(mask[:, :, None], (side, side))[:, :, 0]
    return MaskFacts(path, (mask.shape[1], mask.shape[0]), object_share(mask), scaled)


def describe_masks(place: Place, facts: Sequence[MaskFacts], root: Path) -> MaskGroup:
    """Findings about the masks of one folder of images; files are named relative to `root`."""

    def relative(path: Path) -> str:
        return path.relative_to(root).as_posix()

    folder = mask_folder(place.folder, None, place.split)
    group = MaskGroup(place.split, place.domain, relative(place.folder), relative(folder))
    images = {stem_of(name): name for name in place.names}
    by_stem = {stem_of(fact.path.relative_to(folder).as_posix()): fact for fact in facts}
    group.without_mask = [relative(place.folder / name) for stem, name in images.items() if stem not in by_stem]
    group.without_image = [relative(fact.path) for stem, fact in by_stem.items() if stem not in images]
    own = {images[stem]: fact for stem, fact in by_stem.items() if stem in images}
    group.masks = len(own)
    group.coverage = round(sum(fact.share for fact in own.values()) / max(1, len(own)), 4)
    group.empty = [relative(fact.path) for fact in own.values() if fact.share == 0]
    group.full = [relative(fact.path) for fact in own.values() if fact.share >= FULL]
    group.small = sum(fact.share < SMALL for fact in own.values())
    for name, fact in own.items():
        if name in place.facts:
            width, height = place.facts[name].size
            halves = {(width // 2, height)} if place.domain == "A|B" else set()
            if fact.size not in {(width, height), *halves}:
                files = [relative(place.folder / name), relative(fact.path)]
                group.resized.append({"files": files, "sizes": [[width, height], list(fact.size)]})
    return group


def try_object_crops(groups: Sequence[tuple[MaskGroup, Sequence[MaskFacts]]], crop_size: int) -> None:
    """Fill in what object crops would show of the domains to train on, at scales that bring their shares together.

    The domain with the larger object gets the default scale. The squares of the other are smaller by the root of the
    ratio of their shares, so that the object fills as much of them, but no smaller than a third of crop_size.
    """
    largest = max((group.coverage for group, _ in groups), default=0.0)
    for group, facts in groups:
        masks = [fact.scaled for fact in facts if fact.share >= SMALL][:SAMPLED]
        if not masks or group.domain not in ("A", "B"):
            continue
        zoom = (group.coverage / largest) ** 0.5
        low, high = (
            min(max(round(crop_size * limit * zoom), crop_size // 3), _load_size(crop_size)) for limit in SIDES
        )
        shares = shares_in_crops(masks, SHARE, (low, high))
        group.scale, group.coverage_in_crops = [low, high], round(sum(shares) / len(shares), 4)


def _load_size(crop_size: int) -> int:
    """Pixels that images are scaled to before they are cropped, in the ratio of the settings' defaults."""
    defaults = DataConfig()
    return round(crop_size * defaults.load_size / defaults.crop_size)


def describe_coverage(groups: Sequence[MaskGroup]) -> list[str]:
    """What the masks show, and what object crops would show, in words."""
    lines = [
        f"{group.folder}: {group.masks:,} masks, which cover {group.coverage:.0%} of a picture on average."
        for group in groups
    ]
    cropped = [group for group in groups if group.coverage_in_crops is not None]
    if cropped:
        whole = ", ".join(f"{group.images} shows {group.coverage:.0%}" for group in cropped)
        then = " and ".join(f"{group.coverage_in_crops:.0%}" for group in cropped)
        flags = [f"--data.object_crop.share '{list(SHARE)}'"]
        flags += [f"--data.object_crop.scale_{group.domain} '{group.scale}'" for group in cropped]
        lines.append(f"Of the object, {whole}; with object crops {then}: {' '.join(flags)}")
    return lines


def warn_of_masks(groups: Sequence[MaskGroup]) -> list[str]:
    """Warnings to be read before training with these masks, as sentences."""
    found = []
    for group in groups:
        for count, noun, folder, consequence in (
            (len(group.without_mask), "image", group.images, "without a mask: everything may change there"),
            (len(group.without_image), "mask", group.folder, "without an image: not used"),
            (len(group.empty), "mask", group.folder, "empty: nothing should change there"),
            (len(group.full), "mask", group.folder, "full: everything may change there"),
            (len(group.resized), "mask", group.folder, "of another size than the image: scaled in training"),
            (group.small, "mask", group.folder, f"under {SMALL:.0%} of the picture: object crops leave that out"),
        ):
            if count:
                found.append(f"{count:,} {noun}{'' if count == 1 else 's'} in {folder} {consequence}.")
    return found
