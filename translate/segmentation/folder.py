"""Masks for the pictures of a folder: fitted to some of them, made for all."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from translate.data.folders import list_names
from translate.data.formats import Pixels
from translate.data.images import UnreadableImage, read_array
from translate.data.masks import MASK_SUFFIX, Mask
from translate.data.tensors import to_tensor
from translate.errors import UserError
from translate.features import FeatureNetwork
from translate.segmentation.evidence import class_evidence, scale
from translate.segmentation.labels import classes_of
from translate.segmentation.pixel_classifier import PixelClassifier, fit_pixels
from translate.segmentation.refinement import guided_filter

RECORD = ".masks.json"
"""File in the folder of the masks that says what they show and which network made them."""
FITTED = 100
"""At most this many pictures, spread over the folder, are learned from."""
SIZE = 640
"""Side of the squares that pictures are scaled to for their features, in pixels."""
STRIDE = 16
"""Stride, in pixels, of the feature map that tells the object from the background."""
LIKELY = 0.45
"""Probability from which on a pixel is the object's, after filtering; measured on horses and zebras."""
REFINED = 256
"""Longer side, in pixels, of the picture whose edges a mask is brought to."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, and how many pictures of how many are done."""


@dataclass
class MaskedFolder:
    """What `mask_images` did."""

    folder: Path
    """Where the masks are."""
    made: int = 0
    present: int = 0
    """Masks that were there already."""
    failed: list[str] = field(default_factory=list)
    """A sentence for each picture that could not be read."""
    coverage: float = 0.0
    """Mean share of a picture that the masks made now cover, from 0 to 1."""
    empty: list[str] = field(default_factory=list)
    """Names of the pictures in which nothing was found."""


def mask_images(
    folder: Path,
    label: str,
    network: FeatureNetwork,
    *,
    out: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> MaskedFolder:
    """Make a mask, white where an object is, for every picture in a folder and its subfolders.

    Masks that are there are kept, so that a call that was interrupted is gone on with. The same folder gives the same
    masks however often it was interrupted.

    Args:
        folder: pictures, most of which show the object.
        label: what the object is; see `classes_of`.
        network: a classifier of ImageNet with class activation maps, such as `load_features("lite0")`.
        out: where the masks go, as PNG files with the pictures' stems; None is the folder's name with `_mask`.
        overwrite: make masks anew that are there.
        progress: called after each picture.
    Raises:
        UserError: the folder holds no readable pictures, the label is unknown, the object is in none of them, or `out`
            holds masks of another label or cannot be written.
    """
    classes = classes_of(network, label)
    if not folder.is_dir():
        raise UserError(f"The folder {folder} does not exist; give the folder of the pictures.")
    names = list_names(folder)
    out = out or folder.with_name(folder.resolve().name + MASK_SUFFIX)
    result = MaskedFolder(out)
    targets = _targets(names, out)
    _check_record(out, {"label": label, "classes": classes, "network": network.name}, overwrite)
    missing = [name for name in names if overwrite or not targets[name].exists()]
    result.present = len(names) - len(missing)
    if not missing:
        return result
    with torch.no_grad():
        classifier = _fit(folder, names, network, classes, label, progress)
        shares = []
        for done, name in enumerate(missing, start=1):
            try:
                mask = mask_of(read_array(folder / name, 3), network, classifier)
            except UserError as error:
                result.failed.append(str(error))
            else:
                _write(mask, targets[name])
                shares.append(float(mask.mean()) / 255)
                if not mask.any():
                    result.empty.append(name)
            if progress is not None:
                progress("Making masks", done, len(missing))
    result.made, result.coverage = len(shares), sum(shares) / max(1, len(shares))
    return result


def mask_of(picture: Pixels, network: FeatureNetwork, classifier: PixelClassifier) -> Mask:
    """The mask (H, W), 0 or 255, of an (H, W, 3) picture."""
    image = to_tensor(picture)[None]
    odds = classifier(_features(network, image))
    height, width = picture.shape[:2]
    shrink = min(1.0, REFINED / max(height, width))
    size = (max(1, round(height * shrink)), max(1, round(width * shrink)))
    likely = torch.sigmoid(F.interpolate(odds[None, None], size, mode="bicubic", align_corners=False))[0, 0].numpy()
    guide = F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)[0]
    colours = np.ascontiguousarray(guide.div(2).add(0.5).permute(1, 2, 0).numpy())
    refined = guided_filter(colours, likely)
    whole = cv2.resize(refined, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(whole > LIKELY, 255, 0).astype(np.uint8)


def _fit(
    folder: Path,
    names: Sequence[str],
    network: FeatureNetwork,
    classes: Sequence[int],
    label: str,
    progress: Progress | None,
) -> PixelClassifier:
    """A classifier for the places of the folder's pictures, learned from some of them."""
    count = min(FITTED, len(names))
    features, evidence = [], []
    for done in range(count):
        try:
            image = to_tensor(read_array(folder / names[done * len(names) // count], 3))[None]
        except UnreadableImage:
            continue  # it is named when its mask would be made
        found = _features(network, image)
        features.append(found.flatten(0, 1))
        evidence.append(class_evidence(network, image, classes, found.shape[0]).flatten())
        if progress is not None:
            progress(f"Learning what shows {label}", done + 1, count)
    if not features:
        raise UserError(f"None of the {count} pictures tried in {folder} can be read; translate inspect says why.")
    # Where the classes have less than e times the odds that chance would give them, the object is not.
    least = math.log(len(classes) / (len(network.labels) - len(classes))) + 1
    classifier = fit_pixels(torch.cat(features), torch.cat(evidence), (min(least, 0.0), 0.0))
    if classifier is None:
        raise UserError(f"{network.name} sees no {label} in {folder}; look whether the label fits its pictures.")
    return classifier


def _features(network: FeatureNetwork, image: Tensor) -> Tensor:
    """(rows, columns, C): the features of the places of a (1, 3, H, W) image."""
    (found,) = network(scale(image, SIZE), (STRIDE,))
    places: Tensor = found[0].permute(1, 2, 0)
    return places.contiguous()


def _targets(names: Sequence[str], out: Path) -> dict[str, Path]:
    """The file of each picture's mask. Raises UserError where two pictures would have the same."""
    targets = {name: (out / name).with_suffix(".png") for name in names}
    owners = {target: name for name, target in targets.items()}
    for name, target in targets.items():
        if owners[target] != name:
            raise UserError(f"{name} and {owners[target]} would both have the mask {target}; rename one of them.")
    return targets


def _check_record(out: Path, made_with: dict[str, object], overwrite: bool) -> None:
    """Note what the masks show. Raises UserError where the folder holds masks of something else."""
    record = out / RECORD
    try:
        if record.exists() and not overwrite:
            before = json.loads(record.read_text(encoding="utf-8"))
            if before != made_with:
                raise UserError(
                    f"{out} holds masks of {before['label']} made by {before['network']}; give another folder with -o, "
                    "or --overwrite."
                )
            return
        out.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(made_with), encoding="utf-8")
    except OSError as error:
        raise UserError(f"Cannot write to {out}: {error.strerror or error}; choose another output.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{record} is damaged; remove it, or give --overwrite.") from error


def _write(mask: Mask, target: Path) -> None:
    """Save a mask as a PNG of one bit a pixel, whole or not at all."""
    unfinished = target.with_name(f".{target.name}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask > 0).save(unfinished, format="PNG")
        os.replace(unfinished, target)  # noqa: PTH105
    except OSError as error:
        raise UserError(f"Cannot write {target}: {error.strerror or error}; choose another output.") from error
