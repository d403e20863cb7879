"""Databases with today's tables, copied from one that was migrated: a tenth of the time of the migrations."""

from __future__ import annotations

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from infra.migrate import upgrade_database
from infra.sql import connect_database
from tests.postgres import Postgres


class Migrated:
    """One migrated database of each kind, of which every test gets a copy."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "migrated.db"
        self._template = ""

    def sqlite(self, folder: Path) -> str:
        """The address of a copy in ``folder``."""
        if not self._file.exists():
            _migrate(f"sqlite:///{self._file}")
        shutil.copy(self._file, folder / "migrated.db")
        return f"sqlite:///{folder}/migrated.db"

    def postgresql(self, server: Postgres) -> str:
        """The address of a copy on ``server``."""
        if not self._template:
            url = server.new_database()
            _migrate(url)
            self._template = url.rpartition("/")[2]
        return server.new_database(f"TEMPLATE {self._template} STRATEGY FILE_COPY")


def _migrate(url: str) -> None:
    async def upgrade() -> None:
        database = connect_database(url)
        await upgrade_database(database)
        await database.close()

    # a fixture may be made within a running loop, which cannot wait for another
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, upgrade()).result()
