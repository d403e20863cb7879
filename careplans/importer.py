"""Reading plan files: CSV, or JSON with the same names. A file is taken whole or, by its form, not at all.

What is wrong with a row is no error here; see ``careplans.rows``. The format is in docs/plan-files.md.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

from careplans.errors import PlanFileError
from careplans.rows import COLUMNS, NEEDED_COLUMNS, Row

LARGEST_FILE = 64 * 1024 * 1024
"""Octets. About 100,000 plans with detail, more than London holds; the file is read into memory."""

_SPACE = re.compile(r"[ \t\r\n]*")


class _Pairs(tuple[tuple[str, object], ...]):
    """A JSON object as it stands in the file, where a name may stand twice."""

    __slots__ = ()


class _BadForm(Exception):
    """A file is not what it says, at ``line``."""

    def __init__(self, line: int, cause: str) -> None:
        super().__init__(cause)
        self.line = line
        self.cause = cause


def read_plan_file(path: Path) -> list[Row]:
    """The rows of a ``.csv`` or ``.json`` file, with the lines that they start on.

    Raises :class:`PlanFileError`, naming file, line and cause, for a file that cannot be read or is not what
    its name says.
    """
    try:
        return _read(path.suffix.lower(), _octets(path))
    except _BadForm as error:
        raise PlanFileError(str(path), error.line, error.cause) from None
    except OSError as error:
        raise PlanFileError(str(path), 1, f"cannot be read: {error.strerror or 'input/output error'}") from None


def _octets(path: Path) -> bytes:
    with path.open("rb") as file:
        octets = file.read(LARGEST_FILE + 1)
    if len(octets) > LARGEST_FILE:
        raise _BadForm(1, f"is larger than {LARGEST_FILE // 1024 // 1024} MiB; split it")
    return octets


def _read(suffix: str, octets: bytes) -> list[Row]:
    reader = {".csv": _csv_rows, ".json": _json_rows}.get(suffix)
    if reader is None:
        raise _BadForm(1, "the name ends neither in .csv nor in .json")
    return list(reader(_decode(octets)))


def _decode(octets: bytes) -> str:
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise _BadForm(line, "is not text in UTF-8; save it with that encoding") from None
    nul = text.find("\0")
    if nul >= 0:
        raise _BadForm(_line_at(text, nul), "is a binary file, not text")
    if not text.strip():
        raise _BadForm(1, "is empty")
    return text


def _line_at(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _csv_rows(text: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        header = _header(next(reader))
        line = reader.line_num + 1
        for cells in reader:
            if cells:
                yield _csv_row(line, header, cells)
            line = reader.line_num + 1
    except csv.Error as error:
        raise _BadForm(line, f"is not CSV: {error}") from None


def _header(cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    for column, name in enumerate(names, start=1):
        # Not repeated: where a header is missing, what stands here is somebody's data.
        if name not in COLUMNS:
            raise _BadForm(1, f"wrong header: column {column} is not one of the known names")
        if names.index(name) != column - 1:
            raise _BadForm(1, f"wrong header: {name} stands there twice")
    missing = [name for name in NEEDED_COLUMNS if name not in names]
    if missing:
        raise _BadForm(1, f"wrong header: {', '.join(missing)} missing")
    return names


def _csv_row(line: int, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        # A stray comma shifts every later column: nothing in the row can be trusted to be what it seems.
        return Row(line, {}, f"has {len(cells)} cells, the header has {len(header)}")
    return Row(line, dict(zip(header, cells, strict=True)))


def _json_rows(text: str) -> Iterator[Row]:
    decoder = json.JSONDecoder(object_pairs_hook=_Pairs)
    place = _after_space(text, 0)
    if text[place : place + 1] != "[":
        raise _BadForm(_line_at(text, place), "is no list of plans: JSON that begins with [ is expected")
    place = _after_space(text, place + 1)
    line, counted = 1, 0
    more = text[place : place + 1] != "]"
    while more:
        line, counted = line + text.count("\n", counted, place), place
        pairs, place = _json_object(decoder, text, place, line)
        yield _json_row(line, pairs)
        place = _after_space(text, place)
        if text[place : place + 1] not in (",", "]"):
            raise _BadForm(_line_at(text, place), "is not JSON: expected , or ] after a plan")
        more = text[place] == ","
        place = _after_space(text, place + 1) if more else place
    if text[place + 1 :].strip():
        raise _BadForm(_line_at(text, place), "is not JSON: something follows the list")


def _json_object(decoder: json.JSONDecoder, text: str, place: int, line: int) -> tuple[_Pairs, int]:
    try:
        values, end = decoder.raw_decode(text, place)
    except json.JSONDecodeError as error:
        raise _BadForm(error.lineno, f"is not JSON: {error.msg}") from None
    except (ValueError, RecursionError):
        raise _BadForm(line, "is not JSON that can be read: a number too long, or nested too deep") from None
    if not isinstance(values, _Pairs):
        raise _BadForm(line, "is no list of objects: something else stands in the list")
    return values, end


def _json_row(line: int, pairs: _Pairs) -> Row:
    values = dict(pairs)
    if len(values) != len(pairs):
        return Row(line, {}, "has one name twice")
    return Row(line, values)


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place
