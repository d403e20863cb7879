"""Reading plan files: CSV, JSON or NDJSON with the same names, of any length in the same memory.

A CSV or JSON file is taken whole or, by its form, not at all: it is read to its end once before the first row is
given. In NDJSON every line stands for itself. What is wrong with a row is no error here; see ``careplans.rows``. The
format is in docs/plan-files.md.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, TextIO

from careplans.errors import PlanFileError
from careplans.json_list import FormFault, Pairs, decoder, read_list, read_object
from careplans.rows import COLUMNS, GONE_COLUMNS, NEEDED_COLUMNS, WITHDRAWN, Row

LONGEST_LINE = 1024 * 1024
"""Octets of a line of CSV or NDJSON: far above any plan; a file without line ends is no such file."""

_HOW = "in a spreadsheet: save as CSV UTF-8"
_SPELLING = re.compile("[ -]+")
_PIECE = 1024 * 1024
# of the whole process: a field that is too long for a plan is a fault of its row, not of the whole file
csv.field_size_limit(LONGEST_LINE)
_OTHER_ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A file that is what it says. ``digest`` is the SHA-256 of its octets."""

    path: Path
    digest: str
    needed: Collection[str] = NEEDED_COLUMNS

    def rows(self) -> Iterator[Row]:
        """Its rows, with the lines that they start on. Raises :class:`PlanFileError` if it has changed meanwhile."""
        with _named_faults(self.path), _text(self.path) as file:
            yield from _reader(self.path, self.needed)(file)


def check_plan_file(path: Path, system: str | None = None) -> PlanFile:
    """Read a ``.csv``, ``.json`` or ``.ndjson`` file to its end without keeping it.

    A CSV file of a sender that speaks for one ``system`` may leave the column ``source`` out.

    Raises :class:`PlanFileError`, naming file, line and cause, for one that cannot be read or is not what its name
    says.
    """
    with _named_faults(path):
        needed = tuple(name for name in NEEDED_COLUMNS if system is None or name != "source")
        reader = _reader(path, needed)
        digest = _check_text(path, LONGEST_LINE if path.suffix.lower() != ".json" else None)
        with _text(path) as file:
            for _ in reader(file):
                pass
        return PlanFile(path, digest, needed)


@contextmanager
def _named_faults(path: Path) -> Iterator[None]:
    try:
        yield
    except FormFault as fault:
        raise PlanFileError(str(path), fault.line, fault.cause) from None
    except UnicodeDecodeError:
        raise PlanFileError(str(path), 1, "changed while it was read") from None
    except OSError as error:
        raise PlanFileError(str(path), 1, f"cannot be read: {error.strerror or 'input/output error'}") from None


def _text(path: Path) -> TextIO:
    return path.open(encoding="utf-8-sig", newline="")


