"""A staged release in figures: how many calls of each side succeeded, and what the test makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from callrouter.publishing.snapshot import Snapshot
from callrouter.publishing.sprt import Standing, judge, paired
from callrouter.publishing.tables import outcomes


@dataclass(frozen=True, slots=True)
class Stage:
    """A staged release: the version that is tried, the one that it is compared with, and since when."""

    new: str
    old: str
    since: datetime


@dataclass(frozen=True, slots=True)
class StageFigures:
    """For pages. Counts of calls whose outcome is known."""

    stage: Stage
    new_good: int
    new_all: int
    old_good: int
    old_all: int
    standing: Standing


def stage_of(snapshot: Snapshot) -> Stage | None:
    """The staged release that this worker knows of, if there is one."""
    if snapshot.staged is None or snapshot.live is None or snapshot.staged_at is None:
        return None
    return Stage(snapshot.staged.version, snapshot.live.version, snapshot.staged_at)


def figures_of(connection: Connection, stage: Stage) -> StageFigures:
    """What the calls of a staged release say so far."""
    of_stage = (outcomes.c.version == stage.new) & (outcomes.c.staged_at == stage.since)
    query = select(outcomes.c.is_new, outcomes.c.good).where(of_stage).order_by(outcomes.c.id)
    known = [(bool(row.is_new), bool(row.good)) for row in connection.execute(query)]
    new, old = ([good for is_new, good in known if is_new is side] for side in (True, False))
    return StageFigures(stage, sum(new), len(new), sum(old), len(old), judge(paired(known)))
