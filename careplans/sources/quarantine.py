"""Records that could not be read: kept sealed, with the reasons, until they come again and are right."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update

from careplans.model import Plan
from careplans.rows import Gone, RecordId, Row, read_id, read_nhs_number
from careplans.screening import BadRow
from careplans.sealing import Sealer
from careplans.sources.model import Quarantined
from careplans.sources.tables import plan_quarantine as table
from careplans.sources.tables import plan_runs
from careplans.tables import ended_plans
from careplans.withdrawing import ERASED
from infra.bulk import one_of
from infra.crypto import KeyRing, SealError

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Unread:
    """A record of the quarantine, opened; ``known`` is what it says of its plan."""

    id: str
    source: str
    known: RecordId = field(repr=False)
    values: Mapping[str, Any] = field(repr=False)


class Quarantine:
    """The quarantine of all sources, within the transaction of whoever calls."""

    def __init__(self, keyring: KeyRing) -> None:
        self._keyring = keyring
        self._sealer = Sealer(keyring)

    def keep(
        self,
        connection: Connection,
        source: str,
        system: str | None,
        run: int,
        bad: Sequence[BadRow],
        now: datetime,
        *,
        loaded: bool = False,
    ) -> None:
        """Keep these records; one that is there already is written anew and counted.

        ``loaded``: their plans are stored without what could not be read. One that was erased, in this version or a
        newer one, is not kept again; nor does one that came late take the place of a newer version.
        """
        for each in bad:
            known = read_id(each.row.values, system)
            if self._is_erased(connection, known):
                continue
            keys = self._hashes(*_identity(each, known.source, known.plan_id))
            values = {
                "run": run,
                "line": each.row.line,
                "faults": json.dumps([[fault.field, fault.reason] for fault in each.faults]),
                "last_at": now,
                "record": keys[0],
                "nameless": known.plan_id is None,
                "version": known.version,
                "loaded": loaded,
            }
            same = (table.c.source == source, table.c.record.in_(keys))
            stored = connection.execute(select(table.c.id, table.c.times, table.c.version).where(*same)).first()
            if stored is not None and None not in (stored.version, known.version) and stored.version > known.version:
                continue
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

    def release_question(self, connection: Connection, source: str, question: str) -> None:
        """What ``source`` could not be asked it was asked now: nobody needs to see to it any more."""
        if question:
            keys = self._hashes(*_identity(BadRow(Row(0, {}, question), ()), "", None))
            connection.execute(delete(table).where(table.c.source == source, table.c.record.in_(keys)))

    def completed(self, connection: Connection, source: str, run: int, whole: Iterable[Plan]) -> set[tuple[str, str]]:
        """Which of these plans (source, its id there) were loaded in part by an earlier run, in this version."""
        kept = (table.c.source == source, table.c.loaded, table.c.run != run)
        if connection.execute(select(table.c.id).where(*kept).limit(1)).first() is None:
            return set()
        asked = {
            (record, each.version): (each.source, each.plan_id)
            for each in whole
            for record in self._hashes(each.source, each.plan_id)
        }
        records = {record for record, _ in asked}
        query = select(table.c.record, table.c.version).where(*kept, one_of(connection, table.c.record, records))
        return {asked[found.record, found.version] for found in connection.execute(query) if tuple(found) in asked}

    def forget_nameless(self, connection: Connection, source: str, run: int) -> None:
        """A full list was read to its end: records without an id that it lacks are corrected, or gone."""
        of_others = (table.c.source == source, table.c.run != run, table.c.nameless)
        connection.execute(delete(table).where(*of_others))

    def about(
        self, connection: Connection, plans: Collection[tuple[str, str]], nhs_numbers: Collection[str]
    ) -> list[Unread]:
        """The records that name one of these plans (source, its id there), or give one of these NHS numbers."""
        if not plans and not nhs_numbers:
            return []
        found = []
        for unread in self._opened(connection):
            if (unread.known.source, unread.known.plan_id) in plans or read_nhs_number(unread.values) in nhs_numbers:
                found.append(unread)
        return found

    def _opened(self, connection: Connection) -> Iterator[Unread]:
        """All of them; one that does not open is passed over, and logged: nobody can read it, nor say whose it is."""
        columns = (table.c.id, table.c.source, table.c.wrapped_key, table.c.content, plan_runs.c.system)
        query = select(*columns).join_from(table, plan_runs, table.c.run == plan_runs.c.id, isouter=True)
        for row in connection.execute(query).all():
            try:
                said = self._keyring.unwrap(row.wrapped_key).open(row.content, _context(row.id))
            except SealError:
                _log.error("quarantined_record_unreadable", record=row.id)
                continue
            values = json.loads(said)
            yield Unread(row.id, row.source, read_id(values, row.system), values)

    def _is_erased(self, connection: Connection, known: RecordId) -> bool:
        if known.plan_id is None or known.version is None:
            return False
        c = ended_plans.c
        same = c.identity.in_(self._sealer.identities(known.source, known.plan_id))
        erased = select(c.id).where(same, c.why == ERASED, c.version >= known.version)
        return connection.execute(erased).first() is not None

    def _hashes(self, source: str, record: str) -> tuple[str, ...]:
        return self._keyring.index_all("plan-quarantine", json.dumps([source, record]))

    def _sealed(self, row: str, bad: BadRow) -> dict[str, bytes]:
        key = self._keyring.new_data_key()
        said = json.dumps(bad.row.values, default=str).encode()
        return {"wrapped_key": key.wrapped, "content": key.seal(said, _context(row))}


def _context(row: str) -> bytes:
    return f"{row}/quarantine".encode()


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
            row.first_at, row.last_at, row.times, row.loaded,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def destroy(connection: Connection, records: Sequence[str]) -> None:
    """Put zeros over the keys of these where they lie, then take them away: SQLite leaves what a deleted row held."""
    where = table.c.id.in_(records)
    lengths = connection.execute(select(table.c.id, func.length(table.c.wrapped_key)).where(where)).all()
    if lengths:
        zeros = update(table).where(table.c.id == bindparam("row")).values(wrapped_key=bindparam("zeros"))
        connection.execute(zeros, [{"row": row, "zeros": bytes(length)} for row, length in lengths])
        connection.execute(delete(table).where(where))
