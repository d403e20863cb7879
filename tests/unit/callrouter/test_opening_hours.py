"""Opening hours: the clocks of London, both nights when they change, bank holidays, and files that are wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from callrouter.errors import ConfigurationError
from callrouter.hours import OpeningHours, Week, is_bank_holiday, read_hours
from callrouter.settings import Settings

HOURS = OpeningHours(
    {
        "day": Week(**dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), ("09:00-17:00",))),
        "night": Week(saturday=("22:00-03:00",), bank_holiday=("10:00-12:00",)),
        "small": Week(sunday=("01:00-02:00",)),
        "all": Week(always=True),
    }
)


@pytest.mark.parametrize(
    ("service", "utc", "state"),
    [
        ("day", "2026-01-12T08:59:59", "closed"),
        ("day", "2026-01-12T09:00:00", "open"),
        ("day", "2026-01-12T17:00:00", "closed"),
        ("day", "2026-07-13T08:00:00", "open"),  # 09:00 in summer
        ("day", "2026-07-13T16:00:00", "closed"),
        ("day", "2026-01-11T12:00:00", "closed"),  # a Sunday
        ("day", "2026-12-25T12:00:00", "closed"),  # Christmas, a Friday
        ("day", "2026-12-28T12:00:00", "closed"),  # Boxing Day in lieu
        ("night", "2026-12-28T11:00:00", "open"),
        ("night", "2026-01-10T23:00:00", "open"),
        ("night", "2026-01-11T02:59:59", "open"),
        ("night", "2026-01-11T03:00:00", "closed"),
        # 29 March: 01:00 UTC becomes 02:00 in London; what ends at three ends an hour sooner
        ("night", "2026-03-29T01:59:59", "open"),
        ("night", "2026-03-29T02:00:00", "closed"),
        ("small", "2026-03-29T00:59:59", "closed"),
        ("small", "2026-03-29T01:00:00", "closed"),
        # 25 October: 01:00 to 02:00 in London comes twice; what ends at three ends an hour later
        ("night", "2026-10-25T02:59:59", "open"),
        ("night", "2026-10-25T03:00:00", "closed"),
        ("small", "2026-10-24T23:59:59", "closed"),
        ("small", "2026-10-25T00:00:00", "open"),
        ("small", "2026-10-25T01:59:59", "open"),
        ("small", "2026-10-25T02:00:00", "closed"),
        ("all", "2026-12-25T03:00:00", "open"),
        ("nobody", "2026-01-12T12:00:00", "unknown"),
    ],
)
def test_open_or_closed(service: str, utc: str, state: str) -> None:
    assert HOURS.state(service, datetime.fromisoformat(utc).replace(tzinfo=UTC)) == state


def test_bank_holidays_are_those_of_england() -> None:
    assert is_bank_holiday(datetime(2026, 8, 31).date())  # noqa: DTZ001 - a date
    assert not is_bank_holiday(datetime(2026, 11, 30).date())  # noqa: DTZ001 - Saint Andrew's, in Scotland


def test_file_that_ships_knows_every_service_that_it_names() -> None:
    hours = read_hours(Settings().hours_file)

    assert hours.state("ms_nurse", datetime(2026, 1, 12, 12, tzinfo=UTC)) == "open"
    assert hours.state("ms_nurse", datetime(2026, 12, 25, 12, tzinfo=UTC)) == "closed"


@pytest.mark.parametrize("interval", ["9-17", "09:00", "25:00-26:00", "09:00-09:00", "nine to five"])
def test_interval_that_is_none_is_named_with_its_line(tmp_path: Path, interval: str) -> None:
    file = tmp_path / "hours.yaml"
    file.write_text(f'services:\n  dental:\n    monday: ["{interval}"]\n')

    with pytest.raises(ConfigurationError, match=r"hours\.yaml:3: services\.dental\.monday"):
        read_hours(file)
