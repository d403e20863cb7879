"""Ask for a postcode: said letter by letter, and read back. Keys have no letters."""

from __future__ import annotations

from typing import ClassVar, Literal

from ivr import pieces, spoken
from ivr.actions.read_back import ReadBack


class AskPostcode(ReadBack):
    """A postcode as ``NW1 2AB`` into a fact of type text. Where no words are heard, the caller goes to a person."""

    action: Literal["ask_postcode"]

    LONGEST_PIECES: ClassVar[tuple[str, ...]] = (*pieces.LETTERS[:4], *pieces.DIGITS[:3])

    def keyed(self, keys: str) -> str | None:
        del keys
        return None

    def said(self, words: str) -> str | None:
        return spoken.postcode(words)

    def pieces(self, value: str) -> tuple[str, ...]:
        return pieces.of_postcode(value)

    def every_piece(self) -> tuple[str, ...]:
        return (*pieces.LETTERS, *pieces.DIGITS)
