"""Which past weeks a week is compared with, and which season each of them stands for.

Farrington et al. 1996, 3.1: the ``b`` years before, ``w`` weeks on either side. Noufaily et al. 2013, 3.2: with more
than one period, also every week between those windows, cut into ``periods - 1`` seasons of nearly the same length,
so that the whole past can be used. Weeks closer than ``gap`` to the judged one are left out: an outbreak that has begun
must not raise its own baseline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from alerts.surveillance.errors import ControlError, HistoryError

_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Look:
    """How to look back. ``years`` = b, ``half_width`` = w, ``periods`` = noPeriods, ``gap`` = pastWeeksNotIncluded."""

    years: int
    half_width: int
    periods: int
    gap: int
    frequency: int


@dataclass(frozen=True, slots=True)
class Baseline:
    """``offsets``: baseline weeks relative to the judged one (negative, rising); ``seasons``: 0 to periods - 1, the
    last one that of the judged week."""

    offsets: tuple[int, ...]
    seasons: tuple[int, ...]


def baseline(t: int, look: Look, days: Sequence[int] | None = None) -> Baseline:
    """The baseline of week ``t`` (from 1). ``days``: of each week the days since 1970-01-01, to go by the calendar.

    Raises :class:`HistoryError` when a year to look back to was not counted, :class:`ControlError` when
    there are more periods than weeks to put into them, or all weeks that are left belong to one of several periods.
    """
    points = [*reversed(_references(t, look, days)), t]
    season: dict[int, int] = {}
    for earlier, later in pairwise(points):
        season |= _between(earlier + look.half_width + 1, later - look.half_width, look)
    for point in points:
        season |= dict.fromkeys(range(point - look.half_width, point + look.half_width + 1), look.periods - 1)
    weeks = [week for week in sorted(season) if 1 <= week < t - look.gap]
    if not weeks:
        raise HistoryError(f"t={t}: no week is left to compare with: make pastWeeksNotIncluded smaller or b larger")
    if look.periods > 1 and len({season[week] for week in weeks}) == 1:
        raise ControlError(f"t={t}: the weeks that are left are all of one season: make pastWeeksNotIncluded "
                           "smaller or noPeriods 1")  # fmt: skip
    return Baseline(tuple(week - t for week in weeks), tuple(season[week] for week in weeks))


def _references(t: int, look: Look, days: Sequence[int] | None) -> list[int]:
    """The same week of each earlier year, latest first."""
    if days is None:
        found: list[int | None] = [t - year * look.frequency for year in range(1, look.years + 1)]
    else:
        position = {day: week for week, day in enumerate(days, start=1)}
        found = [position.get(_same_weekday(days[t - 1], year)) for year in range(1, look.years + 1)]
    weeks = [week for week in found if week is not None and week >= 1]
    if len(weeks) < look.years or weeks[-1] - look.half_width < 0:
        raise HistoryError(f"t={t}: {look.years} years with {look.half_width} weeks around are not all counted: "
                           "make b smaller or range later")  # fmt: skip
    return weeks


def _same_weekday(day: int, years: int) -> int:
    """The day of the same weekday that is nearest to this date ``years`` earlier (29 February: 1 March)."""
    here = date.fromordinal(day + _EPOCH)
    try:
        past = here.replace(year=here.year - years)
    except ValueError:
        past = date(here.year - years, 3, 1)
    target = past.toordinal() - _EPOCH
    ahead = (day - target) % 7
    return target + ahead - (7 if ahead > 3 else 0)


def _between(start: int, stop: int, look: Look) -> dict[int, int]:
    """The weeks from ``start`` to before ``stop``, in ``periods - 1`` seasons; the first take what is left over."""
    if look.periods == 1:
        return {}
    seasons = look.periods - 1
    size, longer = divmod(max(0, stop - start), seasons)
    if not size:
        raise ControlError(f"noPeriods {look.periods}: more periods than weeks between the windows; use fewer")
    found: dict[int, int] = {}
    week = start
    for each in range(seasons):
        length = size + (1 if each < longer else 0)
        found |= dict.fromkeys(range(week, week + length), each)
        week += length
    return found
