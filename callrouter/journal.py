"""The journal: every event of every call, append only, in SQL, personal fields sealed with the call's key."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain, count
from typing import Any

import structlog
from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Executable,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Select,
    String,
    Table,
    bindparam,
    func,
    select,
    tuple_,
)

from callrouter.events import Ended, Event, LateInput, Recorded, join, split
from infra.bulk import one_of
from infra.bus import Entry, EventStream
from infra.changes import change_each
from infra.crypto import DataKey, KeyRing, SealError
from infra.partitions import MONTHS_AHEAD, make_months, months_from
from infra.sql import Database, UtcDateTime, insert_once
from infra.sqlite_look_ups import fetch_in
from ivr.model import InputKind

metadata = MetaData()
# on PostgreSQL partitioned by month, with ``at`` in the key, too: migration 0002 says why that is the same
journal = Table(
    "journal",
    metadata,
    Column("call_ref", String(64), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("facts", JSON, nullable=False),
    Column("sealed", LargeBinary),
    Index("journal_by_time", "at"),
)
calls = Table(
    "calls",
    metadata,
    Column("call_ref", String(64), primary_key=True),
    Column("context", String(32), nullable=False, unique=True),
    Column("offered_at", UtcDateTime, nullable=False),
    Column("wrapped_key", LargeBinary),  # destroyed at the end of retention; the rows stay
    Index("calls_by_time", "offered_at"),
)


def seal(event: Event, call_ref: str, seq: int, at: datetime, key: DataKey) -> Entry:
    """An event as an entry of the stream, its personal fields sealed to this call and place."""
    clear, secret = split(event)
    sealed = key.seal(secret, _context(call_ref, seq)) if secret is not None else None
    return Entry(call_ref, seq, at, event.kind, clear, sealed, key.wrapped if seq == 1 else None)


def unseal(entry: Entry, keys: KeyRing) -> Event:
    """The event of a call's first entry, which carries the call's key, with its personal fields."""
    if entry.sealed is None or entry.wrapped_key is None:
        return join(entry.kind, entry.facts)
    secret = keys.unwrap(entry.wrapped_key).open(entry.sealed, _context(entry.call_ref, entry.seq))
    return join(entry.kind, entry.facts, secret)


def _context(call_ref: str, seq: int) -> bytes:
    return f"journal:{call_ref}:{seq}".encode()


log = structlog.get_logger()

_LOCK = 0x43A13  # any number that no other advisory lock of this database has

LONGEST_APART = timedelta(days=1)
"""Between two tellings of one event: no call lasts longer. It keeps the look to one or two months' partitions."""


_ENTRY = (journal.c.call_ref, journal.c.seq, journal.c.at, journal.c.kind, journal.c.facts)


@lru_cache(maxsize=8)
def _told_of_one(kinds: int) -> Select[Any]:
    """The entries of one call that are of one of so many kinds."""
    is_one = journal.c.kind.in_([bindparam(f"kind{n}") for n in range(kinds)])
    of_call = select(*_ENTRY).where(journal.c.call_ref == bindparam("call_ref"), is_one)
    return of_call.where(journal.c.at >= bindparam("since")).order_by(journal.c.seq)


