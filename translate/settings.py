"""The base of all settings, and how a setting's class is chosen by name.

Each room has the settings of its own things; `translate.config` puts them together into one tree. The command line's
flags (`--data.crop_size 128`), the YAML presets, a run's `config.yaml`, a checkpoint's `config.json` and the tracked
run's config are views of that tree. An unknown or ill-typed setting is an error that names it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, ValidationError, model_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from translate.errors import UserError
from translate.registry import Registry
from translate.setting_text import Typed, read_typed


def _direction(value: object) -> object:
    """Accept the reference implementation's spelling, AtoB and BtoA."""
    return {"atob": "a2b", "btoa": "b2a"}.get(value.lower(), value.lower()) if isinstance(value, str) else value


Direction = Annotated[Literal["a2b", "b2a"], BeforeValidator(_direction)]
"""Which way a generator translates: a2b from domain A to domain B, b2a back."""


class Settings(BaseModel):
    """Base of all settings: unknown names are errors, and `defaults` may override those of a nested class."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    nested_defaults: ClassVar[dict[str, dict[str, Any]]] = {}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read what was typed before any validator sees it, those of subclasses included."""
        return core_schema.no_info_before_validator_function(cls._read_typed, handler(source))

    @classmethod
    def _read_typed(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        read = dict(given)
        for name, value in given.items():
            if isinstance(value, Typed):
                field = cls.model_fields.get(name)
                read[name] = read_typed(value, field.rebuild_annotation() if field else None)
        return read

    @model_validator(mode="before")
    @classmethod
    def _fill_nested_defaults(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        filled = dict(given)
        for field, defaults in cls.nested_defaults.items():
            value = filled.get(field) or {}
            if isinstance(value, dict):
                chosen = (mark for mark in cls.model_fields[field].metadata if isinstance(mark, ChosenByName))
                by_name = next(chosen, None)
                filled[field] = by_name.fill(value, defaults) if by_name else defaults | value
        return filled


SettingsT = TypeVar("SettingsT", bound=Settings)


class ChosenByName:
    """Annotation of a field whose class depends on a name inside the value: an open discriminated union.

    `Annotated[GeneratorConfig, ChosenByName(GENERATORS, "architecture", default="resnet")]` takes
    `{"architecture": "unet", "size": 128}` and makes the settings class of the generator registered as "unet" from it.
    Pydantic's own discriminated unions are closed when the class is made; this one knows whatever is registered.

    Args:
        registry: name → class, each with its settings class as the attribute `Config`.
        tag: the field of the settings that holds the name.
        default: the name where the value has none.
    """

    def __init__(self, registry: Registry[Any], tag: str, default: str) -> None:
        self.registry, self.tag, self.default = registry, tag, default

    def fill(self, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
        """What is given, with those of the defaults that settings of the name in it have.

        A default such as `norm: batch` says nothing about a network without norms.
        """
        name = given.get(self.tag) or defaults.get(self.tag) or self.default
        known = self.registry[name].Config.model_fields if name in self.registry else {}
        return {field: value for field, value in defaults.items() if field in known} | dict(given)

    def __get_pydantic_core_schema__(self, source: type[Settings], handler: GetCoreSchemaHandler) -> CoreSchema:
        def validate(value: Any) -> Settings:
            if isinstance(value, source):
                return value
            if not isinstance(value, Mapping):
                raise PydanticCustomError("mapping", "a mapping of settings is needed")
            name = value.get(self.tag) or self.default
            try:
                config: type[Settings] = self.registry[name].Config
            except UserError as error:
                raise PydanticCustomError("unknown_name", "{reason}", {"reason": str(error)}) from error
            return config.model_validate({**value, self.tag: name})

        def serialise(value: Settings, info: core_schema.SerializationInfo) -> dict[str, Any]:
            return value.model_dump(mode=info.mode)

        return core_schema.no_info_plain_validator_function(
            validate, serialization=core_schema.plain_serializer_function_ser_schema(serialise, info_arg=True)
        )


def map_paths(settings: SettingsT, change: Callable[[Path], Path]) -> SettingsT:
    """A copy of settings in which `change` was applied to every path, those in nested sections and lists included."""

    def changed(value: Any) -> Any:
        if isinstance(value, Path):
            return change(value)
        if isinstance(value, Settings):
            return map_paths(value, change)
        return [changed(entry) for entry in value] if isinstance(value, list) else value

    return settings.model_copy(update={name: changed(getattr(settings, name)) for name in type(settings).model_fields})


def explain(error: ValidationError, known: Collection[str] = ()) -> str:
    """One clause per wrong setting: its dotted name and what is wrong with it.

    Args:
        error: what pydantic found.
        known: dotted names of settings, of which the nearest is suggested for a name that is none.
    """
    clauses = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        reason = (
            f"no such setting{_suggest(name, known)}"
            if problem["type"] == "extra_forbidden"
            else problem["msg"].removeprefix("Value error, ")
        )
        clauses.append(f"{name}: {reason}" if name else reason)
    return "; ".join(clauses)


def _suggest(wrong: str, known: Collection[str]) -> str:
    """The nearest names: with the same last part in another section, or spelt alike."""
    leaf = wrong.rpartition(".")[2]
    near = [name for name in known if name.rpartition(".")[2] == leaf][:3]
    sections = {name.rpartition(".")[0] for name in known} - {""}
    near = near or difflib.get_close_matches(wrong, [*known, *sections], n=2, cutoff=0.75)
    if not near:
        leaves = {name.rpartition(".")[2]: name for name in reversed(list(known))}
        near = [leaves[name] for name in difflib.get_close_matches(leaf, leaves, n=1, cutoff=0.75)]
    return f"; did you mean {' or '.join(near)}?" if near else ""
