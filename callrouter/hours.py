"""Opening hours of services, and the bank holidays of England: what is open at an instant, by the clocks of London.

On the night in March when an hour is left out, nothing is open in it; on the night in October when an hour comes twice,
what is open in it is open both times.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import holidays
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from callrouter.errors import ConfigurationError
from infra.schema_words import first_told
from infra.yamlfile import YamlFileError, read_yaml

LONDON = ZoneInfo("Europe/London")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _is_interval(text: str) -> str:
    begins, ends = interval(text)
    if begins == ends:
        raise ValueError("an interval has a beginning and another end; for all day write always: true")
    return text


def interval(text: str) -> tuple[time, time]:
    """``09:00-17:30`` as two times of day; raises ValueError."""
    begins, _, ends = text.partition("-")
    return time.fromisoformat(begins), time.fromisoformat(ends)


_Intervals = tuple[Annotated[str, AfterValidator(_is_interval)], ...]


class Week(BaseModel):
    """A service's week. A day that is not named is closed; ``bank_holiday`` takes the place of the day it falls on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    always: bool = False
    monday: _Intervals = ()
    tuesday: _Intervals = ()
    wednesday: _Intervals = ()
    thursday: _Intervals = ()
    friday: _Intervals = ()
    saturday: _Intervals = ()
    sunday: _Intervals = ()
    bank_holiday: _Intervals = ()

    def of(self, day: date) -> _Intervals:
        """The intervals that begin on ``day``."""
        intervals: _Intervals = getattr(self, "bank_holiday" if is_bank_holiday(day) else _DAYS[day.weekday()])
        return intervals


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    services: dict[str, Week]


class OpeningHours:
    """Opening hours by service."""

    def __init__(self, weeks: Mapping[str, Week]) -> None:
        self._weeks = dict(weeks)

    def state(self, service: str, at: datetime) -> str:
        """``open`` or ``closed`` at an instant; ``unknown`` for a service without hours. A start counts, an end not."""
        week = self._weeks.get(service)
        if week is None:
            return "unknown"
        local = at.astimezone(LONDON)
        today, yesterday = local.date(), local.date() - timedelta(days=1)
        now = local.time().replace(tzinfo=None)
        is_open = week.always or any(
            (begins <= now < ends) if begins < ends else now >= begins for begins, ends in map(interval, week.of(today))
        )
        late = any(ends < begins and now < ends for begins, ends in map(interval, week.of(yesterday)))
        return "open" if is_open or late else "closed"


def is_bank_holiday(day: date) -> bool:
    """Whether the day is a bank holiday in England."""
    return day in _of_year(day.year)


@lru_cache(maxsize=8)
def _of_year(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("GB", subdiv="ENG", years=year))


def read_hours(path: Path) -> OpeningHours:
    """The opening hours of a file; raises :class:`ConfigurationError` naming file, line and cause."""
    try:
        file = read_yaml(path)
        return OpeningHours(_File.model_validate(file.data).services)
    except YamlFileError as error:
        raise ConfigurationError(str(error)) from error
    except ValidationError as error:
        raise ConfigurationError(first_told(file, error)) from error
