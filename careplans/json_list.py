"""A long JSON list of objects, read piece by piece: the memory that it takes does not grow with the file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TextIO

LARGEST_OBJECT = 512 * 1024
"""Characters of one object: ten times a plan with the longest detail."""

_OR_TOO_LONG = f", or a plan longer than {LARGEST_OBJECT // 1024} KiB stands there"
_SPACE = re.compile(r"[ \t\r\n]*")


class Pairs(tuple[tuple[str, object], ...]):
    """A JSON object as it stands in the file, where a name may stand twice."""

    __slots__ = ()


class FormFault(Exception):
    """A text has not the form that it should; ``line`` counts from 1, ``cause`` repeats nothing of it."""

    def __init__(self, line: int, cause: str) -> None:
        super().__init__(cause)
        self.line = line
        self.cause = cause


def decoder() -> json.JSONDecoder:
    """Reads objects as :class:`Pairs`."""
    return json.JSONDecoder(object_pairs_hook=Pairs)


def read_object(json_decoder: json.JSONDecoder, text: str, place: int, line: int) -> tuple[Pairs, int]:
    """The object at ``place`` and where it ends; raises :class:`FormFault`. ``line`` is the one of ``place``."""
    try:
        values, end = json_decoder.raw_decode(text, place)
    except json.JSONDecodeError as error:
        raise FormFault(line + text.count("\n", place, error.pos), f"is not JSON: {error.msg}") from None
    except (ValueError, RecursionError):
        raise FormFault(line, "is not JSON that can be read: a number too long, or nested too deep") from None
    if not isinstance(values, Pairs):
        raise FormFault(line, "is no list of objects: something else stands in the list")
    return values, end


def read_list(file: TextIO) -> Iterator[tuple[int, Pairs]]:
    """Every object of the list with the line that it starts on; raises :class:`FormFault` where it stops being one."""
    window, json_decoder = _Window(file), decoder()
    window.skip_space()
    if window.here() != "[":
        raise FormFault(window.line, "is no list of plans: JSON that begins with [ is expected")
    window.step()
    window.skip_space()
    more = window.here() != "]"
    while more:
        line = window.line
        try:
            pairs, end = read_object(json_decoder, window.text, window.place, line)
        except FormFault as fault:
            raise (fault if window.is_last else FormFault(fault.line, f"{fault.cause}{_OR_TOO_LONG}")) from None
        window.move(end)
        yield line, pairs
        window.skip_space()
        if window.here() not in (",", "]"):
            raise FormFault(window.line, "is not JSON: expected , or ] after a plan")
        if more := window.here() == ",":
            window.step()
            window.skip_space()
    line = window.line
    window.step()
    window.skip_space()
    if window.here():
        raise FormFault(line, "is not JSON: something follows the list")


class _Window:
    """A piece of the text that always holds the largest object after ``place``, or all that is left."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._ended = False
        self.text = ""
        self.place = 0
        self.line = 1
        self._fill()

    @property
    def is_last(self) -> bool:
        """Whether all that is left is in ``text``."""
        return self._ended

    def here(self) -> str:
        """The character at ``place``; nothing at the end."""
        return self.text[self.place : self.place + 1]

    def step(self) -> None:
        self.move(min(self.place + 1, len(self.text)))

    def move(self, to: int) -> None:
        self.line += self.text.count("\n", self.place, to)
        self.place = to
        self._fill()

    def skip_space(self) -> None:
        while (found := _SPACE.match(self.text, self.place)) is not None and found.end() > self.place:
            self.move(found.end())

    def _fill(self) -> None:
        if self._ended or len(self.text) - self.place >= LARGEST_OBJECT:
            return
        more = self._file.read(2 * LARGEST_OBJECT)
        self._ended = not more
        self.text, self.place = self.text[self.place :] + more, 0
