"""Office hours in London: weekdays without bank holidays, summer and winter."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from infra.office import is_office_hours, last_closed


@pytest.mark.parametrize(
    ("at", "open_"),
    [
        (datetime(2026, 3, 24, 8, 0, tzinfo=UTC), True),
        (datetime(2026, 3, 24, 7, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 3, 24, 17, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 3, 24, 18, 0, tzinfo=UTC), False),
        (datetime(2026, 3, 30, 7, 0, tzinfo=UTC), True),  # summer time: eight o'clock in London
        (datetime(2026, 3, 28, 12, tzinfo=UTC), False),  # a Saturday
        (datetime(2026, 4, 3, 12, tzinfo=UTC), False),  # Good Friday
        (datetime(2026, 12, 28, 12, tzinfo=UTC), False),  # in lieu of Boxing Day
    ],
)
def test_office_hours(at: datetime, open_: bool) -> None:
    assert is_office_hours(at) is open_


@pytest.mark.parametrize(
    ("at", "closed"),
    [
        (datetime(2026, 3, 24, 23, tzinfo=UTC), datetime(2026, 3, 24, 18, tzinfo=UTC)),
        (datetime(2026, 3, 25, 7, tzinfo=UTC), datetime(2026, 3, 24, 18, tzinfo=UTC)),
        (
            datetime(2026, 3, 30, 5, tzinfo=UTC),
            datetime(2026, 3, 27, 18, tzinfo=UTC),
        ),  # a weekend
        (datetime(2026, 4, 7, 6, tzinfo=UTC), datetime(2026, 4, 2, 17, tzinfo=UTC)),  # Easter
    ],
)
def test_the_evening_at_which_a_night_began(at: datetime, closed: datetime) -> None:
    assert last_closed(at) == closed