class Journal:
    """Reading and writing the journal's tables."""

    CHUNK = 1000  # entries read at once: some ten milliseconds, so that look-ups beside them hardly wait

    def __init__(self, database: Database, keys: KeyRing) -> None:
        self._database = database
        self._keys = keys
        self._insert_entries = insert_once(journal, database.dialect)
        self._insert_calls = insert_once(calls, database.dialect)

    async def write(self, entries: Sequence[Entry]) -> None:
        """Append entries in one transaction. An entry that is already there is left as it is.

        It is there if its call and number are: two processes that moved one call while the state store was away may
        tell of the same step at two times. Each may tell an end, too: :func:`_to_write` says which one stands.
        """
        if not entries:
            return
        first = [
            {
                "call_ref": e.call_ref,
                "context": e.facts["context"],
                "offered_at": e.at,
                "wrapped_key": e.wrapped_key,
            }
            for e in entries
            if e.wrapped_key is not None
        ]

        def append(connection: Connection) -> None:
            if self._database.dialect == "postgresql":  # a lease is no lock: a writer that hung may be at work, too
                connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            # where the time is no part of the key, the key itself tells what is there, but for calls that end
            told = [e for e in entries if e.kind == Ended.kind or self._database.dialect == "postgresql"]
            new = _to_write(entries, _there(connection, told))
            change_each(connection, self._insert_entries, new)
            change_each(connection, self._insert_calls, first)

        await self._database.write(append)

    async def settled(self, entries: Sequence[Entry]) -> set[tuple[str, int]]:
        """Call and number of those that are not waited for: their number is there, of an end any end of their call."""
        there = await self._database.read(lambda connection: _there(connection, entries))

        def is_settled(entry: Entry) -> bool:
            numbers = there.get(entry.call_ref, {})
            return Ended.kind in numbers.values() if entry.kind == Ended.kind else entry.seq in numbers

        return {(each.call_ref, each.seq) for each in entries if is_settled(each)}

    async def read(self, call_ref: str) -> list[Recorded]:
        """All events of a call in order, personal fields opened if the call's key still exists."""
        of_call = select(journal).where(journal.c.call_ref == call_ref).order_by(journal.c.seq)
        its_key = select(calls.c.wrapped_key).where(calls.c.call_ref == call_ref)

        def work(connection: Connection) -> tuple[bytes | None, Sequence[Row[Any]]]:
            return connection.execute(its_key).scalar_one_or_none(), connection.execute(of_call).all()

        wrapped, rows = await self._database.read(work)
        key = self._keys.unwrap(wrapped) if wrapped is not None else None
        return [Recorded(call_ref, row.seq, row.at, join(row.kind, row.facts, _open(row, key))) for row in rows]

    async def sealed(self, event: Event, call_ref: str, seq: int, at: datetime) -> Entry | None:
        """An event of a call that may be over, as an entry of the stream; None while the journal has no such call.

        Once its key is destroyed, what is personal is left out.
        """
        query = select(calls.c.wrapped_key).where(calls.c.call_ref == call_ref)
        rows = await self._all(query)
        if not rows:
            return None
        if rows[0].wrapped_key is None:
            return Entry(call_ref, seq, at, event.kind, split(event)[0])
        return seal(event, call_ref, seq, at, self._keys.unwrap(rows[0].wrapped_key))

    async def told(self, refs: Collection[str], kinds: Collection[str], since: datetime) -> list[Entry]:
        """The events of these calls and kinds from ``since`` on, by call in order, without what is personal."""

        def read(connection: Connection) -> Iterable[Sequence[Any]]:
            if connection.dialect.name != "sqlite":
                query = select(*_ENTRY).where(journal.c.kind.in_(kinds), journal.c.at >= since)
                ordered = query.order_by(journal.c.call_ref, journal.c.seq)
                return connection.execute(ordered.where(one_of(connection, journal.c.call_ref, refs))).all()
            asked = {"since": since} | {f"kind{n}": kind for n, kind in enumerate(kinds)}
            of_one = _told_of_one(len(kinds))
            return [row for ref in sorted(refs) for row in fetch_in(connection, of_one, asked | {"call_ref": ref})]

        return [Entry(*row) for row in await self._database.read(read)]

    async def entries_since(self, start: datetime) -> AsyncIterator[Entry]:
        """Every entry of the journal from ``start`` on, in the order of time, without what is personal.

        Read in chunks; an entry that is written meanwhile may be among them or not.
        """
        place = tuple_(journal.c.at, journal.c.seq, journal.c.call_ref)
        entries = select(*_ENTRY).order_by(*place).limit(self.CHUNK)
        rows = await self._all(entries.where(journal.c.at >= start))
        while rows:
            for row in rows:
                yield Entry(row.call_ref, row.seq, row.at, row.kind, row.facts)
            last = rows[-1]
            # the first condition says nothing new, but finds its place in the index of time
            beyond = (journal.c.at >= last.at) & (place > (last.at, last.seq, last.call_ref))
            rows = await self._all(entries.where(beyond))

    async def unended(self, since: datetime) -> list[str]:
        """References of the calls offered from ``since`` on whose end is not in the journal."""
        ended = select(journal.c.call_ref).where(journal.c.kind == "ended", journal.c.at >= since)
        query = select(calls.c.call_ref).where(calls.c.offered_at >= since, calls.c.call_ref.not_in(ended))
        return [row.call_ref for row in await self._all(query)]

    async def newest(self, limit: int) -> list[str]:
        """References of the newest calls, newest first."""
        query = select(calls.c.call_ref).order_by(calls.c.offered_at.desc()).limit(limit)
        return [row.call_ref for row in await self._all(query)]

    async def offered_between(self, start: datetime, end: datetime, limit: int | None) -> list[str]:
        """References of the calls offered from ``start`` until before ``end``; of too many the newest ``limit``."""
        within = (calls.c.offered_at >= start) & (calls.c.offered_at < end)
        query = select(calls.c.call_ref).where(within).order_by(calls.c.offered_at.desc()).limit(limit)
        return [row.call_ref for row in await self._all(query)]

    async def call_of_context(self, context: str) -> str | None:
        """The call that was handed over under this context id."""
        query = select(calls.c.call_ref).where(calls.c.context == context)
        return next((row.call_ref for row in await self._all(query)), None)

    async def make_months(self, now: datetime) -> list[str]:
        """Make the partitions of this month and the next, where the journal has any; returns those that are new."""
        if self._database.dialect != "postgresql":
            return []
        months = months_from(now, MONTHS_AHEAD)
        return await self._database.write(lambda connection: make_months(connection, "journal", "at", months))

    async def _all(self, query: Executable) -> Sequence[Row[Any]]:
        return await self._database.read(lambda connection: connection.execute(query).all())


