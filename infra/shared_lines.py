"""Lines that many people share, from a checked file: nobody is identified by such a number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from infra.numbers import read_number
from infra.yamlfile import YamlFile, YamlFileError, read_yaml

KINDS = ("care_home", "switchboard", "surgery", "hostel", "other")
_KEYS = {"number", "kind", "source", "verified"}


def read_shared_lines(path: Path) -> frozenset[str]:
    """The numbers (E.164) of the file; raises :class:`YamlFileError` naming file, line and cause, and no number."""
    file = read_yaml(path)
    entries = file.data.get("lines") if isinstance(file.data, dict) else None
    if not isinstance(entries, list) or set(file.data) != {"lines"}:
        raise YamlFileError(f"{path}: expected one list, lines")
    return frozenset(_number(file, place, entry) for place, entry in enumerate(entries))


def _number(file: YamlFile, place: int, entry: Any) -> str:
    where = file.locate(("lines", str(place)))
    if not isinstance(entry, dict) or set(entry) != _KEYS:
        raise YamlFileError(f"{where}: expected number, kind, source and verified")
    if entry["kind"] not in KINDS:
        raise YamlFileError(f"{where}: kind: expected one of {', '.join(KINDS)}")
    if not isinstance(entry["source"], str) or not entry["source"].strip():
        raise YamlFileError(f"{where}: source: who says that it is shared?")
    number = read_number(str(entry["number"])).e164
    if number is None:
        raise YamlFileError(f"{where}: number: not a telephone number")
    return number
