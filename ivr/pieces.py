"""Recorded pieces from which a read-back is joined: nothing that a caller gave is ever synthesised."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from string import ascii_lowercase

DIGITS = tuple(f"digit_{each}" for each in range(10))
DAYS = tuple(f"day_{each}" for each in range(1, 32))
MONTHS = tuple(f"month_{each}" for each in range(1, 13))
LETTERS = tuple(f"letter_{each}" for each in ascii_lowercase)
EVERY = frozenset({*DIGITS, *DAYS, *MONTHS, *LETTERS})


def of_digits(digits: Iterable[str]) -> tuple[str, ...]:
    """One piece for each digit."""
    return tuple(f"digit_{each}" for each in digits)


def of_date(iso: str) -> tuple[str, ...]:
    """Day, month, and the digits of the year."""
    day = date.fromisoformat(iso)
    return (f"day_{day.day}", f"month_{day.month}", *of_digits(f"{day.year:04d}"))


def of_postcode(postcode: str) -> tuple[str, ...]:
    """One piece for each letter and digit."""
    plain = postcode.replace(" ", "").lower()
    return tuple(f"digit_{each}" if each.isdecimal() else f"letter_{each}" for each in plain)
