"""Which images and which masks the samples are made of: what was found, with the direction applied."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from translate.data.folders import Domain, Layout, Names, find_images
from translate.data.images import read_array
from translate.data.masks import find_masks, share_masks, with_object
from translate.data.settings import DataConfig
from translate.errors import UserError

Masks = tuple[Names | None, Names | None]
"""For each domain the path of every image's mask, "" for an image without one; None where no image has one."""


_SAMPLE = 16
"""Images of a domain that are looked at for their depth."""


@dataclass(frozen=True)
class Sources:
    """Two domains and their masks; A is what the model reads and B what it makes."""

    layout: Layout
    domains: tuple[Domain, Domain]
    masks: Masks
    left_out: tuple[int, int] = (0, 0)
    """Images of each domain that are not used because their object is too small; see `data.object_crop`."""


def find_sources(config: DataConfig, split: str, *, paired: bool, training: bool) -> Sources:
    """The images of a split and their masks.

    Args:
        config: where they are.
        split: `train`, `val`, …
        paired: whether the model needs pairs. Then a mask of A serves its B too where that has none, and vice versa.
        training: whether masks that are named in the settings are required, and small objects left out.
    Raises:
        UserError: the folders are not as they should be.
    """
    folders = find_images(config.root, split=split, layout=config.layout, paired=paired, limit=config.limit)
    both = [(folders.A, config.mask_A), (folders.B, config.mask_B)]
    if config.direction == "b2a":
        both.reverse()
    (A, _), (B, _) = both
    masks: Masks = (None, None)
    if config.masks:
        found = [find_masks(domain, given, split, required=training) for domain, given in both]
        masks = share_masks(*found) if paired else (found[0], found[1])
    sources = Sources(folders.layout, (A, B), masks)
    if training and config.object_crop.share is not None:
        return _with_objects(sources, config.object_crop.min_object, paired=paired)
    return sources


@dataclass(frozen=True)
class Levels:
    """The levels of a domain's files: their depth, and which of them are the networks' -1 and 1."""

    depth: Literal[8, 16, "float"]
    range: tuple[float, float]


def learn_levels(domain: Domain) -> Levels | None:
    """The levels that most images of a domain have, of a sample from all over it; None where none can be read."""
    step = max(1, len(domain) // _SAMPLE)
    paths = [domain.path(index) for index in range(0, len(domain), step)][:_SAMPLE]
    found = Counter(levels for levels in map(_levels, paths) if levels is not None)
    return found.most_common(1)[0][0] if found else None


def _levels(path: Path) -> Levels | None:
    """The levels of an image; None where it cannot be read."""
    try:
        deep = read_array(path, None).dtype == np.uint16
    except UserError:
        return None
    if deep and (top := _top_of_floats(path)) is not None:
        return Levels("float", (0.0, top))
    return Levels(16, (0.0, 65535.0)) if deep else Levels(8, (0.0, 255.0))


def _top_of_floats(path: Path) -> float | None:
    """The level that is white in an image of floating-point numbers, as `images.to_array` reads it; else None."""
    try:
        with Image.open(path) as image:
            if image.mode != "F":
                return None
            highest = float(np.asarray(image).max())
    except OSError:  # a NumPy array, or a TIFF of many channels: `read_array` reads them, and no floats in them
        return None
    return next(top for top in (1.0, 255.0, 65535.0) if highest <= top)


def _with_objects(sources: Sources, least: float, *, paired: bool) -> Sources:
    """Without the images whose object fills less than `least` of them; a pair goes by the mask of its A."""
    domains, masks, left_out = list(sources.domains), list(sources.masks), [0, 0]
    if not any(masks):
        raise UserError(
            f"data.object_crop needs masks, but there are none for the images in {domains[0].folder}; make them with "
            "translate mask, or name their folders in data.mask_A and data.mask_B."
        )
    for side in (0, 1) if least else ():
        judged = 0 if paired else side
        by = sources.masks[judged]
        if by is None:
            continue
        kept = with_object(sources.domains[judged], by, least)
        if not kept:
            raise UserError(
                f"By their masks, the object fills less than {least:.0%} of every image in {domains[side].folder}; "
                f"look at {Path(by[0]).parent}, or lower data.object_crop.min_object."
            )
        left_out[side] = len(domains[side]) - len(kept)
        domain, own = domains[side], masks[side]
        domains[side] = replace(domain, names=Names(domain.names[index] for index in kept))
        masks[side] = own and Names(own[index] for index in kept)
    return replace(
        sources, domains=(domains[0], domains[1]), masks=(masks[0], masks[1]), left_out=(left_out[0], left_out[1])
    )
