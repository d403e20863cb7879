"""London's clock and calendar for counts: the hour of the week of a quarter-hour, the kind of a day.

Counts are kept by quarter-hours of UTC, which never repeat; what is usual goes by the clock on the wall. When
clocks go back, the hour from 01:00 comes twice and both are that hour; when they go forward it does not come.
A bank holiday of England is a Sunday to those who ring: surgeries are closed.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import holidays
import numpy as np
from numpy.typing import NDArray

LONDON = ZoneInfo("Europe/London")
QUARTERS_A_DAY = 96
HOURS_A_WEEK = 168
BANK_HOLIDAY = 7
_SUNDAY = 6


def hours_of_week(start: datetime, quarters: int) -> NDArray[np.intp]:
    """(Q,): the hour of London's week, 0 for Monday 00:00, of each quarter-hour from ``start`` (with its zone) on."""
    first = start.astimezone(UTC)
    # One look at the zone an hour is enough: London's clocks change on the hour.
    opening = first.replace(minute=0, second=0, microsecond=0)
    offset = int((first - opening) / timedelta(minutes=15))
    hours = -(-(offset + quarters) // 4)
    found = [_hour_of_week(opening + timedelta(hours=each)) for each in range(hours)]
    return np.repeat(np.array(found), 4)[offset : offset + quarters]


def _hour_of_week(at: datetime) -> int:
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
