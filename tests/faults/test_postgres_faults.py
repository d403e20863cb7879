"""PostgreSQL down, slow, locked, read-only or full while callers ring: the real service on a real server.

In each of them: the callers get on, a plan is "unavailable" and never "none", an earlier call is "ER" and never "no",
every event waits in the stream and lands later, in order and once, and the service heals without a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from callrouter import events as ev
from callrouter.journal import journal as journal_table
from callrouter.model import Arrival, Input, InputKind, Reply
from callrouter.running import running
from callrouter.settings import Settings
from callrouter.wiring import Service, build
from careplans.rows import Row
from infra.bus import Entry
from infra.migrate import upgrade_database
from infra.numbers import read_number
from infra.postgres import LOOK_UPS, READERS, WRITERS
from infra.sql import connect_database
from ivr.model import GatherWait, LegWait
from tests.postgres import Postgres, own_postgres

pytestmark = pytest.mark.alone

NUMBER = "+447700900123"
HEALS_S = 90.0
"""The longest pauses of ours are 5 s; the rest is for a busy machine."""
REFUSED_S = 1.0
"""An entry that is this old and not in the journal was refused: it takes a quarter of a second else."""
ANSWER_S = 10.0
"""A caller's step takes two budgets of 250 ms at most; the rest is for a busy machine."""
MOST_FIT = 60
"""Calls whose rows surely do not fit into the last pages of the tables: some 2 KiB each."""
PLAN = Row(
    2,
    {
        "plan_id": "P1", "source": "Universal Care Plan", "author_org": "Demo Hospice", "kind": "end of life care plan",
        "nhs_number": "9990000018", "given_name": "Edith", "family_name": "Example", "date_of_birth": "1938-04-12",
        "phones": NUMBER, "handler_line": "Stay on the line.", "detail": "None.", "valid_from": "2024-05-04",
        "version": 1,
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server of this file's own: it comes to harm."""
    with own_postgres() as server:
        yield server


@dataclass
class House:
    """The service, callers, and what the stream has told."""

    service: Service
    url: str
    told: dict[str, list[Entry]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def call(self) -> tuple[str, Reply]:
        """A caller who presses 1 and is put through; fails if that takes long. The reply offers them to a person."""
        call_ref = f"call-{next(self._numbers)}"
        arrival = Arrival("test", "111", read_number(NUMBER))
        async with asyncio.timeout(ANSWER_S):
            asked = await self._tell(call_ref, InputKind.STARTED, arrival=arrival)
            reply = await self._tell(call_ref, InputKind.DIGIT, "1", wait_id=asked.wait_id)
            if isinstance(reply.wait, GatherWait):  # "have you called twice before?"
                reply = await self._tell(call_ref, InputKind.DIGIT, "2", wait_id=reply.wait_id)
        assert isinstance(reply.wait, LegWait)
        return call_ref, reply

    async def end(self, call_ref: str) -> None:
        """They talk, and the caller hangs up."""
        await self._tell(call_ref, InputKind.LEG_ANSWERED, "agent")
        await self._tell(call_ref, InputKind.TALK_ENDED, "normal caller")
        await self._tell(call_ref, InputKind.HUNG_UP, "caller hung_up")

    async def _tell(
        self, call_ref: str, kind: InputKind, value: str = "", *, wait_id: str = "", arrival: Arrival | None = None
    ) -> Reply:
        given = Input(f"{kind}-{value}", kind, self.service.clock.now(), wait_id, value, arrival=arrival)
        return await self.service.calls.handle(call_ref, given)

    async def listen(self) -> None:
        """Take what the stream has for the test."""
        while batch := await self.service.stores.stream.read("test", limit=500, wait_s=0):
            for _, entry in batch:
                self.told.setdefault(entry.call_ref, []).append(entry)
            await self.service.stores.stream.acknowledge("test", [position for position, _ in batch])

    async def outcomes(self, call_ref: str) -> dict[str, str]:
        """What each look-up of a call came to."""
        await self.listen()
        entries = self.told[call_ref]
        key = self.service.keys.unwrap(entries[0].wrapped_key or b"")
        found: dict[str, str] = {}
        for entry in entries:
            secret = key.open(entry.sealed, f"journal:{call_ref}:{entry.seq}".encode()) if entry.sealed else None
            event = ev.join(entry.kind, entry.facts, secret)
            if isinstance(event, ev.LookedUp):
                found[event.what] = event.outcome
        return found

    async def journal(self) -> dict[str, list[tuple[int, str]]]:
        """What the journal holds, in the order in which it was written down for each call."""
        query = select(journal_table).order_by(journal_table.c.at, journal_table.c.seq)
        rows = await self.service.database.read(lambda connection: connection.execute(query).all())
        found: dict[str, list[tuple[int, str]]] = {}
        for row in rows:
            found.setdefault(row.call_ref, []).append((row.seq, row.kind))
        return found

    async def everything_has_landed(self) -> bool:
        """Whether every event of every call is in the journal, in order, each once."""
        await self.listen()
        told = {call: [(entry.seq, entry.kind) for entry in entries] for call, entries in self.told.items()}
        return await self.journal() == told

    async def events_wait(self) -> bool:
        """Whether the writer has entries in hand that it cannot write down."""
        return self.service.writer.lag_s(self.service.clock.now()) > REFUSED_S

    async def a_new_caller_is_known(self) -> bool:
        call_ref, _ = await self.call()
        await self.end(call_ref)
        return await self.outcomes(call_ref) == {"plan": "candidates", "repeat": "PRC"}


async def soon(what: Callable[[], Awaitable[bool]]) -> None:
    """Until it is so: the service has no event for "healed"; asked twice a second."""
    deadline = time.monotonic() + HEALS_S
    while True:
        with contextlib.suppress(SQLAlchemyError):  # while the server is away, so is the journal
            if await what():
                return
        if time.monotonic() > deadline:
            assert await what()
            return
        await asyncio.sleep(0.5)


@contextlib.asynccontextmanager
async def housed(url: str, folder: Path) -> AsyncIterator[House]:
    """The service on this database, with one plan and two earlier calls of the caller."""
    database = connect_database(url)
    await upgrade_database(database)
    await database.close()
    service = build(Settings(data_dir=folder, database_url=url))
    await service.stores.stream.join("test")
    async with running(service):
        house = House(service, url)
        assert (await service.plans.load([PLAN])).imported == 1
        for _ in range(2):
            call_ref, _ = await house.call()
            await house.end(call_ref)
        await soon(house.everything_has_landed)
        await soon(house.a_new_caller_is_known)
        await soon(house.everything_has_landed)
        yield house


async def callers_get_on(house: House, *, plan: str = "unavailable", repeat: str = "ER") -> None:
    """Three callers during the fault are put through, and what could not be looked up is said to be unknown."""
    for _ in range(3):
        call_ref, _ = await house.call()
        await house.end(call_ref)
        outcomes = await house.outcomes(call_ref)
        assert outcomes.pop("messages", "0") == "0"  # from memory; a caller who is raised is not asked about them
        assert outcomes == {"plan": plan, "repeat": repeat}
    await soon(house.events_wait)


async def heals(house: House) -> None:
    """Everything lands, and the next callers are known again: no restart."""
    await soon(house.everything_has_landed)
    await soon(house.a_new_caller_is_known)
    await soon(house.everything_has_landed)


async def test_down_and_back(server: Postgres, tmp_path: Path) -> None:
    async with housed(server.new_database(), tmp_path) as house:
        server.stop()
        await callers_get_on(house)
        server.start()
        await heals(house)


@pytest.mark.slow
async def test_frozen_without_a_word(server: Postgres, tmp_path: Path) -> None:
    async with housed(server.new_database(), tmp_path) as house:
        server.freeze()
        try:
            await callers_get_on(house)
        finally:
            server.thaw()
        await heals(house)


@pytest.mark.slow
async def test_tables_locked_longer_than_the_budget(server: Postgres, tmp_path: Path) -> None:
    url = server.new_database()
    async with housed(url, tmp_path) as house:
        lock = "LOCK TABLE plans, encounters, journal, calls IN ACCESS EXCLUSIVE MODE"
        with server.session(url) as other:
            other.sql(f"BEGIN; {lock}")
            await callers_get_on(house)
        await heals(house)


@pytest.mark.slow
async def test_read_only_as_a_standby(server: Postgres, tmp_path: Path) -> None:
    """Look-ups still answer; nothing can be written, and waits."""
    async with housed(server.new_database(), tmp_path) as house:
        before = await house.journal()
        server.read_only(True)
        try:
            await callers_get_on(house, plan="candidates", repeat="PRC")
            assert await house.journal() == before
            assert not await house.everything_has_landed()
        finally:
            server.read_only(False)
        await heals(house)


@pytest.mark.slow
async def test_disk_full(server: Postgres, tmp_path: Path) -> None:
    """The tables' disk is full: look-ups still answer; nothing can be written, and waits."""
    try:
        server.small_disk("small", megabytes=24)
    except PermissionError as reason:
        pytest.skip(f"NO SMALL DISK: {reason}")
    url = server.new_database("TABLESPACE small")
    async with housed(url, tmp_path) as house:
        fill(server, url)
        for _ in range(MOST_FIT):  # what fits into pages that are there is still written
            await house.end((await house.call())[0])
        await callers_get_on(house, plan="candidates", repeat="PRC")
        assert not await house.everything_has_landed()
        server.sql("DROP TABLE filler", url)
        await heals(house)


def fill(server: Postgres, url: str) -> None:
    """Until nothing more fits."""
    server.sql("CREATE TABLE filler (x text); ALTER TABLE filler ALTER x SET STORAGE EXTERNAL", url)
    for octets in (1_000_000, 8_000):
        with pytest.raises(AssertionError, match="No space left on device"):
            put_until_refused(server, f"INSERT INTO filler SELECT repeat('x', {octets})", url)


def put_until_refused(server: Postgres, insert: str, url: str) -> None:
    for _ in range(1000):
        server.sql(insert, url)


@pytest.mark.slow
async def test_pool_is_whole_after_many_given_up_look_ups(server: Postgres, tmp_path: Path) -> None:
    url = server.new_database()
    async with housed(url, tmp_path) as house:
        with server.session(url) as other:
            other.sql("BEGIN; LOCK TABLE plans IN ACCESS EXCLUSIVE MODE")
            number = read_number(NUMBER)
            for _ in range(5):
                given_up = [asyncio.ensure_future(house.service.plans.match_number(number)) for _ in range(20)]
                await asyncio.wait(given_up, timeout=0.1)
                for each in given_up:
                    each.cancel()
                await asyncio.gather(*given_up, return_exceptions=True)
        await heals(house)
        ours = "FROM pg_stat_activity WHERE application_name = 'callrouter' AND datname = current_database()"
        assert int(server.sql(f"SELECT count(*) {ours}", url)) <= 2 * LOOK_UPS + READERS + WRITERS
