"""Which settings differ between two runs, or between a run and its continuation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from translate.config import TrainConfig
from translate.errors import UserError


def changed_settings(before: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(dotted name, value before, value now) of every setting that differs between two dumps of a TrainConfig.

    A dump of an earlier version is first brought to today's names and defaults, so that only meant changes are told.
    """
    flat_before, flat_now = _flat(_today(before)), _flat(_today(now))
    for name in sorted(flat_before.keys() | flat_now.keys()):
        if flat_before.get(name) != flat_now.get(name):
            yield name, flat_before.get(name), flat_now.get(name)


def setting(tree: Any, dotted: str) -> Any:
    """The value of a dotted setting, e.g. `model.discriminators.0.width`, in a dump of a TrainConfig, or None."""
    for part in dotted.split("."):
        if isinstance(tree, list) and part.isdigit() and int(part) < len(tree):
            tree = tree[int(part)]
        else:
            tree = tree.get(part) if isinstance(tree, dict) else None
    return tree


def _today(dump: dict[str, Any]) -> dict[str, Any]:
    try:
        return TrainConfig.build(dict(dump)).dump()
    except UserError:  # of a model or generator that is not registered here
        return dump


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Nested settings under dotted names; the settings in a list by their number."""
    if isinstance(tree, dict):
        entries = tree.items()
    elif isinstance(tree, list) and tree and all(isinstance(entry, dict) for entry in tree):
        entries = {str(number): entry for number, entry in enumerate(tree)}.items()
    else:
        return {prefix.removesuffix("."): tree}
    flat: dict[str, Any] = {}
    for name, value in entries:
        flat |= _flat(value, f"{prefix}{name}.")
    return flat
