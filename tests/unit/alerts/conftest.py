"""What tests of alerts share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alerts.life.store import metadata
from infra.sql import Database, connect_database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """One with the tables of alerts, and nothing in them."""
    database = connect_database(f"sqlite:///{tmp_path}/alerts.db")
    await database.write(metadata.create_all)
    yield database
    await database.close()
