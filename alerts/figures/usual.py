"""What is usual for an hour of the week: the median of the same hour in London over the last eight weeks."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from statistics import median
from typing import Protocol, cast

import structlog
from sqlalchemy.exc import SQLAlchemyError

from alerts.figures.items import Clock, Kpis, Scope, ScopeKind
from alerts.model import LONDON, WINDOW_METRICS, Metric, Rule, Worse
from alerts.rules.measures import value_of
from infra.clock import Clock as Time

LEARN_EVERY_S = 3600.0
LEARN_AGAIN_S = 60.0
"""After the database did not answer."""

WEEKS = 8
HOURS_AT_LEAST = 4
"""Of fewer such hours nobody says what is usual."""

_LEAST: dict[Metric, float] = {"abandoned_share": 0.01, "answered_60_share": 0.01}
"""What is usual counts as at least this, so that 1 in 1,000 instead of none is not endlessly worse."""


log = structlog.get_logger(__name__)


class Hours(Protocol):
    """Where the hours of the past are kept."""

    async def hours(self, first: date, last: date, kind: ScopeKind, clock: Clock = "offered") -> Sequence[Kpis]:
        """One for each hour and scope of these London days; ``start`` is the hour's."""


class Usual:
    """Medians in memory. Until :meth:`learn` was called nothing is usual."""

    def __init__(self) -> None:
        self._values: dict[tuple[Metric, Scope, int], list[float]] = {}
        self._names: dict[Scope, str] = {}

    def of(self, metric: Metric, scope: Scope, at: datetime) -> float | None:
        """What is usual of the metric at this hour of the week, per hour for counts; None if that is not known."""
        values = self._values.get((metric, scope, _hour_of_week(at)), [])
        return median(values) if len(values) >= HOURS_AT_LEAST else None

    def scopes(self, kind: ScopeKind, at: datetime) -> Mapping[Scope, str]:
        """The scopes of that kind, with their names for people, which have calls at this hour of the week usually."""
        return {
            scope: name for scope, name in self._names.items() if scope.kind == kind and self.of("offered", scope, at)
        }

    def worse_by(self, metric: Metric, scope: Scope, at: datetime, value: float, *, worse: Worse) -> float | None:
        """By how many per cent of what is usual ``value`` is worse (negative: better); None if that is not known."""
        usual = self.of(metric, scope, at)
        if usual is None:
            return None
        usual = max(usual, _LEAST.get(metric, 1.0))
        # 69 s instead of 60 are 15 %, not 14.999…: a bound that is met on paper must be met here
        return round(100 * (value / usual - 1) * (1 if worse == "above" else -1), 6)

    async def learn(self, hours: Hours, kinds: Collection[ScopeKind], at: datetime) -> None:
        """Read what will be asked for until the end of tomorrow. Raises what ``hours`` raises; what was known stays.

        Day by day, since whoever reads years at once holds up callers in the same process.
        """
        today = at.astimezone(LONDON).date()
        days = [today + timedelta(days=ahead - 7 * (week + 1)) for ahead in (0, 1) for week in range(WEEKS)]
        found: dict[tuple[Metric, Scope, int], list[float]] = {}
        names: dict[Scope, str] = {}
        for kind, day in itertools.product(kinds, days):
            for kpis in await hours.hours(day, day, kind):
                names[kpis.scope] = kpis.name
                for metric in WINDOW_METRICS:
                    if (value := value_of(metric, kpis)) is not None:
                        found.setdefault((metric, kpis.scope, _hour_of_week(kpis.start)), []).append(value)
        self._values, self._names = found, names


def _hour_of_week(at: datetime) -> int:
    local = at.astimezone(LONDON)
    return local.weekday() * 24 + local.hour


def kinds_of(rules: Iterable[Rule]) -> frozenset[ScopeKind]:
    """The kinds of scopes of which these rules ask what is usual."""
    asking = (each.scope for each in rules if each.than_usual or each.usual_at_least)
    return frozenset(cast(ScopeKind, each.removeprefix("each ").partition(":")[0]) for each in asking)


async def keep_learning(usual: Usual, hours: Hours, kinds: Collection[ScopeKind], clock: Time) -> None:
    """Never ends where a rule asks what is usual. Every process learns for itself: there is nothing to agree on."""
    while kinds:
        try:
            await usual.learn(hours, kinds, clock.now())
        except (SQLAlchemyError, OSError) as error:
            log.warning("usual_not_learnt", error=type(error).__name__)
            await asyncio.sleep(LEARN_AGAIN_S)
        else:
            await asyncio.sleep(LEARN_EVERY_S)
