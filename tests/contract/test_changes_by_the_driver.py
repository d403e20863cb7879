"""What the driver writes by itself is what SQLAlchemy would have written, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, StatementError

from infra.changes import change_each
from infra.sql import Database, UtcDateTime, insert_once

TABLES = MetaData()
notes = Table(
    "notes",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("facts", JSON),
    Column("sealed", LargeBinary),
    Column("seen", Boolean, nullable=False),
    Column("words", String(40), nullable=False, server_default="none"),
)
AT = datetime(2026, 3, 29, 2, 30, 0, 1, tzinfo=timezone(timedelta(hours=1)))
ONE = {"id": 1, "at": AT, "facts": {"a": [1, "é"]}, "sealed": b"\0\xff", "seen": True}
OTHER = {"id": 2, "at": AT, "facts": {}, "sealed": None, "seen": False}
READ = [{**each, "at": AT.astimezone(UTC), "words": "none"} for each in (ONE, OTHER)]


@pytest.fixture
async def database(empty_database: Database) -> Database:
    await empty_database.write(TABLES.create_all)
    return empty_database


async def rows(database: Database) -> list[dict[str, Any]]:
    query = select(notes).order_by(notes.c.id)
    return [dict(each._mapping) for each in await database.read(lambda connection: connection.execute(query).all())]


async def test_rows_come_back_as_they_were_given(database: Database) -> None:
    once = insert_once(notes, database.dialect)
    for _ in range(2):
        await database.write(lambda connection: change_each(connection, once, [ONE, OTHER]))
    assert await rows(database) == READ
    await database.write(lambda connection: change_each(connection, once, []))
    assert await rows(database) == READ


async def test_rows_are_changed_by_what_names_them(database: Database) -> None:
    by_id = update(notes).where(notes.c.id == bindparam("which"))

    def work(connection: Connection) -> None:
        change_each(connection, insert(notes), [ONE, OTHER])
        change_each(connection, by_id, [{"which": 2, "facts": {"b": None}, "words": "two"}])

    await database.write(work)
    assert await rows(database) == [READ[0], {**READ[1], "facts": {"b": None}, "words": "two"}]


async def test_of_many_rows_each_is_there_once_and_the_first_of_two_counts(database: Database) -> None:
    many = [{**ONE, "id": number, "words": f"row {number}"} for number in range(75)]  # more than go together
    again = [{**ONE, "id": number, "words": "again"} for number in (3, 74, 75, 75)]
    once = insert_once(notes, database.dialect)
    await database.write(lambda connection: change_each(connection, once, [*many, *again]))
    words = [each["words"] for each in await rows(database)]
    assert words == [*(f"row {number}" for number in range(75)), "again"]


async def test_one_that_is_refused_takes_all_with_it_and_shows_no_value(database: Database) -> None:
    secret = {**ONE, "words": "+447700900123"}

    def work(connection: Connection) -> None:
        change_each(connection, insert(notes), [OTHER])
        change_each(connection, insert(notes), [secret, secret])

    with pytest.raises(IntegrityError) as refused:
        await database.write(work)
    assert "7700" not in str(refused.value)
    assert await rows(database) == []


@pytest.mark.parametrize("unfit", [{"at": AT.replace(tzinfo=None)}, {"facts": {"number": {"+447700900123"}}}])
async def test_a_value_that_fits_no_column_is_an_error_of_the_store(database: Database, unfit: dict[str, Any]) -> None:
    with pytest.raises(StatementError) as refused:
        await database.write(lambda connection: change_each(connection, insert(notes), [OTHER, {**ONE, **unfit}]))
    assert "7700" not in str(refused.value)
    assert await rows(database) == []
