"""The stretches of time that ``callrouter kpi`` is asked for. What cannot have figures is refused."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from alerts.figures.history_rows import DAY, midnight
from alerts.model import LONDON
from callrouter.errors import ConfigurationError

FIRST_DAY = date(2010, 1, 1)
"""111 began that year; nothing is older."""

MINUTES_AT_MOST = 7 * 24 * 60
"""A week of minutes; days are added up, and longer is asked for by days."""

_FORMS = "--window is minutes (15m, at most a week), today, week, or two days (2026-10-01..2026-10-31)"


def read_window(text: str, now: datetime) -> tuple[datetime, datetime]:
    """From and until before when; raises :class:`ConfigurationError` for what says neither, or is not past."""
    today = london_day(now)
    if text == "today":
        return midnight(today), now
    if text == "week":
        return midnight(today - timedelta(days=today.weekday())), now
    if text.endswith("m") and text[:-1].isdecimal():
        if not 0 < (minutes := int(text[:-1])) <= MINUTES_AT_MOST:
            raise ConfigurationError(_FORMS)
        return now - timedelta(minutes=minutes), now
    try:
        first, last = (date.fromisoformat(each) for each in text.split(".."))
    except ValueError:
        raise ConfigurationError(_FORMS) from None
    if last < first:
        raise ConfigurationError(f"{_FORMS}: the first day is after the last")
    check_day(first, today)
    check_day(last, today)
    return midnight(first), midnight(last + DAY)


def read_days(text: str, now: datetime) -> tuple[date, date]:
    """Two days, both included, or the days of this week; raises :class:`ConfigurationError` for anything else."""
    if text != "week" and ".." not in text:
        raise ConfigurationError("--window is two days (2026-10-01..2026-10-31), or week")
    start, end = read_window(text, now)
    return london_day(start), london_day(end - timedelta(microseconds=1))


def check_day(day: date, today: date) -> None:
    """Raises :class:`ConfigurationError` for a day that is to come, or before there was a 111."""
    if day > today:
        raise ConfigurationError(f"{day} is to come: there are no figures of it")
    if day < FIRST_DAY:
        raise ConfigurationError(f"{day} is before {FIRST_DAY}, the year in which 111 began")


def london_day(at: datetime) -> date:
    """The day in London."""
    return at.astimezone(LONDON).date()
