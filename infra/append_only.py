"""Rows that nobody can change or take away again, whatever the code above does: triggers, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

_FUNCTION = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'this row is kept as it is'; END $$
"""


def protect(connection: Connection, table: str, columns: Sequence[str] = ()) -> None:
    """Let rows of ``table`` only be added; with ``columns``, only these are kept as they are, and no row goes.

    The triggers go with the table. On PostgreSQL :func:`forget_protection` takes the function behind them away.
    """
    update = f"UPDATE OF {', '.join(columns)}" if columns else "UPDATE"
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_FUNCTION)
    for name, change in (("kept", update), ("stays", "DELETE")):
        does = "BEGIN SELECT RAISE(ABORT, 'this row is kept as it is'); END"
        if connection.dialect.name == "postgresql":
            does = "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        connection.exec_driver_sql(f"CREATE TRIGGER {table}_{name} BEFORE {change} ON {table} {does}")


def forget_protection(connection: Connection) -> None:
    """Once no protected table is left."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("DROP FUNCTION refuse_change()")
