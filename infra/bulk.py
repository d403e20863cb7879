"""Many rows at once on PostgreSQL: COPY in place of INSERTs, one array in place of hundreds of values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from asyncpg import PostgresError  # type: ignore[import-untyped]
from sqlalchemy import Column, ColumnElement, Connection, String, Table, any_, insert, literal
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.util import await_only

FEWEST = 10
"""Rows below which an INSERT costs no more."""


def insert_many(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert ``rows``, which all have the same columns, in the transaction of ``connection``.

    On PostgreSQL something must have been asked in it before: only that begins it.
    """
    if connection.dialect.name != "postgresql" or len(rows) < FEWEST:
        connection.execute(insert(table), list(rows))
        return
    driver: Any = connection.connection.driver_connection
    columns = list(rows[0])
    records = [tuple(row[name] for name in columns) for row in rows]
    try:
        await_only(driver.copy_records_to_table(table.name, records=records, columns=columns))
    except PostgresError as error:
        error.detail = error.context = None  # they quote the values of the row
        raise


def one_of(connection: Connection, column: Column[Any], values: Collection[str]) -> ColumnElement[bool]:
    """Whether a text ``column`` is one of ``values``: hundreds that are bound one by one cost more than the search."""
    if connection.dialect.name == "postgresql":
        return column == any_(literal(list(values), ARRAY(String())))
    return column.in_(values)
