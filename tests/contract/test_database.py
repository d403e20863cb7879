"""The promises of a database, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Callable

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, bindparam, insert, literal_column, select, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from infra.sql import Database, connect_database, insert_once
from infra.turns import Turns

TABLES = MetaData()
things = Table("things", TABLES, Column("id", Integer, primary_key=True))
FROM = select(things.c.id).where(things.c.id >= bindparam("least")).order_by(things.c.id)
MANY = 40  # more than any pool holds
SLEEP_S = 20.0  # longer than anybody waits
SLEEP = select(literal_column(f"pg_sleep({SLEEP_S:g})"))
AT_ONCE = 12  # more than there are connections for look-ups, few enough for a busy machine


@pytest.fixture
async def database(empty_database: Database) -> Database:
    await empty_database.write(TABLES.create_all)
    return empty_database


def ids(connection: Connection) -> list[int]:
    return list(connection.execute(select(things.c.id).order_by(things.c.id)).scalars())


def put(*numbers: int) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        for number in numbers:
            connection.execute(insert(things), {"id": number})

    return work


async def test_what_was_written_is_read(database: Database) -> None:
    await database.write(put(1, 2))
    assert await database.read(ids) == [1, 2]


async def test_a_write_that_fails_changes_nothing(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await database.write(put(1, 2, 2))
    assert await database.read(ids) == []


async def test_what_the_work_itself_raises_comes_out_and_changes_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        connection.execute(insert(things), {"id": 1})
        raise LookupError("of the work's own")

    with pytest.raises(LookupError, match="of the work's own"):
        await database.write(work)
    assert await database.read(ids) == []


async def test_a_row_that_is_there_is_left_as_it_is(database: Database) -> None:
    once = insert_once(things, database.dialect)
    for _ in range(2):
        await database.write(lambda connection: connection.execute(once, [{"id": 1}, {"id": 2}]))
    assert await database.read(ids) == [1, 2]


async def test_look_ups_that_are_given_up_leave_no_connection_behind(database: Database) -> None:
    await database.read(ids)
    given_up = [asyncio.create_task(database.read(ids)) for _ in range(MANY)]
    await asyncio.sleep(0)  # they have begun
    for task in given_up:
        task.cancel()
    ended = await asyncio.gather(*given_up, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in ended)
    assert await asyncio.gather(*(database.read(ids) for _ in range(MANY))) == [[]] * MANY


async def test_a_look_up_gives_the_rows_of_its_query_in_order(database: Database) -> None:
    await database.write(put(3, 1, 2))
    assert [tuple(row) for row in await database.look_up(FROM, {"least": 2})] == [(2,), (3,)]
    assert not await database.look_up(FROM, {"least": 4})


async def test_look_ups_by_the_shortest_way_that_are_given_up_leave_it_open(database: Database) -> None:
    await database.write(put(1))
    given_up = [asyncio.create_task(database.look_up(FROM, {"least": 1})) for _ in range(AT_ONCE)]
    for at, task in enumerate(given_up):
        if at % 4 == 0:
            await asyncio.sleep(0)  # some have begun, some wait for a connection
        task.cancel()
    ended = await asyncio.gather(*given_up, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in ended)
    found = await asyncio.gather(*(database.look_up(FROM, {"least": 1}) for _ in range(AT_ONCE)))
    assert [list(map(tuple, rows)) for rows in found] == [[(1,)]] * AT_ONCE


async def test_what_hangs_in_one_lane_keeps_nobody_waiting_in_another(database: Database) -> None:
    await database.write(put(1))
    if database.dialect != "postgresql":
        pytest.skip("nothing hangs in a file")
    hanging = [asyncio.create_task(database.look_up(SLEEP, {}, lane="hanging")) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)  # they have begun
    async with asyncio.timeout(SLEEP_S):
        assert [tuple(row) for row in await database.look_up(FROM, {"least": 1}, lane="other")] == [(1,)]
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_look_ups_that_are_going_on_are_answered_when_it_is_closed(database: Database) -> None:
    await database.write(put(1))
    asked = [asyncio.create_task(database.look_up(FROM, {"least": 1})) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)  # they have begun
    await database.close()
    assert [list(map(tuple, rows)) for rows in await asyncio.gather(*asked)] == [[(1,)]] * AT_ONCE


async def test_a_look_up_whose_connections_the_server_has_closed_is_answered_all_the_same(database: Database) -> None:
    await database.write(put(1))
    await asyncio.gather(*(database.look_up(FROM, {"least": 1}) for _ in range(AT_ONCE)))
    if database.dialect == "postgresql":
        away = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND pid <> pg_backend_pid()")  # fmt: skip
        await database.write(lambda connection: connection.execute(away).all())
    assert len(await database.look_up(FROM, {"least": 1})) == 1


async def test_a_look_up_in_a_table_that_was_changed_meanwhile_is_answered(database: Database) -> None:
    await database.write(put(1))
    assert len(await database.look_up(FROM, {"least": 1})) == 1
    await database.maintain(lambda connection: connection.execute(text("ALTER TABLE things ADD COLUMN more TEXT")))
    assert len(await database.look_up(FROM, {"least": 1})) == 1


async def test_a_look_up_that_fails_is_an_error_of_sql_and_the_next_goes_on(database: Database) -> None:
    await database.maintain(things.drop)
    for _ in range(MANY):
        with pytest.raises(SQLAlchemyError):
            await database.look_up(FROM, {"least": 1})
    await database.maintain(things.create)
    assert not await database.look_up(FROM, {"least": 1})


async def test_who_asks_again_and_again_is_told_the_newest_each_time(database: Database) -> None:
    first = FROM.limit(1)  # a value that the query brings itself
    for least in (3, 2, 1):
        assert not await database.poll(FROM.where(things.c.id < bindparam("most")), {"least": 1, "most": least})
        await database.write(put(least))
        assert [tuple(row) for row in await database.poll(first, {"least": 1})] == [(least,)]


async def test_who_asks_again_and_again_goes_on_after_an_error_and_after_a_close(database: Database) -> None:
    await database.maintain(things.drop)
    for _ in range(MANY):
        with pytest.raises(SQLAlchemyError):
            await database.poll(FROM, {"least": 1})
    await database.maintain(things.create)
    assert not await database.poll(FROM, {"least": 1})
    await database.close()
    assert not await database.poll(FROM, {"least": 1})


async def test_a_write_that_is_cancelled_is_whole_or_not_at_all(database: Database) -> None:
    for first in range(0, MANY, 2):
        task = asyncio.create_task(database.write(put(first, first + 1)))
        for _ in range(first // 2):  # cancelled a little later each time
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await database.write(put(1000))
    found = (await database.read(ids))[:-1]
    assert [each + 1 for each in found[::2]] == found[1::2]


async def test_many_at_once_are_all_done(database: Database) -> None:
    await asyncio.gather(*(database.write(put(number)) for number in range(MANY)))
    assert await database.read(ids) == list(range(MANY))


async def test_a_caller_who_writes_does_not_wait_for_writers_who_wait_for_the_caller(database: Database) -> None:
    """A transaction is one piece: it keeps no connection and no lock while it waits for its turn."""
    turns, begun = Turns(3600.0), asyncio.Event()
    here = asyncio.get_running_loop()

    def twice(number: int) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            put(number)(connection)
            here.call_soon_threadsafe(begun.set)
            put(MANY + number)(connection)

        return work

    writers = [asyncio.create_task(turns.giving_way(database.write(twice(number)))) for number in range(AT_ONCE)]
    await begun.wait()
    with turns.caller():
        await database.write(put(2 * MANY))
    await asyncio.gather(*writers)
    assert len(await database.read(ids)) == 2 * AT_ONCE + 1


async def test_it_may_be_closed_twice_and_is_then_used_again(database: Database) -> None:
    await database.write(put(1))
    await database.close()
    await database.close()
    assert await database.read(ids) == [1]


async def test_what_takes_its_time_takes_none_of_the_callers(database: Database) -> None:
    def work(connection: Connection) -> tuple[int, list[int]]:
        return threading.get_ident(), ids(connection)

    await database.write(put(1))
    for long in (database.study, database.maintain):
        thread, found = await long(work)
        assert (thread == threading.get_ident(), found) == (False, [1])


async def test_a_study_that_is_cancelled_ends_and_others_go_on(database: Database) -> None:
    begun = threading.Event()

    def endless(connection: Connection) -> None:
        for _ in range(500):
            begun.set()
            ids(connection)

    study = asyncio.create_task(database.study(endless))
    await asyncio.to_thread(begun.wait)
    study.cancel()
    with pytest.raises(asyncio.CancelledError):
        await study
    await database.maintain(put(2))
    assert await database.study(ids) == [2]


async def test_a_missing_table_is_an_error_of_sql(database: Database) -> None:
    await database.maintain(things.drop)
    with pytest.raises(SQLAlchemyError):
        await database.read(ids)


async def test_an_error_quotes_no_value(database: Database) -> None:
    again = insert(things).values(id=424242)
    await database.write(lambda connection: connection.execute(again))
    with pytest.raises(IntegrityError) as raised:
        await database.write(lambda connection: connection.execute(again))
    assert "424242" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://u:zzsecret@h/d", "sqlite://", "sqlite:///:memory:"])
def test_an_address_of_something_else_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="expected sqlite:///file or postgresql://") as raised:
        connect_database(url)
    assert "zzsecret" not in str(raised.value)
