"""Which of ImageNet's classes a word means. A word may mean several."""

from __future__ import annotations

import re
from collections.abc import Sequence

from translate.errors import UserError
from translate.features import FeatureNetwork

_HOOFED = (339, 340, *range(345, 356))
GROUPS: dict[str, tuple[int, ...]] = {"horse": _HOOFED}
"""Words that are no class of ImageNet.

It has one horse, the sorrel. Horses of other colours are taken for other large hoofed animals (most often for a
dromedary, hartebeest or ox), so in pictures of horses all of these speak for a horse.
"""


def classes_of(network: FeatureNetwork, label: str) -> list[int]:
    """The numbers of the classes that a label means, ascending.

    Args:
        network: a classifier of ImageNet.
        label: words separated by commas. Each is a word of `GROUPS`, a class's number or one of its names, or a word
            that occurs in the names of several classes (`terrier`), all of which are meant.
    Raises:
        UserError: a word means no class; the message names classes that are near.
    """
    words = [word.strip().lower() for word in label.split(",") if word.strip()]
    if not words:
        raise UserError("The label is empty; give the name of what the masks should show, such as --label zebra.")
    return sorted({number for word in words for number in _classes(network, word)})


def _classes(network: FeatureNetwork, word: str) -> Sequence[int]:
    if word in GROUPS:
        return GROUPS[word]
    names = [[name.strip().lower() for name in description.split(",")] for description in network.labels]
    exact = [number for number, synonyms in enumerate(names) if word in synonyms]
    if exact:
        return exact
    whole = re.compile(rf"\b{re.escape(word)}\b")
    inside = [number for number, synonyms in enumerate(names) if any(whole.search(name) for name in synonyms)]
    return inside or [network.label(word)]
