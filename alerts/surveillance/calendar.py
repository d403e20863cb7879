"""The hours of London's week of quarter-hours, as arrays.

Counts are kept by quarter-hours of UTC, which never repeat; what is usual goes by the clock on the wall. When
clocks go back, the hour from 01:00 comes twice and both are that hour; when they go forward it does not come.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from alerts.surveillance.days import BANK_HOLIDAY as BANK_HOLIDAY
from alerts.surveillance.days import HOURS_A_WEEK as HOURS_A_WEEK
from alerts.surveillance.days import LONDON as LONDON
from alerts.surveillance.days import hour_of_week
from alerts.surveillance.days import kind_of_day as kind_of_day


def hours_of_week(start: datetime, quarters: int) -> NDArray[np.intp]:
    """(Q,): the hour of London's week, 0 for Monday 00:00, of each quarter-hour from ``start`` (with its zone) on."""
    first = start.astimezone(UTC)
    # One look at the zone an hour is enough: London's clocks change on the hour.
    opening = first.replace(minute=0, second=0, microsecond=0)
    offset = int((first - opening) / timedelta(minutes=15))
    hours = -(-(offset + quarters) // 4)
    found = [hour_of_week(opening + timedelta(hours=each)) for each in range(hours)]
    return np.repeat(np.array(found), 4)[offset : offset + quarters]
