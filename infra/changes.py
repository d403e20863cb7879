"""Changes of many rows by one statement: on SQLite by the driver itself, as single look-ups go (ADR 32)."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Insert, Update
from sqlalchemy.dialects.sqlite.pysqlite import dialect
from sqlalchemy.exc import DBAPIError, StatementError

_Change = Callable[[Any], Any]
_VALUES = re.compile(r"(?<= VALUES )\(\?(?:, \?)*\)")
_TOGETHER = 32


def change_each(connection: Connection, statement: Insert | Update, rows: Sequence[Mapping[str, Any]]) -> None:
    """Execute ``statement`` for each of ``rows``, which all have the same names, in the transaction of ``connection``.

    ``statement`` is one object for every call, since it is put into SQL once; no value of its own may stand in it, and
    no column may have a default that is not the database's. Raises an SQLAlchemyError, whose text holds no value.
    """
    if not rows:
        return
    if connection.dialect.name != "sqlite":
        connection.execute(statement, list(rows))
        return
    sql, names = _compiled(statement, tuple(rows[0]))
    try:
        given = [[row[name] if change is None else change(row[name]) for name, change in names] for row in rows]
    except Exception as error:  # noqa: BLE001 - whatever a column's type finds wrong with a value
        unfit = ValueError(f"a value does not fit its column: {type(error).__name__}")  # its own words may quote it
        raise StatementError(str(unfit), sql, None, unfit, hide_parameters=True) from unfit
    driver: Any = connection.connection.driver_connection
    try:
        for some in _portions(given):
            if isinstance(statement, Insert):
                driver.execute(_for_rows(sql, len(some)), [value for row in some for value in row]).close()
            else:
                driver.executemany(sql, some).close()
    except sqlite3.Error as error:
        raise DBAPIError.instance(sql, None, error, sqlite3.Error, hide_parameters=True) from error


@lru_cache(maxsize=64)
def _compiled(
    statement: Insert | Update, columns: tuple[str, ...]
) -> tuple[str, tuple[tuple[str, _Change | None], ...]]:
    """The SQL of a statement for these names, and the names in its order, each with what makes its value SQLite's."""
    sqlite = dialect()
    compiled = statement.compile(dialect=sqlite, column_keys=list(columns), for_executemany=True)
    types = {name: bound.type.dialect_impl(sqlite) for name, bound in compiled.binds.items()}
    return str(compiled), tuple((name, types[name].bind_processor(sqlite)) for name in compiled.positiontup or ())


def _portions(rows: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    """Rows in few sizes, powers of two, so that the driver keeps the statement of each."""
    begun = 0
    while left := len(rows) - begun:
        size = min(_TOGETHER, 1 << left.bit_length() - 1)
        yield rows[begun : begun + size]
        begun += size


@lru_cache(maxsize=256)
def _for_rows(sql: str, count: int) -> str:
    """An INSERT of so many rows at once.

    The driver gives the interpreter up for each row that it is handed, and whoever has work then waits for it again and
    again: as one statement the rows take it once.
    """
    return _VALUES.sub(lambda row: ", ".join([row[0]] * count), sql, count=1)
