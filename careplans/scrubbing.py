"""Keys that were destroyed leave the database's files, too: after the transaction, as far as nobody has to wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeAlias

import structlog
from sqlalchemy import Column, Connection
from sqlalchemy.exc import SQLAlchemyError

from infra.scrubbing import pages_of, rewrite_pages
from infra.sql import Database

Pages: TypeAlias = dict[Column[str], list[int]]
"""Where rows lay that are gone: by a column of their table, its pages."""
log = structlog.get_logger()


def lying(connection: Connection, rows: Mapping[Column[str], Sequence[str]]) -> Pages:
    """Where the rows with these values lie; to be asked in the transaction that takes them away, before it does."""
    return {column: pages_of(connection, column, values) for column, values in rows.items() if values}


async def scrub(database: Database, pages: Pages) -> None:
    """Have what lay there leave the files. What fails is logged: what is destroyed is destroyed all the same."""
    if not pages:
        return
    try:
        await database.scrub({column.table.name for column in pages})
        if any(pages.values()):
            await database.write(partial(_rewrite, pages=pages))
    except SQLAlchemyError as error:
        # what stays are octets that the database's next clean-up takes
        log.warning("erased_rows_not_scrubbed", error=type(error).__name__)


def _rewrite(connection: Connection, pages: Pages) -> None:
    for column, found in pages.items():
        rewrite_pages(connection, column, found)
