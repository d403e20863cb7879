"""Keeps recordings with the calls that they are of, and opens them."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection, func, select, update

from callrouter.events import Event, RecordingReported
from callrouter.journal import calls
from callrouter.recordings.tables import recording_parts
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.sql import Database, insert_once

RATE = 8_000
"""Octets in a second of A-law (ITU-T G.711)."""
KEPT_BY = "callrouter"

Note = Callable[[str, Event], Awaitable[bool]]
"""Tells the journal of a call something that moves nothing."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Recording:
    """One talk: its id, when it was taken over, and its sound as A-law, both sides in one, 8,000 octets a second."""

    id: str
    at: datetime
    sound: bytes

    @property
    def as_wav(self) -> bytes:
        """The sound as a WAV file (RIFF; format 6, A-law, RFC 2361)."""
        kind = struct.pack("<HHIIHHH", 6, 1, RATE, RATE, 1, 8, 0)
        padding = b"\0" * (len(self.sound) % 2)
        chunks = (b"fmt ", kind), (b"fact", struct.pack("<I", len(self.sound))), (b"data", self.sound)
        body = b"WAVE" + b"".join(name + struct.pack("<I", len(data)) + data for name, data in chunks) + padding
        return b"RIFF" + struct.pack("<I", len(body)) + body


class Recordings:
    """Of one database. ``note``: how the journal hears what became of one; nothing is told where it is not given."""

    def __init__(self, database: Database, keys: KeyRing, clock: Clock, note: Note | None = None) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._note = note
        self._insert = insert_once(recording_parts, database.dialect)

    async def keep(self, context: str, recording: str, sound: AsyncIterator[bytes]) -> bool:
        """Keep the ``sound`` of a talk of the call with this context id, whole, and tell the journal.

        ``sound`` comes in parts, each a row, the same ones each time: so it may be done again, after a death in the
        middle, too. What is there stays, but for a part that has grown. False while the journal has no such call. A
        call whose key was destroyed keeps nothing any more. Raises what the database and ``sound`` raise; then some of
        it may be there.
        """
        query = select(calls.c.call_ref, calls.c.wrapped_key).where(calls.c.context == context)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return False
        if row.wrapped_key is None:
            log.warning("recording_of_an_erased_call", recording=recording)
            return True
        octets = await self._write(row.call_ref, self._keys.unwrap(row.wrapped_key).seal, recording, sound)
        told = RecordingReported(
            kept_by=KEPT_BY, recording=recording, outcome="completed" if octets else "absent", seconds=octets // RATE
        )
        if self._note is not None and not await self._note(row.call_ref, told):
            # Told before, or the state store has forgotten the call: nobody could ever tell it.
            log.warning("recording_not_noted", recording=recording)
        return True

    async def _write(
        self, call_ref: str, seal: Callable[[bytes, bytes], bytes], recording: str, sound: AsyncIterator[bytes]
    ) -> int:
        octets, number, now = 0, 0, self._clock.now()
        async for part in sound:
            name = f"{recording}.{number:06}"
            sealed = seal(part, _context(name))
            row = {"id": name, "recording": recording, "call_ref": call_ref, "at": now, "sealed": sealed}
            await self._database.write(partial(self._add, row=row))
            octets, number = octets + len(part), number + 1
        return octets

    def _add(self, connection: Connection, row: dict[str, Any]) -> None:
        sealed = recording_parts.c.sealed
        connection.execute(self._insert, row)
        grown = update(recording_parts).where(recording_parts.c.id == row["id"])
        connection.execute(grown.where(func.length(sealed) < len(row["sealed"])).values(sealed=row["sealed"]))

    async def of_call(self, call_ref: str) -> list[Recording]:
        """The recordings of a call, opened; none once its key is destroyed. Whoever asks enters it in the audit before.

        Raises :class:`infra.crypto.SealError` where one does not open.
        """
        parts = recording_parts.c
        its_key = select(calls.c.wrapped_key).where(calls.c.call_ref == call_ref)
        query = select(parts.id, parts.recording, parts.at, parts.sealed).where(parts.call_ref == call_ref)

        def read(connection: Connection) -> tuple[bytes | None, list[tuple[str, str, datetime, bytes]]]:
            rows = connection.execute(query.order_by(parts.id)).all()
            return connection.execute(its_key).scalar_one_or_none(), [(r.id, r.recording, r.at, r.sealed) for r in rows]

        wrapped, rows = await self._database.read(read)
        if wrapped is None:
            return []
        key = self._keys.unwrap(wrapped)
        found: dict[str, tuple[datetime, list[bytes]]] = {}
        for name, recording, at, sealed in rows:
            found.setdefault(recording, (at, []))[1].append(key.open(sealed, _context(name)))
        return [Recording(recording, at, b"".join(sound)) for recording, (at, sound) in found.items()]


def _context(part: str) -> bytes:
    return f"recording:{part}".encode()
