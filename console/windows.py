"""The stretches of time that a page of figures can be switched to; links and a form, so that no script is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Literal, TypeAlias

from console import words

MONTHS_AT_MOST = 13
"""A year and the month to compare it with; more is a question for the database, not for a page."""

FIRST_DAY = date(2010, 1, 1)
"""111 began that year; nothing is older."""


class Window(StrEnum):
    """As it stands in the address: ``?window=15``."""

    FIVE = "5"
    QUARTER = "15"
    HOUR = "60"
    TODAY = "today"
    WEEK = "week"

    @property
    def minutes(self) -> int | Literal["today"] | None:
        """How long it is, of what is counted live; None where :meth:`days` are read from the database."""
        if self is Window.WEEK:
            return None
        return "today" if self is Window.TODAY else int(self)

    @property
    def link(self) -> str:
        """What leads to it."""
        return {"today": "Today", "week": "This week"}.get(self, f"{self} minutes")

    @property
    def when(self) -> str:
        """At the end of a title: answered …"""
        return f"in {self} minutes" if self.isdigit() else self.link.lower()

    @property
    def during(self) -> str:
        """As a part of a sentence: calls offered …"""
        return {"today": "since midnight", "week": "since Monday"}.get(self, f"in the last {self} minutes")

    @property
    def query(self) -> str:
        """As an address asks for it."""
        return f"window={self}"

    def days(self, today: date) -> Days:
        """The days of a week that has begun; else today."""
        return Days(today - timedelta(days=today.weekday()) if self is Window.WEEK else today, today)


@dataclass(frozen=True, slots=True)
class Days:
    """London days, both included; in the address ``?from=2026-10-01&to=2026-10-31``."""

    first: date
    last: date

    @property
    def when(self) -> str:
        """See :attr:`Window.when`."""
        return "on that day" if self.first == self.last else "in that time"

    @property
    def during(self) -> str:
        """See :attr:`Window.during`."""
        if self.first == self.last:
            return f"on {words.day(self.first)}"
        return f"from {words.day(self.first)} to {words.day(self.last)}"

    @property
    def query(self) -> str:
        """See :attr:`Window.query`."""
        return f"from={self.first}&to={self.last}"

    minutes = None
    """See :attr:`Window.minutes`."""

    def days(self, _today: date) -> Days:
        """See :meth:`Window.days`."""
        return self


Stretch: TypeAlias = Window | Days


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form of days. ``days`` if it is right, else ``problems`` by field, if anything was typed."""

    first: str = ""
    last: str = ""
    days: Days | None = None
    problems: Mapping[str, str] = field(default_factory=dict)


def read_window(asked: str | None) -> Window:
    """The window of an address; today for anything else."""
    return Window(asked) if asked in set(Window) else Window.TODAY


def read_typed(asked: Mapping[str, str], today: date) -> Typed:
    """The days that the form sent as ``from`` and ``to``."""
    if "from" not in asked and "to" not in asked:
        return Typed()
    first, last = asked.get("from", "")[:10], asked.get("to", "")[:10]
    days = {name: read_day(text) for name, text in (("from", first), ("to", last))}
    problems = {name: "Type a day since 2010, such as 2026-02-03" for name, day in days.items() if day is None}
    begin, end = days["from"], days["to"]
    if begin is None or end is None:
        return Typed(first, last, None, problems)
    if end > today:
        problems["to"] = "The last day must be today or earlier"
    elif begin > end:
        problems["from"] = "The first day must not be after the last"
    elif _months(begin, end) >= MONTHS_AT_MOST:
        problems["from"] = f"At most {MONTHS_AT_MOST} months can be added up"
    return Typed(first, last, None if problems else Days(begin, end), problems)


def read_day(text: str) -> date | None:
    """The day of an address; None for anything but ``YYYY-MM-DD``."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.isoformat() == text and found >= FIRST_DAY else None


def _months(first: date, last: date) -> int:
    """Whole months that have passed from ``first`` to ``last``: none from 1 to 31 October."""
    return (last.year - first.year) * 12 + last.month - first.month - (last.day < first.day)
