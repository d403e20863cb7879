"""What is wrong with a rule file, in lines for whoever wrote it: ``FILE:LINE: FIELD: CAUSE``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from infra.schema_words import in_words
from infra.yamlfile import YamlFile

_PLAIN = {
    "missing": "is missing",
    "extra_forbidden": "is not a key that a rule file has",
    "too_short": "needs at least one",
}

_FORMS = {
    "name": "must be a name of a to z, 0 to 9 and hyphens",
    "group": "must be a name of a to z, 0 to 9 and hyphens",
    "email": "is not an e-mail address",
    "webhook": "is not an http or https address",
    "mobile": "is not a telephone number with its country, such as +447700900123",
    "link": "is not an http or https address",
    "from": "is not a time of day, such as 08:00",
    "to": "is not a time of day, such as 08:00",
}


def told_all(file: YamlFile, error: ValidationError) -> Iterator[str]:
    """A line for each defect of shape."""
    found = error.errors(include_url=False, include_input=False)
    inside = {each["loc"][:depth] for each in found for depth in range(len(each["loc"]))}
    for each in found:
        if each["loc"] not in inside:  # a list is also told to be too short for each of its defective items
            yield _told(file, each)


def told_at(file: YamlFile, where: Sequence[str], cause: str) -> str:
    """One line for the value at ``where``."""
    field = ".".join(part for part in where if not part.isdigit()).removeprefix("alerts.")
    return f"{file.locate(where)}: {field}: {cause}" if field else f"{file.locate(where)}: {cause}"


def _told(file: YamlFile, error: Any) -> str:
    where = [str(part) for part in error["loc"]]
    cause = in_words(error, _PLAIN)
    if error["type"] == "string_pattern_mismatch":
        key = where[-1] if not ("who" in where and where[-1] == "name") else ""
        cause = _FORMS.get(key, "must be one line of text")
    return told_at(file, where, cause[0].lower() + cause[1:])
