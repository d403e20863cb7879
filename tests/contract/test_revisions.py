"""Whoever follows a revision sees every change, on SQLite and on PostgreSQL; kept rows stay as they are."""

from __future__ import annotations

import asyncio
import threading

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from infra.health import Health
from infra.revisions import Follower, advance
from infra.sql import Database
from tests.hand_clock import HandClock


def count(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM flow_steps")).scalar_one())


def insert(connection: Connection) -> None:
    advance(connection, "flows")
    now = "now()" if connection.dialect.name == "postgresql" else "'2026-03-28 12:00:00'"
    connection.exec_driver_sql(
        f"INSERT INTO flow_steps (at, version, step, \"by\", role, note) VALUES ({now}, 'v', 'drafted', 'a', 'r', '')"
    )


async def test_a_follower_takes_over_each_change_once(database: Database) -> None:
    seen: list[int] = []
    follower = Follower(database, "flows", count, seen.append)
    assert await follower.look()
    assert not await follower.look()
    await database.write(insert)
    await database.write(insert)
    assert await follower.look()
    assert not await follower.look()
    assert seen == [0, 2]


async def test_what_failed_is_not_taken_for_seen(database: Database) -> None:
    seen: list[int] = []
    failures = [SQLAlchemyError("not now")]

    def load(connection: Connection) -> int:
        if failures:
            raise failures.pop()
        return count(connection)

    follower = Follower(database, "flows", load, seen.append)
    with pytest.raises(SQLAlchemyError):
        await follower.look()
    assert await follower.look()
    assert seen == [0]


async def test_what_was_loaded_first_is_never_kept_last(database: Database) -> None:
    """Who loaded a live version and was slow must not overwrite its recall (nobody waits for a slow check)."""
    kept: list[int] = []
    slow, begun = threading.Event(), threading.Event()

    def keep(loaded: int) -> None:
        if loaded == 0:
            begun.set()
            assert slow.wait(20)
        kept.append(loaded)

    follower = Follower(database, "flows", count, keep)
    first = asyncio.create_task(follower.look())
    assert await asyncio.to_thread(begun.wait, 20)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await database.write(insert)
    second = asyncio.create_task(follower.look())
    await asyncio.wait([second], timeout=0.3)  # where it does not wait for the first, it has ended by now
    slow.set()
    assert await second
    async with asyncio.timeout(20):
        while len(kept) < 2:  # noqa: ASYNC110 - a thread has no event of this loop
            await asyncio.sleep(0.01)
    assert kept == [0, 1]


async def test_no_error_ends_the_following_and_health_tells(database: Database) -> None:
    seen: list[int] = []
    health = Health(HandClock())

    def load(connection: Connection) -> int:
        if (found := count(connection)) == 1:
            raise ValueError("a row that this release cannot read")
        return found

    following = asyncio.create_task(Follower(database, "flows", load, seen.append).follow(health))
    async with asyncio.timeout(30):
        while not seen:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await database.write(insert)
        while not health.failing_s():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        (part,) = health.parts()
        assert (part.name, part.state, part.why) == ("copy:flows", "failed", "ValueError")
        await database.write(insert)  # an "off" that comes after it is taken over all the same
        while not health.works("copy:flows"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert seen == [0, 2]
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_a_thing_without_a_revision_is_an_error(database: Database) -> None:
    with pytest.raises(LookupError):
        await database.write(lambda connection: advance(connection, "nothing"))


@pytest.mark.parametrize("statement", ["UPDATE flow_steps SET step = 'other'", "DELETE FROM flow_steps"])
async def test_what_was_done_stays_on_record(database: Database, statement: str) -> None:
    await database.write(insert)
    with pytest.raises(SQLAlchemyError):
        await database.write(lambda connection: connection.execute(text(statement)))
    assert await database.read(count) == 1
