"""Records in SQL: SQLite for a laptop, PostgreSQL in production, the same tables and promises on both."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, DateTime, Insert, Select, Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from infra.postgres import PostgresDatabase
from infra.sql_address import read_address
from infra.sqlite import SqliteDatabase

T = TypeVar("T")


class Database(Protocol):
    """A database, asked by plain functions of a connection.

    Whatever fails on its side is an SQLAlchemyError, whose text holds no parameter. Look-ups never wait for a long
    write. A call that is cancelled leaves no connection behind and no half transaction: a cancelled write is done
    whole or not at all.
    """

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` returns. It only reads, soon comes to its end, and each of its queries sees the newest rows."""

    async def look_up(
        self, query: Select[Any], values: Mapping[str, object], *, lane: str = ""
    ) -> Sequence[Sequence[Any]]:
        """The rows of one query that a caller waits for, columns in their order: the shortest way there is.

        ``query`` is one object for every call, since it is put into SQL once. Its values, each a ``bindparam`` of one
        value, and its columns are of types that need no work of ours: text, numbers, octets, dates, instants in UTC,
        truth. What hangs in one ``lane`` keeps nobody waiting in another.
        """

    async def poll(self, query: Select[Any], values: Mapping[str, object] | None = None) -> Sequence[Sequence[Any]]:
        """The rows of one query as :meth:`look_up` takes them, asked every few seconds or more often, of which nearly
        always there are none or few: nobody waits for its answer.

        What is asked so often is in memory. SQLite answers in the loop itself, at a sixth of the CPU of a thread.
        """

    async def write(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` returns, once its transaction is committed; if it raises, nothing was changed."""

    async def maintain(self, work: Callable[[Connection], T]) -> T:
        """As :meth:`write`, for work that may take its time: on tables themselves, or that computes much.

        It runs in a thread of its own, so that no caller of this process waits for it.
        """

    async def study(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` returns, which reads one state of the database for as long as it needs.

        It has a connection and a thread of its own, so that nobody waits for it, and may make temporary tables.
        """

    async def scrub(self, tables: Collection[str]) -> None:
        """Have what deleted rows of these tables held leave the files, as far as that keeps nobody waiting.

        SQLite: the log is written back into the file, where zeros were put over it. PostgreSQL: VACUUM, which leaves
        alone what an older transaction may still read; see :mod:`infra.scrubbing` for what stays in a page. Raises
        SQLAlchemyError also where it was left undone: where the server only warns, as it does a role that does not own
        the tables, and where a reader keeps SQLite's log from being cut.
        """

    async def close(self) -> None:
        """Finish what has begun and give all connections back."""


def connect_database(url: str) -> Database:
    """The database at an address that :func:`read_address` takes. Nothing is connected before it is asked."""
    address = read_address(url)
    if address.get_backend_name() == "postgresql":
        return PostgresDatabase(address)
    return SqliteDatabase(address)


async def ask_database(database: Database) -> None:
    """A question that costs nothing, for whoever watches whether the database answers."""
    await database.read(lambda connection: connection.execute(text("SELECT 1")))


def insert_once(table: Table, dialect: str) -> Insert:
    """An INSERT that leaves a row as it is that is already there."""
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Refuses naive datetimes; gives back UTC on SQLite, which forgets the zone, too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        """To SQLite as text in one step: each event of each call has a time."""
        return _text_of if dialect.name == "sqlite" else super().bind_processor(dialect)

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else _utc(value)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a stored instant needs a time zone")
    return value.astimezone(UTC)


def _text_of(value: datetime | None) -> str | None:
    """As SQLAlchemy writes it: in UTC, microseconds always, so that texts sort as the instants do."""
    return None if value is None else _utc(value).replace(tzinfo=None).isoformat(" ", "microseconds")
