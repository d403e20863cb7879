"""What callers were asked, by version of the menu: a new one breaks those series alone whose question it changed."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, select

from alerts.surges.tables import surge_menus
from infra.sql import Database, insert_once


class Asked:
    """Versions as they are compared. ``asked``: version of the menu and signal → what stands for its question."""

    def __init__(self, asked: Mapping[tuple[str, str], str]) -> None:
        self._asked = asked

    def __call__(self, signal: str, version: str) -> str:
        """The same for two versions under which callers of the signal met the same question.

        A version of which nobody noted what it asked stands for itself: it is a break.
        """
        menu, slash, indicators = version.rpartition("/")
        asked = self._asked.get((menu, signal))
        return f"{asked}{slash}{indicators}" if asked else version


def read_asked(connection: Connection) -> Asked:
    """What was noted of every version."""
    rows = connection.execute(select(surge_menus))
    return Asked({(row.version, row.signal): row.asked for row in rows})


async def note_asked(database: Database, version: str, asked: Mapping[str, str]) -> None:
    """Keep what a version of the menu asks, by signal; again changes nothing."""
    rows = [{"version": version, "signal": signal, "asked": what} for signal, what in asked.items()]
    if rows:
        insert = insert_once(surge_menus, database.dialect)
        await database.write(lambda connection: connection.execute(insert, rows))
