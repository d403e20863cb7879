"""The list of call-backs. Every rule is enforced here, for callers, pages and programs alike.

A promise is a row before the caller hears of it, and stays one until somebody has reached them, a clinician has them as
a welfare task, or a person has answered them on the line. What changes a row is written beside it in the same
transaction (:mod:`callrouter.call_backs.steps`) and told to the journal afterwards.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from callrouter import events as ev
from callrouter.approvals import RoleMissing, StoreAway
from callrouter.call_backs.model import (
    BETWEEN_TRIES,
    HELD_FOR,
    KEPT_WITHIN,
    MOST_TRIES,
    ON_THE_LINE,
    SHOWN_AFTER,
    TRY_OUTCOMES,
    CallBack,
    EndOutcome,
    NoSuchCallBack,
    NotNow,
    NotYours,
)
from callrouter.call_backs.steps import write_step
from callrouter.call_backs.tables import call_backs
from callrouter.handover import SignedIn
from callrouter.model import CallRecord
from callrouter.view import CallView
from infra.clock import Clock
from infra.crypto import KeyRing, SealError
from infra.sql import Database, insert_once

DOMAIN = "call-back-number"
_AT = call_backs.c
_ANY_OPEN = select(_AT.call_ref).where(_AT.ended_at.is_(None)).limit(1)
T = TypeVar("T")


class CallBackList:
    """Promises, who keeps them, and what became of them."""

    def __init__(self, database: Database, keys: KeyRing, clock: Clock) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._insert = insert_once(call_backs, database.dialect)

    # ------------------------------------------------------------------ for a call

    async def may_promise(self, number: str) -> tuple[bool, bool]:
        """Whether a call can be promised now, and whether this number is owed one already. Raises SQLAlchemyError.

        None is promised while one is late: who cannot keep the promises they have makes no more.
        """
        hidden, now = self._keys.index_all(DOMAIN, number), self._clock.now()

        def read(connection: Connection) -> tuple[bool, bool]:
            late = connection.execute(select(_AT.call_ref).where(_late(now)).limit(1)).first()
            owed = connection.execute(
                select(_AT.call_ref).where(_AT.number_key.in_(hidden), _AT.ended_at.is_(None)).limit(1)
            ).first()
            return late is None and owed is None, owed is not None

        return await self._database.read(read)

    async def promise(self, record: CallRecord, service: str) -> bool:
        """Keep the promise for this contact; False, and nothing is kept, where none may be made now.

        Asked again it is the same promise: a commit that lost runs the call's step once more. Raises SQLAlchemyError.
        """
        row, now = self._row(record, service), self._clock.now()

        def write(connection: Connection) -> bool:
            mine = select(_AT.ended_at).where(_AT.call_ref == record.first)
            if (known := connection.execute(mine).first()) is not None:
                return known.ended_at is None
            if connection.execute(select(_AT.call_ref).where(_late(now)).limit(1)).first() is not None:
                return False
            return connection.execute(self._insert, row).rowcount == 1

        return await self._database.write(write)

    # ------------------------------------------------------------------ what callers do after it

    async def any_open(self) -> bool:
        """Whether anybody is owed a call. Raises SQLAlchemyError."""
        return bool(await self._database.poll(_ANY_OPEN))

    async def back_on_the_line(self, contact: str) -> None:
        """A caller whom we cut off has rung back and waits again: nobody is to ring them. Raises SQLAlchemyError."""
        back = update(call_backs).where(_AT.call_ref == contact, _AT.ended_at.is_(None)).values(left_at=None)
        await self._database.write(lambda connection: connection.execute(back))

    async def call_ended(self, view: CallView) -> None:
        """A call is over: the caller has hung up and is owed one, or a person answered. Again changes nothing.

        Answered on the line, or ringing again from the number that was promised a call: nobody owes them one any more.
        Raises SQLAlchemyError.
        """
        contact, now = view.resumes or view.call_ref, view.ended_at
        if view.answered_at is None or view.answer_evidence != "agent":
            gone = update(call_backs).where(_AT.call_ref == contact, _AT.ended_at.is_(None)).values(left_at=now)
            await self._database.write(lambda connection: connection.execute(gone))
            return
        keys = self._keys.index_all(DOMAIN, view.number) if view.number else ()
        # a call that began before the promise does not keep it; one whose beginning is lost names no number either
        before = _AT.promised_at <= (view.offered_at or now)
        mine = or_(_AT.call_ref == contact, and_(_AT.number_key.in_(keys), before))

        def write(connection: Connection) -> None:
            for row in connection.execute(
                select(call_backs).where(mine, _AT.ended_at.is_(None)).with_for_update()
            ).all():
                self._end(connection, row, "withdrawn" if row.call_ref == contact else "rang_again")

        await self._database.write(write)

    # ------------------------------------------------------------------ for who rings

    async def listed(self, who: SignedIn) -> list[CallBack]:
        """Open ones, who is owed first on top; then those over within :data:`SHOWN_AFTER`, newest first.

        The list tells no number and opens no call. Raises :class:`RoleMissing`, :class:`StoreAway`.
        """
        _agent(who)
        query = select(call_backs).where(or_(_AT.ended_at.is_(None), _AT.ended_at >= self._clock.now() - SHOWN_AFTER))
        rows = await _asked(self._database.read(lambda connection: connection.execute(query).all()))
        found = [_told(row) for row in rows]
        over = sorted((each for each in found if each.ended_at), key=lambda each: str(each.ended_at), reverse=True)
        return sorted((each for each in found if each.is_open), key=lambda each: each.owed_at) + over

    async def take(self, call_back_id: str, who: SignedIn) -> CallBack:
        """Take one on, which opens it. Of two people the first has it, for :data:`HELD_FOR`.

        Raises :class:`RoleMissing`, :class:`NoSuchCallBack`, :class:`NotYours`, :class:`NotNow`, :class:`StoreAway`.
        """

        def write(connection: Connection) -> Row[Any]:
            row, now = self._locked(connection, call_back_id), self._clock.now()
            if row.ended_at is not None:
                raise NotNow(f"this call-back is over: {row.outcome.replace('_', ' ')}")
            if _told(row).is_on_the_line(now):
                raise NotNow("the caller is still on the line, and keeps the place in the queue")
            if row.taken_user not in ("", who.user) and row.taken_at > now - HELD_FOR:
                raise NotYours(f"{row.taken_by} has this call-back")
            values = {"taken_at": now, "taken_by": who.shown, "taken_user": who.user}
            connection.execute(update(call_backs).where(_AT.call_ref == row.call_ref).values(values))
            write_step(connection, row.call_ref, now, ev.CallBackOpened(role=who.role, user=who.user))
            return _fresh(connection, row)

        return await self._opened(write, who)

    async def open(self, call_back_id: str, who: SignedIn) -> CallBack:
        """See one that one has taken on, with its number; each look is recorded. Raises as :meth:`take`."""

        def write(connection: Connection) -> Row[Any]:
            row, now = self._locked(connection, call_back_id), self._clock.now()
            _mine(row, who)
            write_step(connection, row.call_ref, now, ev.CallBackOpened(role=who.role, user=who.user))
            return row

        return await self._opened(write, who)

    async def tried(self, call_back_id: str, outcome: str, who: SignedIn) -> CallBack:
        """The caller was rung: ``outcome`` is one of :data:`TRY_OUTCOMES`. Answered ends it.

        After any other it is anybody's again, not before :data:`BETWEEN_TRIES`; after :data:`MOST_TRIES` of these a
        clinician has the caller. Raises as :meth:`take`.
        """
        if outcome not in TRY_OUTCOMES:
            raise NotNow(f"say what came of it: {', '.join(TRY_OUTCOMES)}")

        def write(connection: Connection) -> Row[Any]:
            row, now = self._locked(connection, call_back_id), self._clock.now()
            _mine(row, who)
            if row.tried_at is not None and now < row.tried_at + BETWEEN_TRIES and outcome != "answered":
                raise NotNow("the tries in vain that count are at least 10 minutes apart")
            tried = ev.CallBackTried(outcome=outcome, role=who.role, user=who.user)
            write_step(connection, row.call_ref, now, tried)
            in_vain = {"taken_at": None, "taken_by": "", "taken_user": "", "owed_at": now + KEPT_WITHIN}
            values: dict[str, Any] = {"tries": row.tries + 1, "tried_at": now}
            values |= {} if outcome == "answered" else in_vain
            connection.execute(update(call_backs).where(_AT.call_ref == row.call_ref).values(values))
            if outcome == "answered":
                self._end(connection, row, "reached")
            elif row.tries + 1 >= MOST_TRIES:
                self._end(connection, row, "gave_up")
            return _fresh(connection, row)

        return _told(await self._changed(write, who))

    # ------------------------------------------------------------------ for who looks after it

    async def late_s(self) -> float:
        """For how many seconds the longest overdue call has been owed; 0 if none is late. Raises SQLAlchemyError."""
        now = self._clock.now()
        query = select(func.min(_AT.owed_at)).where(_late(now))
        oldest = await self._database.read(lambda connection: connection.execute(query).scalar())
        return 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())

    async def of_call(self, call_ref: str) -> CallBack | None:
        """The promise of this contact with its number, for what follows from its end. Raises SQLAlchemyError."""
        query = select(call_backs).where(_AT.call_ref == call_ref)
        row = await self._database.read(lambda connection: connection.execute(query).first())
        return None if row is None else self._whole(row)

    def _end(self, connection: Connection, row: Row[Any], outcome: EndOutcome) -> None:
        now = self._clock.now()
        over = update(call_backs).where(_AT.call_ref == row.call_ref)
        connection.execute(over.values(ended_at=now, outcome=outcome))
        write_step(connection, row.call_ref, now, ev.CallBackEnded(outcome=outcome))

    def _locked(self, connection: Connection, call_back_id: str) -> Row[Any]:
        row = connection.execute(select(call_backs).where(_AT.id == call_back_id).with_for_update()).first()
        if row is None:
            raise NoSuchCallBack("there is no such call-back")
        return row

    async def _changed(self, write: Callable[[Connection], Row[Any]], who: SignedIn) -> Row[Any]:
        _agent(who)
        return await _asked(self._database.write(write))

    async def _opened(self, write: Callable[[Connection], Row[Any]], who: SignedIn) -> CallBack:
        return self._whole(await self._changed(write, who))

    def _row(self, record: CallRecord, service: str) -> dict[str, Any]:
        key, call_back_id, now = self._keys.new_data_key(), secrets.token_hex(8), self._clock.now()
        number = str(record.number.e164)
        return {
            "call_ref": record.first,
            "id": call_back_id,
            "context": record.context,
            "service": service[:64],
            "number_key": self._keys.index(DOMAIN, number),
            "wrapped_key": key.wrapped,
            "number": key.seal(number.encode(), _sealed_as(call_back_id)),
            "arrived_at": record.arrived_at,
            "promised_at": now,
            "owed_at": now + KEPT_WITHIN,
        }

    def _whole(self, row: Row[Any]) -> CallBack:
        try:
            number = self._keys.unwrap(row.wrapped_key).open(row.number, _sealed_as(row.id)).decode()
        except SealError:
            number = ""  # the promise stands all the same: the call's page may still have it
        return _told(row, row.context, number)


def _sealed_as(call_back_id: str) -> bytes:
    return f"call-back:{call_back_id}".encode()


def _told(row: Row[Any], context: str = "", number: str = "") -> CallBack:
    return CallBack(
        row.id, row.call_ref, context, row.service, row.arrived_at, row.promised_at, row.owed_at, row.left_at,
        row.taken_at, row.taken_by, row.taken_user, row.tries, row.tried_at, row.ended_at, row.outcome, number,
    )  # fmt: skip


def _late(now: datetime) -> ColumnElement[bool]:
    off_the_line = or_(_AT.left_at.is_not(None), _AT.promised_at <= now - ON_THE_LINE)
    return and_(_AT.ended_at.is_(None), off_the_line, _AT.owed_at < now)


def _fresh(connection: Connection, row: Row[Any]) -> Row[Any]:
    return connection.execute(select(call_backs).where(_AT.call_ref == row.call_ref)).one()


def _mine(row: Row[Any], who: SignedIn) -> None:
    if row.ended_at is not None:
        raise NotNow(f"this call-back is over: {row.outcome.replace('_', ' ')}")
    if row.taken_user != who.user:
        raise NotYours(f"{row.taken_by} has this call-back" if row.taken_by else "take the call-back on first")


def _agent(who: SignedIn) -> None:
    if who.role not in ev.AGENT_ROLES:
        raise RoleMissing("call-backs are for call handlers and clinicians")


async def _asked(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except (SQLAlchemyError, OSError) as error:
        raise StoreAway("the list of call-backs cannot be read just now: look again in a moment") from error


async def taken_back_by(database: Database, call_ref: str) -> str:
    """The user who has taken on the call that this contact is owed; empty: nobody. Raises SQLAlchemyError."""
    query = select(_AT.taken_user).where(_AT.call_ref == call_ref)
    return await database.read(lambda connection: connection.execute(query).scalar()) or ""
