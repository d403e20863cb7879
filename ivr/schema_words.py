"""What is wrong with the shape of a flow, in words for whoever writes one: they know no schema."""

from __future__ import annotations

from typing import Any

_NAME = "small letters, digits and _, beginning with a letter, 48 at most"
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
    "float_type": "must be a number, without quotes",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "too_short": "must have at least {min_length}",
    "too_long": "must have at most {max_length}",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "finite_number": "must be a number that ends",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": f"does not look like a name ({_NAME})",
    "union_tag_invalid": "unknown action; there are {expected_tags}, 'subflow'",
    "union_tag_not_found": "needs an action",
}
"""By pydantic's name of the error; of what is not here, pydantic's own words."""


def in_words(error: Any) -> str:
    """One of pydantic's errors as a sentence without the value: it may be long, or somebody's."""
    words = _WORDS.get(error["type"])
    if words is None:
        return str(error["msg"]).removeprefix("Value error, ")
    return words.format(**error.get("ctx", {}))
