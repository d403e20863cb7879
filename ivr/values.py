"""Values: what the engine takes, makes and keeps as JSON.

A type checker refuses to change one. At run time nothing is spent on that: it was half of the engine's time
(docs/adr/0030-values-frozen-by-the-type-checker.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreConfig, CoreSchema

KIND = "kind"
"""The field by which JSON tells one value of a union from another."""

NAMELESS = CoreConfig(hide_input_in_errors=True)
"""For who reads values: what is wrong is told, not what stood there, which may be a caller's."""

_Made = TypeVar("_Made")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[_Made]) -> type[_Made]:
    """A dataclass with slots, frozen for the type checker.

    JSON may leave out what is as it is by default (``exclude_defaults``), but never its ``kind``. So a default must
    not change while calls that were written with it may still be read.
    """
    made: Any = dataclass(slots=True, unsafe_hash=True)(cls)
    if KIND in made.__dataclass_fields__:
        made.__get_pydantic_core_schema__ = classmethod(_with_kind)
    return made  # type: ignore[no-any-return]


def _with_kind(cls: type[Any], source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    """The schema of a dataclass whose ``kind`` has no default, so that it is always written."""
    del cls
    schema = handler(source)
    fields = handler.resolve_ref_schema(schema)["schema"]["fields"]
    kind = next(each for each in fields if each["name"] == KIND)
    kind["schema"] = kind["schema"].get("schema", kind["schema"])
    return schema
