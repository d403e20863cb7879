"""A date of birth as three typed fields: read it, or say in the design system's words what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

OLDEST = 130  # years; no living person is older, so such a year was mistyped


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and in which fields (``day``, ``month``, ``year``); the first gets the focus."""

    text: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Typed:
    """The three fields as they were typed."""

    day: str = ""
    month: str = ""
    year: str = ""

    def read(self, today: date) -> date | Problem:
        """The date, or the one problem to show. ``today`` is the day in the caller's country."""
        parts = {"day": self.day.strip(), "month": self.month.strip(), "year": self.year.strip()}
        missing = tuple(name for name, text in parts.items() if not text)
        if missing:
            return _missing(missing)
        wrong = tuple(name for name, text in parts.items() if not _is_number(text))
        if wrong:
            return Problem("Date of birth must be numbers, for example 27 3 1984", wrong)
        if len(parts["year"]) != 4:
            return Problem("Year of birth must have 4 numbers, for example 1984", ("year",))
        return _real(int(parts["day"]), int(parts["month"]), int(parts["year"]), today)


def _missing(names: tuple[str, ...]) -> Problem:
    if len(names) == 3:
        return Problem("Enter the date of birth that the caller gives", names)
    return Problem(f"Date of birth must include a {' and '.join(names)}", names)


def _is_number(text: str) -> bool:
    # isdigit alone accepts other scripts' digits and superscripts; nothing longer than a year is read at all.
    return text.isascii() and text.isdigit() and len(text) <= 4


def _real(day: int, month: int, year: int, today: date) -> date | Problem:
    try:
        born = date(year, month, day)
    except ValueError:
        return Problem("Date of birth must be a real date", ("day", "month", "year"))
    if born > today:
        return Problem("Date of birth must be in the past", ("day", "month", "year"))
    if born.year < today.year - OLDEST:
        return Problem(f"Year of birth must be {today.year - OLDEST} or later", ("year",))
    return born
