"""Who is on duty: a week of shifts by the clocks of London, and days on which somebody stands in.

On the night in March when an hour is left out, nobody's shift has it; on the night in October when an hour comes twice,
whoever has it in the rota has both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time

from alerts.model import LONDON, Recipient
from infra.office import is_bank_holiday

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class Hours:
    """Times of the week: on each of ``days`` (0 is Monday) from ``begins``, included, to ``ends``, not included.

    An end that is not after its beginning is of the next day: from 20:00 to 08:00, and a whole day from 00:00 to 00:00.
    """

    days: frozenset[int]
    begins: time
    ends: time
    not_on_bank_holidays: bool = False

    def holds(self, at: datetime) -> bool:
        """Whether the instant ``at`` is within these hours."""
        local = at.astimezone(LONDON)
        if self.not_on_bank_holidays and is_bank_holiday(local.date()):
            return False
        return self.has(local.weekday(), local.time())

    def has(self, day: int, now: time) -> bool:
        """Whether the time of day ``now`` of a weekday is within these hours."""
        if self.begins < self.ends:
            return day in self.days and self.begins <= now < self.ends
        return (day in self.days and now >= self.begins) or ((day - 1) % 7 in self.days and now < self.ends)


@dataclass(frozen=True, slots=True)
class Shift:
    """Who is on duty in these hours of every week."""

    hours: Hours
    who: tuple[Recipient, ...]


@dataclass(frozen=True, slots=True)
class StandIn:
    """Who is on duty instead from ``begins``, included, to ``ends``, not included."""

    begins: datetime
    ends: datetime
    who: tuple[Recipient, ...]


@dataclass(frozen=True, slots=True)
class Rota:
    """A named list of shifts. Of two stand-ins for one time, the later in the list counts."""

    name: str
    shifts: tuple[Shift, ...]
    stand_ins: tuple[StandIn, ...] = ()

    def on_duty(self, at: datetime) -> tuple[Recipient, ...]:
        """Whoever is told now, nobody twice."""
        for each in reversed(self.stand_ins):
            if each.begins <= at < each.ends:
                return each.who
        return tuple(dict.fromkeys(one for shift in self.shifts if shift.hours.holds(at) for one in shift.who))

    def everybody(self) -> tuple[Recipient, ...]:
        """All who are ever on duty."""
        teams = (*(each.who for each in self.shifts), *(each.who for each in self.stand_ins))
        return tuple(dict.fromkeys(one for team in teams for one in team))

    def gap(self) -> tuple[int, time] | None:
        """The first day (0 is Monday) and time of the week at which nobody is on duty; None if somebody always is."""
        edges = sorted({time(0), *(edge for each in self.shifts for edge in (each.hours.begins, each.hours.ends))})
        for day in range(7):
            for edge in edges:  # who is on duty changes at an edge only
                if not any(each.hours.has(day, edge) for each in self.shifts):
                    return day, edge
        return None
