"""One look at every series: learn what is usual when that is due, then say what is unusual now. Needs numpy and scipy.

It takes seconds of CPU, so the service runs it in a process of its own (:mod:`alerts.surges.process`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import numpy as np
from sqlalchemy import Connection, desc, select

from alerts.surges import daily, weekly
from alerts.surges.archive import archive, day_of
from alerts.surges.daily import days_of, has_faded, judge_yesterday
from alerts.surges.history import A_DAY, History, read_history
from alerts.surges.model import NOT_COUNTED, Found, Screened, Series, quarter_of, start_of
from alerts.surges.store import KEPT
from alerts.surges.tables import surge_proposals, surge_screenings
from alerts.surges.usual import Usual, read_usual, write_usual
from alerts.surges.weekly import judge_weeks
from alerts.surveillance import live
from alerts.surveillance.budget import FALSE_EPISODES_A_DAY, Thresholds
from alerts.surveillance.errors import HistoryError
from alerts.surveillance.hourly import LEAST_WEEKS
from infra.areas import Areas
from infra.sql import Database

BY_HOURS = FALSE_EPISODES_A_DAY - weekly.FALSE_A_DAY - daily.FALSE_A_DAY
"""What the other two leave of the budget."""

LEARN_EVERY = timedelta(days=7)
LEARN_FROM = 56 * A_DAY
"""Eight weeks: of each hour of the week there are eight, and none is of another season."""

JUDGED = 7 * A_DAY
"""What one look judges, and what is before it in the simulated years (``budget.null_year``)."""

NULL_CELLS = 40_000_000
"""Of simulated years when learning, at the most: seconds, once a week (``live.learn``)."""
SETTLED_DAY = timedelta(hours=1)
"""After midnight in London the day before is left alone so long, as a quarter-hour is after its end."""

LEAST_BOUND = 3.0
"""Standard deviations. Where next to nothing was counted the null years know no bound, and five calls would be news."""

TOO_LITTLE = f"less than {LEAST_WEEKS} weeks were counted"
CHANGED = "the menu or the words were changed since"


async def screen(database: Database, areas: Areas, at: datetime, *, null_cells: int = NULL_CELLS) -> Screened:
    """The last quarter-hour that was over at ``at``, of every series; what is usual is learnt first if that is due.

    A series of which nothing can be said is counted in ``why_not``; none of that is an error. Raises SQLAlchemyError.
    """
    usual = await database.read(read_usual)
    if usual is None or at - usual.at >= LEARN_EVERY:
        usual = await _learn(database, areas, at, null_cells) or usual
    screened = await look(database, areas, at, usual)
    if await database.read(partial(_is_first_today, at=at)):
        await archive(database, at)
        found, quiet = await _by_days(database, areas, at, usual)
        screened = replace(screened, found=(*screened.found, *found), quiet=screened.quiet | quiet)
    return screened


async def look(database: Database, areas: Areas, at: datetime, usual: Usual | None) -> Screened:
    """As :func:`screen`, by what is ``usual``. It only reads."""
    end = quarter_of(at)
    history = await read_history(database, end - JUDGED, end, areas)
    return judge(history, usual, at)


def judge(history: History, usual: Usual | None, at: datetime) -> Screened:
    """What is unusual in the last quarter-hour of ``history``."""
    known = {} if usual is None else {each: row for row, each in enumerate(usual.series)}
    history = _with_silent(history, known)
    why_not: Counter[str] = Counter()
    rows: list[int] = []
    for row in range(len(history.series)):
        if reason := _why_not(history, usual, known, row):
            why_not[reason] += 1
        else:
            rows.append(row)
    found: tuple[Found, ...] = ()
    quiet: frozenset[Series] = frozenset()
    if usual is not None and rows:
        looked = live.look(usual.of([known[history.series[row]] for row in rows]), history.counts(rows))
        found = tuple(
            Found(
                history.series[int(each.name)], "hourly", each.kind.value, each.since, round(each.score, 3), each.rank
            )
            for each in looked.exceedances()
        )
        quiet = frozenset(history.series[row] for row, still in zip(rows, looked.quiet(), strict=True) if still)
    return Screened(at, len(history.series), len(rows), found, quiet, dict(why_not))


def _why_not(history: History, usual: Usual | None, known: dict[Series, int], row: int) -> str:
    each = history.series[row]
    if np.isnan(history.total[-1]):
        return NOT_COUNTED
    version = history.versions.get(each.signal)
    if usual is not None and each in known and version in (None, usual.versions[each.signal]):
        return ""
    was_known = usual is not None and each.signal in usual.versions and version != usual.versions[each.signal]
    return CHANGED if was_known else TOO_LITTLE


def _with_silent(history: History, known: dict[Series, int]) -> History:
    """With the series that nobody gave lately: that is none, and not unknown."""
    silent = [each for each in known if each not in history.series]
    none = np.where(np.isnan(history.total), np.nan, 0.0)
    demand = np.vstack([history.demand, *([none] * len(silent))])
    return replace(history, series=(*history.series, *silent), demand=demand)


def _is_first_today(connection: Connection, at: datetime) -> bool:
    """Whether no look was kept since 01:00 in London: by then the day before is counted."""
    last = connection.execute(
        select(surge_screenings.c.at).order_by(desc(surge_screenings.c.quarter)).limit(1)
    ).scalar()
    return last is None or day_of(last - SETTLED_DAY) < day_of(at - SETTLED_DAY)


async def _by_days(
    database: Database, areas: Areas, at: datetime, usual: Usual | None
) -> tuple[list[Found], frozenset[Series]]:
    """The week that ended yesterday, where there are years; and yesterday, of what cannot be judged by hours yet.

    With the series of the latter whose surge, on which somebody acted, has faded.
    """
    end = quarter_of(at)
    history = await read_history(database, end - LEARN_FROM, end, areas)
    known = {} if usual is None else {each: row for row, each in enumerate(usual.series)}
    rows = [row for row in range(len(history.series)) if _why_not(history, usual, known, row)]
    recent = replace(history, demand=history.since_changes())
    found = [*await judge_weeks(database, areas, history), *judge_yesterday(recent, rows)]
    quiet = _faded(recent, rows, await database.read(partial(_acted_on, at=at)))
    return found, quiet - {each.series for each in found}


def _faded(history: History, rows: Sequence[int], since: Mapping[Series, datetime]) -> frozenset[Series]:
    places = {history.series[row]: row for row in rows if history.series[row] in since}
    if not places:
        return frozenset()
    days = days_of(history)
    return frozenset(each for each, row in places.items() if has_faded(days, row, day_of(since[each])))


def _acted_on(connection: Connection, at: datetime) -> dict[Series, datetime]:
    """Since when the series were unusual of which callers may hear a message."""
    of = surge_proposals.c
    query = select(of.signal, of.area, of.since).where(of.state == "acted", of.last_seen_at >= at - KEPT)
    return {Series(signal, area): since for signal, area, since in connection.execute(query.order_by(of.since))}


async def _learn(database: Database, areas: Areas, at: datetime, null_cells: int) -> Usual | None:
    """Learn from whole days, those of surges left out; None where no series has the history."""
    end = quarter_of(at) // A_DAY * A_DAY
    history = await read_history(database, end - LEARN_FROM, end, areas)
    if not history.series:
        return None
    demand = await database.read(partial(_without_surges, history=history))
    history = replace(history, demand=demand)
    try:
        counts = history.counts(range(len(history.series)))
        learnt = live.learn(counts, seed=end, per_day=BY_HOURS, null_cells=null_cells)
    except HistoryError:
        return None
    bounds = learnt.thresholds
    bounds = Thresholds(max(LEAST_BOUND, bounds.windows), max(LEAST_BOUND, bounds.cusum))
    learnt = replace(learnt, thresholds=bounds)
    await database.write(lambda connection: write_usual(connection, history, learnt, at))
    return await database.read(read_usual)


def _without_surges(connection: Connection, history: History) -> np.ndarray:
    """Demand since the last change, NaN in every episode that nobody dismissed: a surge is not what is usual."""
    at = surge_proposals.c
    query = select(at.signal, at.area, at.since, at.last_seen_at).where(
        at.state != "dismissed", at.kind != "change_of_mix", at.last_seen_at >= start_of(history.first)
    )
    demand = history.since_changes()
    places = {each: row for row, each in enumerate(history.series)}
    for signal, area, since, last_seen_at in connection.execute(query):
        row = places.get(Series(signal, area))
        if row is not None:
            begin = max(0, quarter_of(since) - history.first)
            demand[row, begin : max(0, quarter_of(last_seen_at) - history.first)] = np.nan
    return demand
