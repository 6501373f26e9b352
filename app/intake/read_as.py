"""Reads a wire model's fields straight into a canonical dataclass, where there are too many to make both."""

import dataclasses
from collections.abc import Callable
from typing import Any, cast

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class ReadAs:
    """Annotates a dataclass: what comes in is checked and described as the wire model, which has the same fields.

    What is missing or null becomes the dataclass's own default; so does a blank where that default is none.
    """

    def __init__(self, wire: type[BaseModel]) -> None:
        self._wire = wire

    def __get_pydantic_core_schema__(self, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        """The dataclass, made of the wire model's fields: wire models are strict, and what is lax only describes."""
        wire = cast("dict[str, Any]", self._wire.__pydantic_core_schema__)
        fields = _fields_of(wire)
        names = [field.name for field in dataclasses.fields(source)]
        assert names == [*fields], f"{source.__name__} and {self._wire.__name__} have other fields"
        arguments = [_argument(field, fields[field.name]) for field in dataclasses.fields(source)]
        read = core_schema.dataclass_schema(
            source,
            core_schema.dataclass_args_schema(source.__name__, arguments),
            names,
            slots=True,
            config=wire["config"],
        )
        return core_schema.lax_or_strict_schema(lax_schema=handler.generate_schema(self._wire), strict_schema=read)


def _argument(field: dataclasses.Field[Any], wire: dict[str, Any]) -> core_schema.DataclassField:
    if wire["type"] != "default" or wire.get("validate_default"):
        return core_schema.dataclass_field(field.name, cast("CoreSchema", wire), kw_only=True)
    assert field.default is not dataclasses.MISSING, f"{field.name} may be missing, but has no default"
    read = wire["schema"]
    if field.default is not None or _is_text(read):
        read = core_schema.no_info_after_validator_function(_default_instead_of_nothing(field.default), read)
    return core_schema.dataclass_field(
        field.name, core_schema.with_default_schema(read, default=field.default), kw_only=True
    )


def _is_text(schema: dict[str, Any]) -> bool:
    return bool(schema["type"] == "nullable" and schema["schema"]["type"] == "str")


def _default_instead_of_nothing(default: object) -> Callable[[object], object]:
    return lambda value: default if value is None or value == "" else value


def _fields_of(schema: dict[str, Any]) -> dict[str, Any]:
    while schema["type"] != "model-fields":
        schema = schema["schema"]
    return {name: field["schema"] for name, field in schema["fields"].items()}
