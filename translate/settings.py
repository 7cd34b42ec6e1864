"""The base of all settings, and how a setting's class is chosen by name.

Each room has the settings of its own things; `translate.config` puts them together into one tree. The command line's
flags (`--data.crop_size 128`), the YAML presets, a run's `config.yaml`, a checkpoint's `config.json` and the tracked
run's config are views of that tree. An unknown or ill-typed setting is an error that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, ValidationError, model_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from translate.errors import UserError
from translate.registry import Registry


def _direction(value: object) -> object:
    """Accept the reference implementation's spelling, AtoB and BtoA."""
    return {"atob": "a2b", "btoa": "b2a"}.get(value.lower(), value.lower()) if isinstance(value, str) else value


Direction = Annotated[Literal["a2b", "b2a"], BeforeValidator(_direction)]
"""Which way a generator translates: a2b from domain A to domain B, b2a back."""


class Settings(BaseModel):
    """Base of all settings: unknown names are errors, and `defaults` may override those of a nested class."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    nested_defaults: ClassVar[dict[str, dict[str, Any]]] = {}

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


def explain(error: ValidationError) -> str:
    """One clause per wrong setting: its dotted name and what is wrong with it."""
    clauses = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        reason = (
            "no such setting" if problem["type"] == "extra_forbidden" else problem["msg"].removeprefix("Value error, ")
        )
        clauses.append(f"{name}: {reason}" if name else reason)
    return "; ".join(clauses)
