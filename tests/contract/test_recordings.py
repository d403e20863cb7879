"""Recordings in the database: sealed with the key of their call, written once however often they come, and opened."""

from __future__ import annotations

import os
import struct
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from structlog.testing import capture_logs

from callrouter.events import Event, RecordingReported
from callrouter.journal import calls
from callrouter.recordings.service import Recordings
from callrouter.recordings.tables import recording_parts
from infra.crypto import KeyRing
from infra.sql import Database
from tests.hand_clock import HandClock

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CONTEXT, CALL, TALK = "c" * 32, "a" * 32, "a" * 32 + "-1"
PARTS = [b"\xd5" * 16_000, b"\x55" * 8_000]


class House:
    """Recordings of one call that the journal knows."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.told: list[tuple[str, Event]] = []
        self.forgotten = False
        """Whether the state store knows nothing of the call any more."""
        self.keys = KeyRing(os.urandom(32), os.urandom(32))
        self.recordings = Recordings(database, self.keys, HandClock(NOON), self._note)

    async def _note(self, call_ref: str, event: Event) -> bool:
        self.told.append((call_ref, event))
        return not self.forgotten

    async def begin(self) -> None:
        key = self.keys.new_data_key().wrapped
        row = {"call_ref": CALL, "context": CONTEXT, "offered_at": NOON, "wrapped_key": key}
        await self.database.write(lambda connection: connection.execute(insert(calls), row))

    async def rows(self) -> list[Any]:
        query = select(recording_parts).order_by(recording_parts.c.id)
        return list(await self.database.read(lambda connection: connection.execute(query).all()))


async def coming(*parts: bytes, broken: bool = False) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    if broken:
        raise ConnectionError


@pytest.fixture
async def house(database: Database) -> House:
    there = House(database)
    await there.begin()
    return there


async def test_what_broke_in_the_middle_comes_again_and_is_one_recording(house: House) -> None:
    with pytest.raises(ConnectionError):
        await house.recordings.keep(CONTEXT, TALK, coming(PARTS[0], broken=True))
    assert house.told == []
    for _ in range(2):
        assert await house.recordings.keep(CONTEXT, TALK, coming(*PARTS))
    (kept,) = await house.recordings.of_call(CALL)
    assert (kept.id, kept.at, kept.sound) == (TALK, NOON, b"".join(PARTS))
    told = RecordingReported(kept_by="callrouter", recording=TALK, outcome="completed", seconds=3)
    assert house.told == [(CALL, told)] * 2, "the journal takes it once"


async def test_what_has_grown_when_it_comes_again_is_kept_as_long_as_it_is(house: House) -> None:
    await house.recordings.keep(CONTEXT, TALK, coming(b"\xd5" * 8_000))
    assert await house.recordings.keep(CONTEXT, TALK, coming(*PARTS))
    assert await house.recordings.keep(CONTEXT, TALK, coming(b"\xd5" * 8_000)), "who read it before comes late"
    (kept,) = await house.recordings.of_call(CALL)
    assert (kept.sound, kept.at) == (b"".join(PARTS), NOON)


async def test_of_a_call_that_the_state_store_has_forgotten_it_is_kept_and_the_log_says_that_the_journal_has_no_word(
    house: House,
) -> None:
    house.forgotten = True
    with capture_logs() as logs:
        assert await house.recordings.keep(CONTEXT, TALK, coming(*PARTS))
    assert [(each["event"], each["recording"]) for each in logs] == [("recording_not_noted", TALK)]
    (kept,) = await house.recordings.of_call(CALL)
    assert kept.sound == b"".join(PARTS)


async def test_it_lies_there_sealed_and_with_the_key_of_the_call_it_goes(house: House) -> None:
    await house.recordings.keep(CONTEXT, TALK, coming(*PARTS))
    rows = await house.rows()
    assert len(rows) == 2
    assert not any(PARTS[n][:20] in row.sealed for n, row in enumerate(rows))
    await house.database.write(lambda connection: connection.execute(update(calls).values(wrapped_key=None)))
    assert await house.recordings.of_call(CALL) == []
    assert await house.recordings.keep(CONTEXT, TALK + "2", coming(*PARTS)), "it may be deleted"
    assert len(await house.rows()) == 2


async def test_of_a_call_that_the_journal_does_not_know_yet_nothing_is_kept(house: House) -> None:
    assert not await house.recordings.keep("d" * 32, TALK, coming(*PARTS))
    assert (await house.rows(), house.told) == ([], [])


async def test_an_empty_one_is_told_as_absent(house: House) -> None:
    assert await house.recordings.keep(CONTEXT, TALK, coming())
    assert [event for _, event in house.told] == [
        RecordingReported(kept_by="callrouter", recording=TALK, outcome="absent", seconds=0)
    ]


async def test_talks_of_one_call_are_told_apart_and_opened_as_wav(house: House) -> None:
    await house.recordings.keep(CONTEXT, TALK, coming(*PARTS))
    await house.recordings.keep(CONTEXT, "a" * 32 + "-2", coming(b"\xd5" * 8_001))
    first, second = await house.recordings.of_call(CALL)
    assert (first.id, second.id, len(second.sound)) == (TALK, "a" * 32 + "-2", 8_001)
    wav = second.as_wav
    assert (wav[:4], wav[8:16], len(wav) % 2) == (b"RIFF", b"WAVEfmt ", 0)
    assert struct.unpack("<I", wav[4:8]) == (len(wav) - 8,)
    assert struct.unpack("<HHI", wav[20:28]) == (6, 1, 8_000), "A-law, mono, 8 kHz"
