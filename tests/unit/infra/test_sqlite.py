"""SQLite behind threads: look-ups go on beside a long write, and nothing blocks the loop."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, insert, select
from sqlalchemy.exc import OperationalError

from infra.sql import Database, connect_database
from infra.sqlite import READERS

metadata = MetaData()
things = Table("things", metadata, Column("id", Integer, primary_key=True))
SOON_S = 30


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = connect_database(f"sqlite:///{tmp_path}/things.db")
    await database.write(metadata.create_all)
    yield database
    await database.close()


def count(connection: Connection) -> int:
    return len(connection.execute(select(things.c.id)).all())


class Held:
    """Work that goes on until the test lets it go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()

    def write(self, connection: Connection) -> None:
        connection.execute(insert(things), {"id": 1})
        self.read(connection)

    def read(self, _connection: Connection) -> None:
        self.begun.set()
        assert self.let_go.wait(SOON_S)


async def test_look_ups_do_not_wait_for_a_long_write(database: Database) -> None:
    held = Held()
    writing = asyncio.create_task(database.write(held.write))
    await asyncio.to_thread(held.begun.wait, SOON_S)
    assert await database.read(count) == 0
    held.let_go.set()
    await writing
    assert await database.read(count) == 1


async def test_the_loop_does_not_wait_for_a_file_that_is_locked(tmp_path: Path) -> None:
    """Another program may hold the whole file; a thread waits for it, and callers are heard meanwhile."""
    file = tmp_path / "locked.db"
    holder = sqlite3.connect(file, isolation_level=None)
    for statement in ("CREATE TABLE things (id INTEGER)", "INSERT INTO things VALUES (7)", "BEGIN EXCLUSIVE"):
        holder.execute(statement)
    database = connect_database(f"sqlite:///{file}")
    asked = asyncio.create_task(database.poll(select(things.c.id)))
    await asyncio.sleep(0)  # it has begun
    assert not asked.done(), "the loop had to wait for an answer"
    holder.execute("COMMIT")
    holder.close()
    assert list(await asked) == [(7,)]
    await database.close()


async def test_look_ups_do_not_wait_for_a_long_read(database: Database) -> None:
    held = [Held() for _ in range(READERS - 1)]
    reading = [asyncio.create_task(database.read(each.read)) for each in held]
    assert await database.read(count) == 0
    for each in held:
        each.let_go.set()
    await asyncio.gather(*reading)


async def test_a_look_up_that_is_given_up_before_its_turn_is_never_made(database: Database) -> None:
    held, made = [Held() for _ in range(READERS)], threading.Event()
    reading = [asyncio.create_task(database.read(each.read)) for each in held]
    waiting = asyncio.create_task(database.read(lambda _connection: made.set()))
    for each in held:
        await asyncio.to_thread(each.begun.wait, SOON_S)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    for each in held:
        each.let_go.set()
    await asyncio.gather(*reading)
    assert await database.read(count) == 0
    assert not made.is_set()


async def test_a_write_that_is_given_up_in_the_middle_is_done_whole(database: Database) -> None:
    held = Held()
    writing = asyncio.create_task(database.write(held.write))
    await asyncio.to_thread(held.begun.wait, SOON_S)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    held.let_go.set()
    await database.close()
    assert await database.read(count) == 1


async def test_a_read_cannot_write(database: Database) -> None:
    with pytest.raises(OperationalError, match="readonly"):
        await database.read(lambda connection: connection.execute(insert(things), {"id": 1}))
    assert await database.read(count) == 0


async def test_an_address_may_still_name_the_former_driver(tmp_path: Path, database: Database) -> None:
    same = connect_database(f"sqlite+aiosqlite:///{tmp_path}/things.db")
    await database.write(lambda connection: connection.execute(insert(things), {"id": 1}))
    assert await same.read(count) == 1
    await same.close()
