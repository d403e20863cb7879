"""What is wrong with the shape of a file of settings, in words for whoever writes one: they know no schema.

The engine, which imports nothing of ours, has its own of flows (``ivr/schema_words.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from infra.yamlfile import YamlFile

_WORDS = {
    "extra_forbidden": "there is no such field",
    "missing": "is needed",
    "string_type": "must be a text; one that looks like a number stands in quotes",
    "tuple_type": "must be a list",
    "dict_type": "must be fields with values (name: value)",
    "model_type": "must be fields with values (name: value)",
    "model_attributes_type": "must be fields with values (name: value)",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number, without quotes",
    "int_from_float": "must be a whole number, without quotes",
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number that ends",
    "float_type": "must be a number, without quotes",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "too_short": "must have at least {min_length}",
    "too_long": "must have at most {max_length}",
    "string_too_long": "must have at most {max_length} characters",
    "literal_error": "must be {expected}",
    "string_too_short": "must have at least {min_length} characters",
    "greater_than": "must be more than {gt:g}",
    "less_than": "must be less than {lt:g}",
    "enum": "must be {expected}",
    "list_type": "must be a list",
    "path_not_file": "there is no such file",
    "url_parsing": "must be an address with https:// or http://",
    "url_scheme": "must be an address that begins with {expected_schemes}",
    "string_pattern_mismatch": "does not have the form {pattern}",
    "union_tag_invalid": "must have one of {expected_tags} as {discriminator}",
    "union_tag_not_found": "needs {discriminator}",
}
"""By pydantic's name of the error; of what is not here, pydantic's own words."""


def in_words(error: Any, own: Mapping[str, str] | None = None) -> str:
    """One of pydantic's errors as a sentence without the value: it may be long, or somebody's.

    ``own``: words of one kind of file, by pydantic's name of the error, before those of all.
    """
    words = {**_WORDS, **(own or {})}.get(error["type"])
    if words is None:
        return str(error["msg"]).removeprefix("Value error, ")
    return words.format(**error.get("ctx", {}))


def first_told(file: YamlFile, error: ValidationError) -> str:
    """``FILE:LINE: FIELD: CAUSE`` of the first defect."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = [str(part) for part in first["loc"]]
    return ": ".join(part for part in (file.locate(where), ".".join(where), in_words(first)) if part)
