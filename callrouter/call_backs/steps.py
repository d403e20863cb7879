"""What was done about a call-back, on its way from its own table to the journal: told once, and nothing is lost.

A step is written in the transaction that changes the call-back. It bears a number of its own, far above those of the
call, so that the journal takes it once however often it is told, and whatever the call itself still does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, insert, select, update

from callrouter import events as ev
from callrouter.call_backs.tables import call_back_steps, call_backs
from callrouter.events import Event, join, split
from callrouter.journal import Journal
from infra.bus import EventStream
from infra.clock import Clock
from infra.crypto import SealError
from infra.sql import Database

FIRST_SEQ = 50_000
"""Below it are the call's own events: none has so many (the figures refuse numbers from 100,000 on)."""

NOT_IN_THE_JOURNAL = timedelta(hours=1)
"""For so long a call may be on its way to the journal. One that never comes holds up nothing that follows."""

log = structlog.get_logger()

Follows = Callable[[str, str], Awaitable[None]]
"""What follows from the end of the call-back of a call, by its outcome; done again it changes nothing."""


def write_step(connection: Connection, call_ref: str, at: datetime, event: Event) -> None:
    """Write down what was just done, as the next step of this call-back."""
    mine = call_backs.c.call_ref == call_ref
    connection.execute(update(call_backs).where(mine).values(told=call_backs.c.told + 1))
    number = connection.execute(select(call_backs.c.told).where(mine)).scalar_one()
    clear, _secret = split(event)
    row = {"call_ref": call_ref, "number": number, "at": at, "kind": event.kind, "facts": clear}
    connection.execute(insert(call_back_steps).values(**row, user=getattr(event, "user", None) or ""))


_ANY_WAITING = select(call_back_steps.c.id).where(call_back_steps.c.is_told.is_(False)).limit(1)


class StepTeller:
    """Tells the stream of each step, and does what follows from an end. One process at a time."""

    BATCH = 100

    def __init__(
        self, database: Database, stream: EventStream, journal: Journal, follows: Follows, clock: Clock
    ) -> None:
        self._clock = clock
        self._database = database
        self._stream = stream
        self._journal = journal
        self._follows = follows

    async def step(self) -> int:
        """Tell what waits, at most one batch; returns how many steps were told.

        A call that is not in the journal yet is told of later. Told first and marked then: the journal knows it again.
        A step that the journal cannot take, its call's key being gone, is logged, and what follows from it is done.
        """
        at = call_back_steps.c
        if not await self._database.poll(_ANY_WAITING):
            return 0
        waiting = select(call_back_steps).where(at.is_told.is_(False)).order_by(at.id).limit(self.BATCH)
        rows = await self._database.read(lambda connection: connection.execute(waiting).all())
        told = [row.id for row in rows if await self._tell(row)]
        if told:
            mark = update(call_back_steps).where(at.id.in_(told)).values(is_told=True, user="")
            await self._database.write(lambda connection: connection.execute(mark))
        return len(told)

    async def _tell(self, row: Row[Any]) -> bool:
        event = join(row.kind, {**row.facts, **({"user": row.user} if row.user else {})})
        try:
            entry = await self._journal.sealed(event, row.call_ref, FIRST_SEQ + row.number, row.at)
            if entry is None and self._clock.now() - row.at < NOT_IN_THE_JOURNAL:
                return False
        except SealError:
            entry = None
        if isinstance(event, ev.CallBackEnded):
            await self._follows(row.call_ref, event.outcome)
        if entry is None:
            log.error("call_back_step_not_journalled", call_ref=row.call_ref, kind=row.kind)
        else:
            await self._stream.append([entry])
        return True
