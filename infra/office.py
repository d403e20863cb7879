"""Office hours: when a second person is at work."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays

LONDON = ZoneInfo("Europe/London")
OPENS, CLOSES = time(8), time(18)
"""Core hours of general practice, Monday to Friday 08:00 to 18:00 without bank holidays; a proposal (unverified)."""

_SATURDAY = 5


def is_office_hours(at: datetime) -> bool:
    """Whether ``at`` (with a time zone) is within office hours in England."""
    local = at.astimezone(LONDON)
    if local.weekday() >= _SATURDAY or is_bank_holiday(local.date()):
        return False
    return OPENS <= local.time() < CLOSES


def is_bank_holiday(day: date) -> bool:
    """Whether the day is a bank holiday in England."""
    return day in _bank_holidays()


def last_closed(at: datetime) -> datetime:
    """When office hours ended last: the evening at which the night, weekend or holiday that ``at`` is in began."""
    day = at.astimezone(LONDON).date()
    while True:
        closed = datetime.combine(day, CLOSES, LONDON)
        if closed <= at and is_office_hours(closed - timedelta(minutes=1)):
            return closed
        day -= timedelta(days=1)


@cache
def _bank_holidays() -> holidays.HolidayBase:
    return holidays.country_holidays("GB", subdiv="ENG")
