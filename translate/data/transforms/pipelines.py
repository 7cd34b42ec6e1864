"""Albumentations from a preset's YAML: `- Name: {argument: value}`, nested in OneOf, SomeOf … where wanted."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Sequence
from typing import Any

import pydantic

from translate.errors import UserError


def build_pipeline(specs: Sequence[object], setting: str) -> list[Any]:
    """Albumentations transforms from their descriptions.

    Args:
        specs: `{"Rotate": {"limit": 5}}`, `{"Transpose": None}` or `"Transpose"`; an argument `transforms` holds more.
        setting: name of the setting, for errors.
    Raises:
        UserError: unknown transform or argument (with the names near it), or a value that the transform refuses.
    """
    return [_build(spec, setting) for spec in specs]


def _build(spec: object, setting: str) -> Any:
    import albumentations

    if isinstance(spec, str):
        spec = {spec: None}
    if not isinstance(spec, dict) or len(spec) != 1:
        raise UserError(f"{setting}: {spec!r} should be one transform, written as - Name: {{argument: value}}.")
    ((name, arguments),) = spec.items()
    arguments = {} if arguments is None else arguments
    known = {
        key: value
        for key, value in vars(albumentations).items()
        if inspect.isclass(value) and issubclass(value, (albumentations.BasicTransform, albumentations.BaseCompose))
    }
    if name not in known:
        raise UserError(f"{setting}: Albumentations has no transform {name}{_near(str(name), list(known))}.")
    kind = known[name]
    if not isinstance(arguments, dict):
        raise UserError(f"{setting}: the arguments of {name} are written as {{argument: value}}, not {arguments!r}.")
    allowed = list(inspect.signature(kind).parameters)
    for argument in arguments:
        if argument not in allowed:
            raise UserError(f"{setting}: {name} has no argument {argument}{_near(str(argument), allowed)}.")
    if isinstance(arguments.get("transforms"), list):
        arguments = {**arguments, "transforms": build_pipeline(arguments["transforms"], f"{setting}: {name}")}
    try:
        return kind(**arguments)
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{setting}: {name}: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    """One clause; Albumentations puts pydantic's page of text into a ValueError."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, pydantic.ValidationError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return " ".join(str(error).split()).rstrip(".")
    first = cause.errors()[0]
    where = str(first["loc"][0]) if first["loc"] else ""
    return f"{where}{': ' if where else ''}{first['msg'].removeprefix('Value error, ')}".rstrip(".")


def _near(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(near)}" if near else ""
