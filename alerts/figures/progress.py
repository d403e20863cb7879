"""Until when the history of figures is counted, so that whoever shows it can say how old it is."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from alerts.figures.history_tables import kpi_progress
from infra.sql import Database

Stage = Literal["read", "rolled"]
"""``read``: the rows of calls hold what was told; ``rolled``: hours and days hold what those rows add up to."""


async def note_progress(database: Database, stage: Stage, at: datetime) -> None:
    """Everything that was told before ``at`` has come so far. It never goes back."""
    insert = (postgresql.insert if database.dialect == "postgresql" else sqlite.insert)(kpi_progress)
    newer = insert.on_conflict_do_update(
        index_elements=[kpi_progress.c.name],
        set_={"at": insert.excluded.at},
        where=kpi_progress.c.at < insert.excluded.at,
    )
    await database.write(lambda connection: connection.execute(newer, {"name": stage, "at": at}))


def counted_until(connection: Connection) -> datetime | None:
    """Everything that was told before is in the history; None where nobody has said so yet."""
    known = {row.name: row.at for row in connection.execute(select(kpi_progress))}
    return min(known.values()) if known.keys() >= {*get_args(Stage)} else None
