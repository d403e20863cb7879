"""London's clock and calendar for counts: the kind of a day, the hour of the week. Needs no numpy.

A bank holiday of England is a Sunday to those who ring: surgeries are closed.
"""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import holidays

LONDON = ZoneInfo("Europe/London")
HOURS_A_WEEK = 168
WINDOWS_H = (1, 2, 4, 8, 12, 24)  # in which the hour-of-week model adds up
BANK_HOLIDAY = 7
_SUNDAY = 6


def hour_of_week(at: datetime) -> int:
    """The hour of London's week of an instant (with its zone), 0 for Monday 00:00."""
    local = at.astimezone(LONDON)
    day = kind_of_day(local.date())
    return 24 * (_SUNDAY if day == BANK_HOLIDAY else day) + local.hour


def kind_of_day(day: date) -> int:
    """0 to 6 for Monday to Sunday, 7 for a bank holiday of England."""
    return BANK_HOLIDAY if day in _holidays(day.year) else day.weekday()


_known: dict[int, frozenset[date]] = {}


def _holidays(year: int) -> frozenset[date]:
    if year not in _known:
        _known[year] = frozenset(holidays.country_holidays("GB", subdiv="ENG", years=year))
    return _known[year]