def _reader(path: Path, needed: Collection[str]) -> Callable[[TextIO], Iterator[Row]]:
    readers: dict[str, Callable[[TextIO], Iterator[Row]]] = {
        ".csv": partial(_csv_rows, needed=needed),
        ".json": _json_rows,
        ".ndjson": read_ndjson,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise FormFault(1, f"the name ends neither in .csv nor in .json nor in .ndjson ({_HOW})")
    return reader


def _check_text(path: Path, longest_line: int | None) -> str:
    """The digest of a file that is text in UTF-8, and not empty."""
    with path.open("rb") as file:
        return _Text(longest_line).read(file)


class _Text:
    """Looks through a file piece by piece, counting its lines."""

    def __init__(self, longest_line: int | None) -> None:
        self._longest = longest_line
        self._digest = hashlib.sha256()
        self._line = 1
        self._since = 0  # octets since the last line end
        self._blank = True

    def read(self, file: BinaryIO) -> str:
        utf8 = codecs.getincrementaldecoder("utf-8")()
        pieces = iter(lambda: file.read(_PIECE), b"")
        for number, piece in enumerate(pieces):
            if number == 0:
                piece = self._after_mark(piece)
            self._look_at(piece, utf8)
        self._decode(b"", utf8, final=True)
        if self._blank:
            raise FormFault(1, "is empty")
        return self._digest.hexdigest()

    def _after_mark(self, piece: bytes) -> bytes:
        for mark, name in _OTHER_ENCODINGS.items():
            if piece.startswith(mark):
                raise FormFault(1, f"is text in {name}; save it in UTF-8 ({_HOW})")
        without = piece.removeprefix(codecs.BOM_UTF8)
        self._digest.update(piece[: len(piece) - len(without)])
        return without

    def _look_at(self, piece: bytes, utf8: codecs.IncrementalDecoder) -> None:
        self._digest.update(piece)
        nul = piece.find(b"\0")
        if nul >= 0:
            raise FormFault(
                self._line + piece.count(b"\n", 0, nul),
                f"is a binary file, not text; save it as text in UTF-8 ({_HOW})",
            )
        self._decode(piece, utf8)
        self._blank = self._blank and not piece.strip()
        if self._longest is not None:
            self._measure(piece, self._longest)
        self._line += piece.count(b"\n")

    def _decode(self, piece: bytes, utf8: codecs.IncrementalDecoder, *, final: bool = False) -> None:
        kept = len(utf8.getstate()[0])  # of a character that the piece before cut in two
        try:
            utf8.decode(piece, final)
        except UnicodeDecodeError as error:
            line = self._line + piece.count(b"\n", 0, max(error.start - kept, 0))
            raise FormFault(line, f"is not text in UTF-8; save it with that encoding ({_HOW})") from None

    def _measure(self, piece: bytes, longest: int) -> None:
        """Pieces are no longer than the longest line, so that only one that spans them can be too long."""
        first = piece.find(b"\n")
        self._since += len(piece) if first < 0 else first
        if self._since > longest:
            raise FormFault(self._line, "has a line longer than 1 MiB")
        if first >= 0:
            self._since = len(piece) - piece.rfind(b"\n") - 1


def _csv_rows(file: TextIO, needed: Collection[str]) -> Iterator[Row]:
    reader = csv.reader(file, strict=True)
    line = 1
    try:
        first = next(reader)
        if first == ["sep=", ""]:  # a word to spreadsheets, cut in two by what it names
            first = next(reader, [""])
        header = _header(first, needed)
        line = reader.line_num + 1
        for cells in reader:
            if any(map(str.strip, cells)):  # spreadsheets leave rows of commas below the last one
                yield _csv_row(line, header, len(first), cells)
            line = reader.line_num + 1
    except csv.Error as error:
        raise FormFault(line, f"is not CSV: {error}") from None


def _header(cells: list[str], needed: Collection[str]) -> list[str]:
    names = [_SPELLING.sub("_", cell.strip().lower()) for cell in cells]
    while len(names) > 1 and not names[-1]:  # a column that a spreadsheet takes for used
        names.pop()
    if len(names) == 1 and any(each in names[0] for each in ";\t|"):
        raise FormFault(1, "wrong header: its names are not separated by commas")
    for column, name in enumerate(names, start=1):
        # Not repeated: where a header is missing, what stands here is somebody's data.
        if name not in COLUMNS:
            known = ", ".join(COLUMNS)
            raise FormFault(1, f"wrong header: column {column} is not one of the known names, which are: {known}")
        if names.index(name) != column - 1:
            raise FormFault(1, f"wrong header: {name} stands there twice")
    if WITHDRAWN in names:
        needed = [name for name in needed if name in GONE_COLUMNS]  # a list of plans that are gone names no more
    missing = [name for name in needed if name not in names]
    if missing:
        raise FormFault(1, f"wrong header: {', '.join(missing)} missing")
    return names


def _csv_row(line: int, header: list[str], width: int, cells: list[str]) -> Row:
    """``width``: of the header with the columns at its end that have no name, in which nothing may stand."""
    if len(cells) != width or any(map(str.strip, cells[len(header) :])):
        # A stray comma shifts every later column: nothing in the row can be trusted to be what it seems.
        return Row(line, {}, f"has {len(cells)} cells, the header has {len(header)}")
    return Row(line, dict(zip(header, cells, strict=False)))


def _json_rows(file: TextIO) -> Iterator[Row]:
    before = 0
    for line, pairs in read_list(file):
        # programs write a list on one line: a run that was cut off goes on after a number, so each must have its own
        before = max(line, before + 1)
        yield json_row(before, pairs)


def read_ndjson(file: TextIO) -> Iterator[Row]:
    """A row for every line that is not blank; one that is no JSON object is a row with that fault."""
    json_decoder = decoder()
    for line, text in enumerate(file, start=1):
        if stripped := text.strip():
            try:
                pairs, end = read_object(json_decoder, stripped, 0, line)
            except FormFault as fault:
                yield Row(line, {}, fault.cause)
            else:
                yield json_row(line, pairs) if end == len(stripped) else Row(line, {}, "is more than one JSON object")


def json_row(line: int, pairs: Pairs) -> Row:
    """The row of one JSON object."""
    values = dict(pairs)
    if len(values) != len(pairs):
        return Row(line, {}, "has one name twice")
    return Row(line, values)
