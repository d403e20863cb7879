"""Proposals and their record: SQLite or PostgreSQL. A look that is recorded twice changes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, desc, insert, select, update

from alerts.surges.model import Found, Method, Proposal, Screened, Series, State, Step, quarter_of
from alerts.surges.tables import surge_proposals, surge_screenings, surge_steps
from infra.sql import Database, insert_once

APART = timedelta(days=1)
"""A series that is unusual again within a day is in the same episode, and no proposal anew."""

_APART: dict[Method, timedelta] = {"hourly": APART, "daily": 2 * APART, "weekly": 2 * APART}
"""By method: what is judged once a day is not unusual again within it."""

KEPT = timedelta(days=28)
"""How long a proposal stays on the list after it was last seen; its record stays."""

TOLD = "told"
TOLD_SURGE = "told_surge"
STRONGER = "stronger"
FADED = "faded"
FADED_TOLD = "told_faded"
BACK = "back"
THE_SERVICE = "the service"

_STRENGTH = {"change_of_mix": 0, "demand_rise": 1, "surge": 2}


@dataclass(frozen=True, slots=True)
class Look:
    """One line of the record of looks: ``why_not`` says how many series could not be judged, by reason."""

    at: datetime
    series: int
    judged: int
    found: int
    why_not: dict[str, int]


class ProposalStore:
    """Every method may raise SQLAlchemyError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, screened: Screened) -> bool:
        """Keep what a look found; False, and nothing changed, if that look is kept already."""
        return await self._database.write(partial(self._record, screened=screened))

    async def last_look(self) -> Look | None:
        """The newest look; None before the first."""

        def work(connection: Connection) -> Look | None:
            row = connection.execute(
                select(surge_screenings).order_by(desc(surge_screenings.c.quarter)).limit(1)
            ).first()
            return None if row is None else Look(row.at, row.series, row.judged, row.found, json.loads(row.why_not))

        return await self._database.read(work)

    async def recent(self, since: datetime) -> list[Proposal]:
        """Those last seen, or with a message of theirs proposed to be taken off, since then; by rank."""
        at = surge_proposals.c
        query = select(surge_proposals).where((at.last_seen_at >= since) | (at.faded_at >= since))
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return sorted(map(_proposal, rows), key=lambda each: (each.rank, -each.score, each.id))

    async def get(self, proposal_id: str) -> tuple[Proposal, tuple[Step, ...]] | None:
        """A proposal with its record, oldest step first; None if there is none."""

        def work(connection: Connection) -> tuple[Proposal, tuple[Step, ...]] | None:
            row = connection.execute(select(surge_proposals).where(surge_proposals.c.id == proposal_id)).first()
            steps = select(surge_steps).where(surge_steps.c.proposal == proposal_id).order_by(surge_steps.c.id)
            return None if row is None else (_proposal(row), tuple(map(_step, connection.execute(steps))))

        return await self._database.read(work)

    async def move(
        self, proposal_id: str, before: Collection[State], after: State, step: Step, message: str = ""
    ) -> bool:
        """Bring a proposal on, with who did it, in one commit; False, and nothing changed, from another state."""

        def work(connection: Connection) -> bool:
            at = surge_proposals.c
            values = {"state": after, **({"message": message} if message else {})}
            change = update(surge_proposals).where(at.id == proposal_id, at.state.in_(sorted(before))).values(values)
            if not connection.execute(change).rowcount:
                return False
            _note(connection, proposal_id, step)
            return True

        return await self._database.write(work)

    async def note(self, proposal_id: str, step: Step) -> None:
        """Add a step to the record."""
        await self._database.write(lambda connection: _note(connection, proposal_id, step))

    async def with_step(self, step: str, since: datetime) -> frozenset[str]:
        """Ids of the proposals that have had ``step`` since then."""
        at = surge_steps.c
        query = select(at.proposal).where(at.step == step, at.at >= since).distinct()
        return frozenset(await self._database.read(lambda connection: connection.execute(query).scalars().all()))

    def _record(self, connection: Connection, screened: Screened) -> bool:
        look = {
            "quarter": quarter_of(screened.at),
            "at": screened.at,
            "series": screened.series,
            "judged": screened.judged,
            "found": len(screened.found),
            "why_not": json.dumps(screened.why_not, sort_keys=True),
        }
        if not connection.execute(insert_once(surge_screenings, self._database.dialect), look).rowcount:
            return False
        for each in screened.found:
            _keep(connection, each, screened.at)
        _fade(connection, screened)
        return True


def _keep(connection: Connection, found: Found, at: datetime) -> None:
    of = surge_proposals.c
    same = (
        (of.signal == found.series.signal)
        & (of.area == found.series.area)
        & (of.method == found.method)
        & (of.last_seen_at >= at - _APART[found.method])
    )
    row = connection.execute(select(surge_proposals).where(same).order_by(desc(of.last_seen_at)).limit(1)).first()
    now = {"last_seen_at": at, "score": found.score, "rank": found.rank}
    if row is None:
        values = {
            "id": _id(found, at), **asdict(found.series), "method": found.method, "kind": found.kind,
            "since": found.since, "found_at": at, "state": "open", **now,
        }  # fmt: skip
        connection.execute(insert(surge_proposals).values(values))
    else:
        kind, state = max(row.kind, found.kind, key=_STRENGTH.__getitem__), row.state
        if kind != row.kind and state in ("watched", "dismissed"):  # what was assessed was less than this
            state = "open"
            _note(connection, row.id, Step(at, STRONGER, THE_SERVICE, ""))
        connection.execute(update(surge_proposals).where(of.id == row.id).values(kind=kind, state=state, **now))


def _fade(connection: Connection, screened: Screened) -> None:
    """Propose taking off the message of what is quiet now; and no longer, where it is unusual again."""
    of = surge_proposals.c
    unusual = {each.series for each in screened.found}
    acted = select(surge_proposals).where(of.state == "acted", of.last_seen_at >= screened.at - KEPT)
    for row in connection.execute(acted).all():
        series = Series(row.signal, row.area)
        if row.faded_at is None and series in screened.quiet:
            faded_at, step = screened.at, FADED
        elif row.faded_at is not None and series in unusual:
            faded_at, step = None, BACK
        else:
            continue
        connection.execute(update(surge_proposals).where(of.id == row.id).values(faded_at=faded_at))
        _note(connection, row.id, Step(screened.at, step, THE_SERVICE, ""))


def _id(found: Found, at: datetime) -> str:
    """The same for whoever records the same look."""
    text = f"{found.series.signal}@{found.series.area}:{found.method}:{quarter_of(at)}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _note(connection: Connection, proposal_id: str, step: Step) -> None:
    connection.execute(insert(surge_steps).values(proposal=proposal_id, **asdict(step)))


def _proposal(row: Row[Any]) -> Proposal:
    values = dict(row._mapping)
    return Proposal(series=Series(values.pop("signal"), values.pop("area")), **values)


def _step(row: Row[Any]) -> Step:
    return Step(row.at, row.step, row.by, row.role, row.note, row.name)
