"""Whoever follows a revision sees every change, on SQLite and on PostgreSQL; kept rows stay as they are."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from infra.revisions import Follower, advance
from infra.sql import Database


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


async def test_a_thing_without_a_revision_is_an_error(database: Database) -> None:
    with pytest.raises(LookupError):
        await database.write(lambda connection: advance(connection, "nothing"))


@pytest.mark.parametrize("statement", ["UPDATE flow_steps SET step = 'other'", "DELETE FROM flow_steps"])
async def test_what_was_done_stays_on_record(database: Database, statement: str) -> None:
    await database.write(insert)
    with pytest.raises(SQLAlchemyError):
        await database.write(lambda connection: connection.execute(text(statement)))
    assert await database.read(count) == 1
