"""Welfare tasks: a caller at risk went before a person answered, and a clinician has to look after them.

At risk: a red flag, the distress flag, or a crisis or end-of-life plan, candidates included (docs/safety/rules.md, 1).
A task says which number, at which step and when; nothing of a plan. Unacknowledged after two minutes, the duty manager
is told.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Row, Select, bindparam, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from callrouter.approvals import Refused, RoleMissing, StoreAway
from callrouter.handover import Role, SignedIn
from callrouter.welfare.tables import welfare_tasks
from infra.clock import Clock
from infra.crypto import KeyRing, SealError
from infra.sql import Database, insert_once

ESCALATE_AFTER = timedelta(minutes=2)
SHOWN_AFTER = timedelta(hours=2)
"""How long an acknowledged task stays on the list, below the open ones."""

log = structlog.get_logger()
T = TypeVar("T")
_AT = welfare_tasks.c
_IS_LATE = _AT.acknowledged_at.is_(None) & _AT.escalated_at.is_(None) & (_AT.made_at <= bindparam("before"))
_LATE = select(welfare_tasks).where(_IS_LATE)
_ANY_LATE = select(_AT.id).where(_IS_LATE).limit(1)


class NoSuchTask(Refused):
    """There is no such task."""

    error_id = "no_such_task"
    status = 404


@dataclass(frozen=True, slots=True)
class Left:
    """A caller at risk who went at ``left_at``, at the flow's node ``last_step``, before a person answered."""

    call_ref: str
    context: str
    last_step: str
    left_at: datetime
    number: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Task:
    """One task. ``acknowledged_by``, as people read it, is empty, and the time None, while nobody has.

    ``context``, which opens the call and what it matched, is told to who has taken the task on; else it is empty.
    """

    id: str
    context: str
    last_step: str
    left_at: datetime
    made_at: datetime
    number: str | None = field(default=None, repr=False)
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    escalated_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether nobody has taken it on."""
        return self.acknowledged_at is None


Escalate = Callable[[Task], Awaitable[bool]]
"""Tells the duty manager, False if nobody is named; telling the same task again changes nothing."""


class Welfare:
    """The list of tasks. Every rule is enforced here, for pages and programs alike."""

    def __init__(self, database: Database, keys: KeyRing, clock: Clock, escalate: Escalate) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._escalate = escalate
        self._is_nobody_told = False
        self._insert = insert_once(welfare_tasks, database.dialect)

    async def make(self, left: Left, *, once_for_number: bool = False) -> bool:
        """Make the task of a contact; False if it has one already.

        ``once_for_number``: nor if an open task of this number says the same (the distress flag of a line).
        """
        row, hidden = self._row(left), self._number_key(left.number)

        def write(connection: Connection) -> bool:
            same = welfare_tasks.c.call_ref == left.call_ref
            if once_for_number and hidden is not None:
                same = or_(same, (welfare_tasks.c.number_key == hidden) & welfare_tasks.c.acknowledged_at.is_(None))
            if connection.execute(select(welfare_tasks.c.id).where(same).limit(1)).first() is not None:
                return False
            return connection.execute(self._insert, row).rowcount == 1

        return await self._database.write(write)

    async def tasks(self, who: SignedIn) -> list[Task]:
        """Open tasks, who left first on top; then those acknowledged within :data:`SHOWN_AFTER`, newest first.

        A list makes no relationship (docs/safety/rules.md, 6): the call of a task is named to who has it, to no other.
        Raises :class:`RoleMissing`, :class:`StoreAway`.
        """
        _clinician(who)
        since = self._clock.now() - SHOWN_AFTER
        at = welfare_tasks.c
        shown = select(welfare_tasks).where(or_(at.acknowledged_at.is_(None), at.acknowledged_at >= since))
        tasks = [_for(who, each) for each in await self._read(shown)]
        newest_first = sorted((each for each in tasks if not each.is_open), key=lambda each: each.left_at, reverse=True)
        return sorted((each for each in tasks if each.is_open), key=lambda each: each.left_at) + newest_first

    async def acknowledge(self, task_id: str, who: SignedIn) -> Task:
        """Take a task on. Of two people the first has it: the other is shown who.

        Raises :class:`RoleMissing`, :class:`NoSuchTask`, :class:`StoreAway`.
        """
        _clinician(who)
        at = welfare_tasks.c
        mine = update(welfare_tasks).where(at.id == task_id, at.acknowledged_at.is_(None))
        values = {"acknowledged_at": self._clock.now(), "acknowledged_by": who.shown}
        await _asked(self._database.write(lambda connection: connection.execute(mine.values(values)).rowcount))
        found = await self._read(select(welfare_tasks).where(at.id == task_id))
        if not found:
            raise NoSuchTask("there is no such task")
        return _for(who, found[0])

    async def look_after(self) -> int:
        """Tell the duty manager of every task that nobody took on in time; returns how many. Raises SQLAlchemyError.

        Told first and marked then: who dies in between tells it again, and the notice knows itself. Where no rule names
        anybody, no task is marked, and the log says so once.
        """
        now = self._clock.now()
        values = {"before": now - ESCALATE_AFTER}
        if not await self._database.poll(_ANY_LATE, values):
            return 0
        rows = await self._database.read(lambda connection: connection.execute(_LATE, values).all())
        for row in rows:
            if not await self._escalate(self._task(row)):
                self._nobody_to_tell(len(rows))
                return 0
            await self._database.write(partial(_escalated, task_id=row.id, now=now))
        return len(rows)

    def _nobody_to_tell(self, tasks: int) -> None:
        if not self._is_nobody_told:
            log.error("welfare_tasks_not_told", reason="no alert rule of the metric welfare_task", tasks=tasks)
        self._is_nobody_told = True

    async def _read(self, query: Select[Any]) -> list[Task]:
        rows = await _asked(self._database.read(lambda connection: connection.execute(query).all()))
        return [self._task(row) for row in rows]

    def _row(self, left: Left) -> dict[str, Any]:
        key, task_id = self._keys.new_data_key(), secrets.token_hex(8)
        return {
            "call_ref": left.call_ref,
            "id": task_id,
            "context": left.context,
            "last_step": left.last_step[:64],
            "left_at": left.left_at,
            "made_at": self._clock.now(),
            "number_key": self._number_key(left.number),
            "wrapped_key": key.wrapped,
            "number": key.seal(left.number.encode(), f"welfare:{task_id}".encode()) if left.number else None,
        }

    def _number_key(self, number: str | None) -> str | None:
        return self._keys.index("welfare-number", number) if number else None

    def _task(self, row: Row[Any]) -> Task:
        number = None
        if row.number is not None:
            try:
                number = self._keys.unwrap(row.wrapped_key).open(row.number, f"welfare:{row.id}".encode()).decode()
            except SealError:
                number = None  # the task stands all the same: the call's page may still have it
        return Task(
            row.id, row.context, row.last_step, row.left_at, row.made_at, number, row.acknowledged_at,
            row.acknowledged_by, row.escalated_at,
        )  # fmt: skip


async def taken_on_by(database: Database, call_ref: str) -> str:
    """Who has taken on the task of this call, as people read it; empty: nobody. Raises SQLAlchemyError."""
    at = welfare_tasks.c
    query = select(at.acknowledged_by).where(at.call_ref == call_ref, at.acknowledged_at.is_not(None))
    return await database.read(lambda connection: connection.execute(query).scalar()) or ""


def _escalated(connection: Connection, task_id: str, now: datetime) -> None:
    connection.execute(update(welfare_tasks).where(welfare_tasks.c.id == task_id).values(escalated_at=now))


def _for(who: SignedIn, task: Task) -> Task:
    return task if task.acknowledged_by == who.shown else replace(task, context="")


def _clinician(who: SignedIn) -> None:
    if who.role is not Role.CLINICIAN:
        raise RoleMissing("welfare tasks are for clinicians")


async def _asked(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except (SQLAlchemyError, OSError) as error:
        raise StoreAway("the list of tasks cannot be read just now: look again in a moment") from error
