"""PostgreSQL tables that are partitioned by month: ``journal_2026_11`` beside ``journal_default``.

A month of its own can be dropped or put away whole at the end of its retention, and the indexes that are written to
stay small. The default partition takes whatever no month was made for, so that nothing is ever refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection

MONTHS_AHEAD = 3
"""This month and the next two: nobody has to be there when a month begins."""
_LOCK = 0x43A11  # any number that no other advisory lock of this database has


def months_from(start: datetime, count: int) -> list[datetime]:
    """The first instants (UTC) of ``count`` months, from that of ``start`` on."""
    start = start.astimezone(UTC)
    first = start.year * 12 + start.month - 1
    numbers = (divmod(first + more, 12) for more in range(count))
    return [datetime(year, month + 1, 1, tzinfo=UTC) for year, month in numbers]


def make_months(connection: Connection, table: str, column: str, months: Sequence[datetime]) -> list[str]:
    """Make the partitions of ``months`` that are missing, in the transaction of ``connection``; returns their names.

    Rows of such a month that the default partition holds are moved. Others who do the same wait for each other.
    """
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    made = []
    for month in months:
        name = f"{table}_{month:%Y_%m}"
        if connection.exec_driver_sql(f"SELECT to_regclass('{name}')").scalar() is None:
            _make(connection, table, column, name, month)
            made.append(name)
    return made


def _make(connection: Connection, table: str, column: str, name: str, month: datetime) -> None:
    start, end = (each.isoformat() for each in months_from(month, 2))
    rest = f"{table}_default"
    # attached afterwards: CREATE … PARTITION OF would lock out everybody who reads or writes the table meanwhile
    for statement in (
        f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)",
        f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE",  # writers wait, so that none is on its way to the default
        f"INSERT INTO {name} SELECT * FROM {rest} WHERE {column} >= '{start}' AND {column} < '{end}'",  # noqa: S608
        f"DELETE FROM {rest} WHERE {column} >= '{start}' AND {column} < '{end}'",  # noqa: S608 - all names are ours
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}')",
    ):
        connection.exec_driver_sql(statement)
