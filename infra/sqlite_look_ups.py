"""Single queries to SQLite by the driver itself: the layer between is most of their CPU (docs/bench.md)."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, Connection, Select
from sqlalchemy.dialects.sqlite.pysqlite import dialect
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

_Change = Callable[[Any], Any]


class LookUps:
    """Each thread that asks has a connection of its own, made when it first does."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._mine = threading.local()
        self._all: list[sqlite3.Connection] = []

    def fetch(self, query: Select[Any], values: Mapping[str, object]) -> Sequence[Sequence[Any]]:
        """The rows of ``query``. Raises an SQLAlchemyError, whose text holds no value."""
        return _fetched(self._connection, query, values)

    def close(self) -> None:
        """End all connections; for when nobody asks. Who asks again has a new one."""
        self._mine = threading.local()
        while self._all:
            self._all.pop().close()

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if found is None:
            found = self._mine.connection = self._connect()
            self._all.append(found)
        return found


def fetch_in(connection: Connection, query: Select[Any], values: Mapping[str, object]) -> Sequence[Sequence[Any]]:
    """As :meth:`LookUps.fetch`, in the transaction of ``connection``, which is one to SQLite."""
    driver: Any = connection.connection.driver_connection
    return _fetched(lambda: driver, query, values)


def _fetched(
    connected: Callable[[], sqlite3.Connection], query: Select[Any], values: Mapping[str, object]
) -> Sequence[Sequence[Any]]:
    sql, names, changes = _compiled(query)
    given = [fixed if change is None else change(values[name]) for name, change, fixed in names]
    try:
        rows = connected().execute(sql, given).fetchall()
    except sqlite3.Error as error:
        raise DBAPIError(sql, None, error, hide_parameters=True) from error
    if not changes:
        return rows
    return [_changed(list(row), changes) for row in rows]


def _changed(row: list[Any], changes: Sequence[tuple[int, _Change]]) -> list[Any]:
    for at, change in changes:
        row[at] = change(row[at])
    return row


def _value(bound: BindParameter[Any], sqlite: Dialect) -> tuple[_Change | None, Any]:
    change = bound.type.dialect_impl(sqlite).bind_processor(sqlite) or _as_it_is
    return (change, None) if bound.required else (None, change(bound.effective_value))


def _as_it_is(value: Any) -> Any:
    return value


@lru_cache(maxsize=64)
def _compiled(
    query: Select[Any],
) -> tuple[str, tuple[tuple[str, _Change | None, Any], ...], tuple[tuple[int, _Change], ...]]:
    """The SQL of a query; its values in their order, and its columns, each with what makes it SQLite's or ours.

    A value that the query brings itself (a limit) stands there as SQLite's, without a change.
    """
    sqlite = dialect()
    compiled = query.compile(dialect=sqlite)
    names = tuple((name, *_value(compiled.binds[name], sqlite)) for name in compiled.positiontup or ())
    found = [each.type.dialect_impl(sqlite).result_processor(sqlite, None) for each in query.selected_columns]
    return str(compiled), names, tuple((at, change) for at, change in enumerate(found) if change is not None)