_THERE = select(journal.c.call_ref, journal.c.seq, journal.c.kind).where(
    journal.c.at.between(bindparam("since"), bindparam("until"))
)
_THERE_OF_ONE = _THERE.where(journal.c.call_ref == bindparam("call_ref"))


def _there(connection: Connection, entries: Sequence[Entry]) -> dict[str, dict[int, str]]:
    """What the journal has of these entries' calls: the kind of each number, at whatever time."""
    if not entries:
        return {}
    times, refs = [entry.at for entry in entries], {entry.call_ref for entry in entries}
    span = {"since": min(times) - LONGEST_APART, "until": max(times) + LONGEST_APART}
    rows: Iterable[Sequence[Any]]
    if connection.dialect.name == "sqlite":  # a question costs little there, and putting one together much
        rows = chain.from_iterable(fetch_in(connection, _THERE_OF_ONE, span | {"call_ref": ref}) for ref in refs)
    else:
        rows = connection.execute(_THERE.where(journal.c.call_ref.in_(refs)), span)
    found: dict[str, dict[int, str]] = {}
    for call_ref, seq, kind in rows:
        found.setdefault(call_ref, {})[seq] = kind
    return found


def _to_write(entries: Sequence[Entry], there: dict[str, dict[int, str]]) -> list[dict[str, Any]]:
    """The rows that are not ``there``: of each number the first that is told, and of each call one end.

    An end of a call that has one is the late input that it is, so that no number is missing. One whose number another
    event has, of another process' telling, gets the next that is free: the caller has gone all the same.
    """
    rows = []
    for entry in entries:
        numbers = there.setdefault(entry.call_ref, {})
        seq, kind, facts = entry.seq, entry.kind, entry.facts
        if kind == Ended.kind and Ended.kind not in numbers.values():
            seq = next(number for number in count(seq) if number not in numbers)
        elif seq in numbers:
            continue
        elif kind == Ended.kind:
            kind, facts = LateInput.kind, split(LateInput(wait_id="", input=InputKind.HUNG_UP))[0]
        if (seq, kind) != (entry.seq, entry.kind):
            log.warning(
                "end_told_apart", call_ref=entry.call_ref, seq=entry.seq, end_class=entry.facts.get("end_class")
            )
        numbers[seq] = kind
        rows.append(
            {"call_ref": entry.call_ref, "seq": seq, "at": entry.at, "kind": kind, "facts": facts,
             "sealed": entry.sealed}
        )  # fmt: skip
    return rows


def _open(row: Row[Any], key: DataKey | None) -> bytes | None:
    if key is None or row.sealed is None:
        return None
    try:
        return key.open(row.sealed, _context(row.call_ref, row.seq))
    except SealError:
        # sealed by a process that began the same call while the state store was away: its key was not kept
        log.error("entry_sealed_otherwise", call_ref=row.call_ref, seq=row.seq)
        return None


class JournalWriter:
    """Moves entries from the stream to the journal: in batches, in order, each once, for as long as it runs."""

    GROUP = "journal"
    BATCH = 500  # entries in one transaction; at 20 a call this is the work of 25 calls
    TRIED_S = 15.0  # longer than the longest pause between two tries that fail

    def __init__(self, stream: EventStream, journal: Journal) -> None:
        self._stream = stream
        self._journal = journal
        self._oldest: datetime | None = None
        self._steps = 0
        self._stepped_at = 0.0

    async def join(self) -> None:
        """Become a reader: what is appended from here on will be written."""
        await self._stream.join(self.GROUP)

    def lag_s(self, now: datetime) -> float:
        """How old the oldest entry is that was read and is not yet in the journal; 0 when none waits.

        Of what was not read it knows nothing (:class:`callrouter.parts.Going` does). 0, too, when this writer has not
        tried for a while: another process writes in its stead.
        """
        tries = self._steps > 0 or time.monotonic() - self._stepped_at < self.TRIED_S
        return max(0.0, (now - self._oldest).total_seconds()) if self._oldest is not None and tries else 0.0

    async def step(self, wait_s: float) -> int:
        """Write what waits, at most one batch; returns how many entries that was."""
        self._steps += 1
        try:
            return await self._write(wait_s)
        finally:
            self._steps -= 1
            self._stepped_at = time.monotonic()

    async def _write(self, wait_s: float) -> int:
        batch = await self._stream.read(self.GROUP, limit=self.BATCH, wait_s=wait_s)
        if batch:
            self._oldest = min(entry.at for _, entry in batch)
            await self._journal.write([entry for _, entry in batch])
            await self._stream.acknowledge(self.GROUP, [position for position, _ in batch])
        self._oldest = None
        return len(batch)

    async def drain(self) -> None:
        """Write everything that waits now."""
        while await self.step(0):
            pass
