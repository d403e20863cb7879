"""The journal: every event of every call, append only, in SQL, personal fields sealed with the call's key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from sqlalchemy import JSON, Column, Index, Integer, LargeBinary, MetaData, String, Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from callrouter.events import Event, Recorded, join, split
from infra.bus import Entry, EventStream
from infra.crypto import DataKey, KeyRing
from infra.sql import UtcDateTime

metadata = MetaData()
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


class Journal:
    """Reading and writing the journal's tables."""

    def __init__(self, engine: AsyncEngine, keys: KeyRing) -> None:
        self._engine = engine
        self._keys = keys
        self._insert = (postgresql if engine.dialect.name == "postgresql" else sqlite).insert

    async def write(self, entries: Sequence[Entry]) -> None:
        """Append entries in one transaction. An entry that is already there is left as it is."""
        if not entries:
            return
        rows = [
            {
                "call_ref": e.call_ref,
                "seq": e.seq,
                "at": e.at,
                "kind": e.kind,
                "facts": e.facts,
                "sealed": e.sealed,
            }
            for e in entries
        ]
        first = [e for e in entries if e.wrapped_key is not None]
        async with self._engine.begin() as connection:
            await connection.execute(self._insert(journal).on_conflict_do_nothing(), rows)
            if first:
                await self._write_calls(connection, first)

    async def _write_calls(self, connection: AsyncConnection, first: Sequence[Entry]) -> None:
        rows = [
            {
                "call_ref": e.call_ref,
                "context": e.facts["context"],
                "offered_at": e.at,
                "wrapped_key": e.wrapped_key,
            }
            for e in first
        ]
        await connection.execute(self._insert(calls).on_conflict_do_nothing(), rows)

    async def read(self, call_ref: str) -> list[Recorded]:
        """All events of a call in order, personal fields opened if the call's key still exists."""
        of_call = select(journal).where(journal.c.call_ref == call_ref).order_by(journal.c.seq)
        async with self._engine.connect() as connection:
            wrapped = (
                await connection.execute(select(calls.c.wrapped_key).where(calls.c.call_ref == call_ref))
            ).scalar_one_or_none()
            rows = (await connection.execute(of_call)).mappings().all()
        key = self._keys.unwrap(wrapped) if wrapped is not None else None
        return [
            Recorded(call_ref, row["seq"], row["at"], join(row["kind"], row["facts"], self._open(row, key)))
            for row in rows
        ]

    def _open(self, row: object, key: DataKey | None) -> bytes | None:
        sealed, call_ref, seq = row["sealed"], row["call_ref"], row["seq"]  # type: ignore[index]
        return key.open(sealed, _context(call_ref, seq)) if key is not None and sealed is not None else None

    async def entries_since(self, start: datetime) -> AsyncIterator[Entry]:
        """Every entry of the journal from ``start`` on, in the order of time, without what is personal."""
        query = select(journal).where(journal.c.at >= start).order_by(journal.c.at, journal.c.seq)
        async with self._engine.connect() as connection:
            async for row in await connection.stream(query):
                yield Entry(row.call_ref, row.seq, row.at, row.kind, row.facts)

    async def unended(self, since: datetime) -> list[str]:
        """References of the calls offered from ``since`` on whose end is not in the journal."""
        ended = select(journal.c.call_ref).where(journal.c.kind == "ended", journal.c.at >= since)
        query = select(calls.c.call_ref).where(calls.c.offered_at >= since, calls.c.call_ref.not_in(ended))
        async with self._engine.connect() as connection:
            return list((await connection.execute(query)).scalars())

    async def newest(self, limit: int) -> list[str]:
        """References of the newest calls, newest first."""
        query = select(calls.c.call_ref).order_by(calls.c.offered_at.desc()).limit(limit)
        async with self._engine.connect() as connection:
            return list((await connection.execute(query)).scalars())

    async def call_of_context(self, context: str) -> str | None:
        """The call that was handed over under this context id."""
        query = select(calls.c.call_ref).where(calls.c.context == context)
        async with self._engine.connect() as connection:
            return (await connection.execute(query)).scalar_one_or_none()


class JournalWriter:
    """Moves entries from the stream to the journal: in batches, in order, each once, for as long as it runs."""

    GROUP = "journal"
    BATCH = 500  # entries in one transaction; at 20 a call this is the work of 25 calls

    def __init__(self, stream: EventStream, journal: Journal) -> None:
        self._stream = stream
        self._journal = journal
        self._oldest: datetime | None = None
        stream.join(self.GROUP)

    def lag_s(self, now: datetime) -> float:
        """How old the oldest entry is that was read and is not yet in the journal; 0 when none waits."""
        return max(0.0, (now - self._oldest).total_seconds()) if self._oldest is not None else 0.0

    async def step(self, wait_s: float) -> int:
        """Write what waits, at most one batch; returns how many entries that was."""
        batch = await self._stream.read(self.GROUP, limit=self.BATCH, wait_s=wait_s)
        if batch:
            self._oldest = batch[0][1].at
            await self._journal.write([entry for _, entry in batch])
            await self._stream.acknowledge(self.GROUP, batch[-1][0])
        self._oldest = None
        return len(batch)

    async def drain(self) -> None:
        """Write everything that waits now."""
        while await self.step(0):
            pass
