"""Ask for a date: eight keys (day, month, year) or words, and read back."""

from __future__ import annotations

from typing import ClassVar, Literal

from ivr import pieces, spoken
from ivr.actions.read_back import ReadBack


class AskDate(ReadBack):
    """A date, say of birth, as ``YYYY-MM-DD`` into a fact of type date.

    Key 0 alone, followed by # or a pause, leads to a person; at the start of a date it is a digit like any other.
    """

    action: Literal["ask_date"]

    TYPE: ClassVar[str] = "date"
    MOST_KEYS: ClassVar[int] = 8
    LONGEST_PIECES: ClassVar[tuple[str, ...]] = ("day_27", "month_9", *pieces.DIGITS[:4])

    def keyed(self, keys: str) -> str | None:
        return spoken.date_keyed(keys)

    def said(self, words: str) -> str | None:
        return spoken.date_said(words)

    def pieces(self, value: str) -> tuple[str, ...]:
        return pieces.of_date(value)

    def every_piece(self) -> tuple[str, ...]:
        return (*pieces.DAYS, *pieces.MONTHS, *pieces.DIGITS)
