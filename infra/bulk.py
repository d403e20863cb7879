"""Many new rows at once: COPY on PostgreSQL, which spares binding and running an INSERT for each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asyncpg import PostgresError  # type: ignore[import-untyped]
from sqlalchemy import Connection, Table, insert
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
