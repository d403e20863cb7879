"""Records that could not be read: kept sealed, with the reasons, until they come again and are right."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, or_, select, update

from careplans.model import Plan
from careplans.rows import Gone, read_id
from careplans.screening import BadRow
from careplans.sources.model import Quarantined
from careplans.sources.tables import plan_quarantine as table
from infra.crypto import KeyRing


class Quarantine:
    """The quarantine of all sources, within the transaction of whoever calls."""

    def __init__(self, keyring: KeyRing) -> None:
        self._keyring = keyring

    def keep(
        self, connection: Connection, source: str, system: str | None, run: int, bad: Sequence[BadRow], now: datetime
    ) -> None:
        """Keep these records; one that is there already is written anew and counted."""
        for each in bad:
            known = read_id(each.row.values, system)
            keys = self._hashes(*_identity(each, known.source, known.plan_id))
            values = {
                "run": run,
                "line": each.row.line,
                "faults": json.dumps([[fault.field, fault.reason] for fault in each.faults]),
                "last_at": now,
                "record": keys[0],
                "nameless": known.plan_id is None,
                "version": known.version,
            }
            same = (table.c.source == source, table.c.record.in_(keys))
            stored = connection.execute(select(table.c.id, table.c.times).where(*same)).first()
            if stored is None:
                row = secrets.token_hex(16)
                new = {"id": row, "source": source, "first_at": now, "times": 1}
                connection.execute(insert(table).values(**values, **new, **self._sealed(row, each)))
            else:
                again = {"times": stored.times + 1, **self._sealed(stored.id, each)}
                connection.execute(update(table).where(table.c.id == stored.id).values(**values, **again))

    def release(self, connection: Connection, source: str, right: Iterable[Plan | Gone]) -> None:
        """What came again and is right leaves, unless what is kept is of a newer version."""
        if connection.execute(select(table.c.id).where(table.c.source == source).limit(1)).first() is None:
            return
        for each in right:
            keys = self._hashes(each.source, each.plan_id)
            not_newer = or_(table.c.version.is_(None), table.c.version <= each.version)
            connection.execute(delete(table).where(table.c.source == source, table.c.record.in_(keys), not_newer))

    def forget_nameless(self, connection: Connection, source: str, run: int) -> None:
        """A full list was read to its end: records without an id that it lacks are corrected, or gone."""
        of_others = (table.c.source == source, table.c.run != run, table.c.nameless)
        connection.execute(delete(table).where(*of_others))

    def _hashes(self, source: str, record: str) -> tuple[str, ...]:
        return self._keyring.index_all("plan-quarantine", json.dumps([source, record]))

    def _sealed(self, row: str, bad: BadRow) -> dict[str, bytes]:
        key = self._keyring.new_data_key()
        said = json.dumps(bad.row.values, default=str).encode()
        return {"wrapped_key": key.wrapped, "content": key.seal(said, f"{row}/quarantine".encode())}


def _identity(bad: BadRow, source: str, plan_id: str | None) -> tuple[str, str]:
    if plan_id is not None:
        return source, plan_id
    return "", json.dumps([bad.row.values, bad.row.fault], default=str)


def quarantined(connection: Connection, source: str | None, most: int) -> list[Quarantined]:
    """What is kept, newest first; of one source or of all."""
    query = select(table).order_by(table.c.last_at.desc(), table.c.source, table.c.line).limit(most)
    if source is not None:
        query = query.where(table.c.source == source)
    return [
        Quarantined(
            row.id, row.source, row.run, row.line, tuple((name, why) for name, why in json.loads(row.faults)),
            row.first_at, row.last_at, row.times,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def discard(connection: Connection, record: str) -> bool:
    """A person has seen to it: destroy what is kept and its key. Says whether it was there."""
    return connection.execute(delete(table).where(table.c.id == record)).rowcount > 0
