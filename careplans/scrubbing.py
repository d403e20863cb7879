"""Keys that were destroyed leave the database's files, too: after the transaction, as far as nobody has to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

import structlog
from sqlalchemy import Column, Connection
from sqlalchemy.exc import SQLAlchemyError

from infra.scrubbing import pages_of, rewrite_pages
from infra.sql import Database
from infra.sqlite import LogNotCut

Pages: TypeAlias = dict[Column[str], list[int]]
"""Where rows lay that are gone: by a column of their table, its pages."""
TRIES = 30
PAUSE_S = 1.0
"""A command waits half a minute in all: longer than any page or look-up reads, shorter than people wait for nothing."""
WAITING = f"done; but somebody reads the database, so a destroyed key stays in its log: trying for {TRIES} s"
OUT = "nobody reads it any more: the key has left the log"
LEFT = (
    "the key stays in the log until nobody reads: a service that runs takes it out within the hour, "
    "else `callrouter plan expire` does"
)
log = structlog.get_logger()


def lying(connection: Connection, rows: Mapping[Column[str], Sequence[str]]) -> Pages:
    """Where the rows with these values lie; to be asked in the transaction that takes them away, before it does."""
    return {column: pages_of(connection, column, values) for column, values in rows.items() if values}


class Scrubber:
    """Has what lay in some pages leave the files. What fails is logged: what is destroyed is destroyed all the same."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.log_left = False
        """Whether a reader kept SQLite's log from being cut, the last time."""

    async def scrub(self, pages: Pages) -> None:
        """To be called once the transaction is committed that took away what lay there."""
        if not pages:
            return
        try:
            await self._database.scrub({column.table.name for column in pages})
            if any(pages.values()):
                await self._database.write(partial(_rewrite, pages=pages))
            self.log_left = False
        except SQLAlchemyError as error:
            # what stays are octets that the database's next clean-up takes
            self.log_left = isinstance(error, LogNotCut)
            log.warning("erased_rows_not_scrubbed", error=type(error).__name__)

    async def cut_log(self) -> bool:
        """Take out of SQLite's log what anybody's erased rows left there; says whether nothing is left.

        On PostgreSQL there is no such log that could be cut, and nothing is done.
        """
        if self._database.dialect != "sqlite":
            return True
        try:
            await self._database.scrub(())
            self.log_left = False
        except SQLAlchemyError:
            self.log_left = True
        return not self.log_left

    async def wait_for_readers(
        self, tell: Callable[[str], None], sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        """For a command, which ends: try again, :data:`TRIES` times, and ``tell`` how that ends."""
        if not self.log_left:
            return
        tell(WAITING)
        for _ in range(TRIES):
            await sleep(PAUSE_S)
            if await self.cut_log():
                tell(OUT)
                return
        tell(LEFT)


def _rewrite(connection: Connection, pages: Pages) -> None:
    for column, found in pages.items():
        rewrite_pages(connection, column, found)
