"""Settings typed as text: each is read by the type of its field, so that a folder called 2024 stays a folder.

Text from a command line is wrapped as `Typed` and put into the tree of settings; the settings class that has the field
reads it (`translate.settings.Settings`), because only that class knows the type: which generator's settings a flag
belongs to depends on other flags.
"""

from __future__ import annotations

import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml

PLAIN = (str, Path, int, float, bool)
"""Types that pydantic makes from text itself: numbers as written in decimal, booleans from on, yes, true, 1, …"""


class Typed(str):
    """Text that a person typed as the value of a setting, to be read by the type of its field."""


def read_typed(text: str, annotation: Any) -> Any:
    """The value that text means as a field of a type.

    Args:
        text: as it was typed.
        annotation: of the field, e.g. `Path`, `list[str]` or `float | None`; None where the field is not known.
    Returns:
        the text itself for text, paths, numbers, booleans and choices; None for `null` where the field may be empty
        (and for `none`, unless it may be text); a list for a list, of one entry where the text is no YAML list; else
        what YAML makes of it. Whether the value is right is checked by whoever validates the field.
    """
    kinds = _alternatives(annotation)
    plain = any(kind in PLAIN or get_origin(kind) is Literal for kind in kinds)
    if type(None) in kinds and text.lower() in (("null",) if str in kinds or Path in kinds else ("null", "none", "~")):
        return None
    if plain:
        return str(text)
    sequence = next((kind for kind in kinds if get_origin(kind) in (list, tuple)), None)
    return _from_yaml(text) if sequence is None else _read_list(text, sequence)


def _read_list(text: str, annotation: Any) -> Any:
    """A YAML list, its entries as text where the list is one of texts; anything else is the only entry."""
    entries = [kind for argument in get_args(annotation) for kind in _alternatives(argument)]
    as_text = all(kind in PLAIN or get_origin(kind) is Literal for kind in entries if kind is not Ellipsis)
    value = _from_yaml(text, yaml.BaseLoader if as_text else yaml.SafeLoader)
    if isinstance(value, list) and not (as_text and any(isinstance(entry, list | dict) for entry in value)):
        return value
    return [str(text) if as_text else value]


def _from_yaml(text: str, loader: Any = yaml.SafeLoader) -> Any:
    try:
        return yaml.load(text, loader)
    except yaml.YAMLError:
        return str(text)


def _alternatives(annotation: Any) -> list[Any]:
    """The types that a union is made of, without what `Annotated` says of them."""
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [kind for argument in get_args(annotation) for kind in _alternatives(argument)]
    return [annotation]
