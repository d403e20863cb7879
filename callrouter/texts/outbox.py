"""Texts that are to be sent: kept first, in the transaction of whatever asks for them, then sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from callrouter.texts.model import OPEN, Kept, Purpose, State, Template, Text
from callrouter.texts.tables import texts
from infra.clock import Clock
from infra.crypto import KeyRing, SealError
from infra.sql import Database, insert_once


class Outbox:
    """Every text by its reference: what is kept once is never kept again, so that nothing is sent twice."""

    def __init__(self, database: Database, keys: KeyRing, clock: Clock) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock

    def put(
        self,
        connection: Connection,
        *,
        reference: str,
        purpose: str,
        template: str,
        to: str,
        values: Mapping[str, str],
        call_ref: str = "",
    ) -> None:
        """Have a text sent once this transaction is committed. The same ``reference`` again changes nothing."""
        key, now = self._keys.new_data_key(), self._clock.now()
        secret = json.dumps({"to": to, "values": dict(values)}).encode()
        row = {
            "reference": reference, "purpose": Purpose(purpose), "template": template, "call_ref": call_ref,
            "sealed": key.seal(secret, _context(reference)), "wrapped_key": key.wrapped, "made_at": now,
            "state": State.WAITING, "provider": "", "tries": 0, "next_try_at": now, "reason": "", "changed_at": now,
        }  # fmt: skip
        connection.execute(insert_once(texts, self._database.dialect), row)

    async def due(self, limit: int) -> list[Kept]:
        """Texts that somebody should look after now, oldest first."""
        query = (
            select(texts)
            .where(texts.c.state.in_(OPEN), texts.c.next_try_at <= self._clock.now())
            .order_by(texts.c.next_try_at)
            .limit(limit)
        )
        return [_kept(row) for row in await self._database.read(lambda connection: connection.execute(query).all())]

    async def open_text(self, kept: Kept, templates: Mapping[str, Template]) -> Text | None:
        """The text itself; None if it is done, its template is no longer known, or no key opens it any more."""
        query = select(texts.c.sealed, texts.c.wrapped_key).where(texts.c.reference == kept.reference)
        row = await self._database.read(lambda connection: connection.execute(query).one())
        template = templates.get(kept.template)
        if row.wrapped_key is None or template is None:
            return None
        try:
            secret = json.loads(self._keys.unwrap(row.wrapped_key).open(row.sealed, _context(kept.reference)))
        except SealError:
            return None
        return Text(kept.reference, kept.purpose, template, secret["to"], secret["values"])

    async def move(
        self, kept: Kept, state: State, *, next_try_at: datetime, provider: str | None = None, reason: str = ""
    ) -> bool:
        """Take a text one step on; False, and nothing changed, if somebody else has meanwhile (or a receipt came)."""
        values: dict[str, Any] = {
            "state": state, "next_try_at": next_try_at, "reason": reason[:48], "changed_at": self._clock.now(),
            "provider": kept.provider if provider is None else provider, "tries": kept.tries + 1,
        }  # fmt: skip
        if state not in OPEN:
            values["wrapped_key"] = None
        as_it_was = (
            (texts.c.reference == kept.reference) & (texts.c.tries == kept.tries) & (texts.c.state == kept.state)
        )
        moved = update(texts).where(as_it_was).values(values)
        return await self._database.write(lambda connection: connection.execute(moved).rowcount == 1)

    async def receipt(self, reference: str, provider: str, outcome: State, reason: str) -> Kept | None:
        """What a provider tells of a text; returns it as it is now, None if it tells nothing new (or of none of ours).

        A receipt may overtake our own word that the text was taken. After *delivered* nothing else counts.
        """
        ours = texts.c.reference == reference
        before = _BEFORE[outcome]
        moved = (
            update(texts)
            .where(ours, texts.c.provider == provider, texts.c.state.in_(before))
            .values(state=outcome, reason=reason[:48], changed_at=self._clock.now(), wrapped_key=None,
                    tries=texts.c.tries + 1)
        )  # fmt: skip

        def work(connection: Connection) -> Row[Any] | None:
            if connection.execute(moved).rowcount != 1:
                return None
            return connection.execute(select(texts).where(ours)).one()

        row = await self._database.write(work)
        return _kept(row) if row is not None else None

    async def of_call(self, call_ref: str) -> Sequence[Kept]:
        """Every text of a call, oldest first."""
        query = select(texts).where(texts.c.call_ref == call_ref).order_by(texts.c.made_at)
        return [_kept(row) for row in await self._database.read(lambda connection: connection.execute(query).all())]


_BEFORE = {
    State.SENT: (*OPEN, State.GIVEN_UP),
    State.FAILED: (*OPEN, State.GIVEN_UP, State.SENT),
    State.DELIVERED: (*OPEN, State.GIVEN_UP, State.SENT, State.FAILED),
}
"""States that a receipt's outcome is news in."""


def _context(reference: str) -> bytes:
    return f"text:{reference}".encode()


def _kept(row: Row[Any]) -> Kept:
    return Kept(
        row.reference, Purpose(row.purpose), row.template, row.call_ref, State(row.state), row.provider, row.tries,
        row.made_at, row.reason,
    )  # fmt: skip
