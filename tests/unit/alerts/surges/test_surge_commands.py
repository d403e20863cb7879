"""``callrouter surges`` in a database of its own: what is printed, and that no count of a place is."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerts.surges.model import Found, Screened, Series, Step
from alerts.surges.store import ProposalStore
from callrouter.cli.surges import app
from callrouter.errors import ConfigurationError
from infra.migrate import upgrade_database
from infra.sql import connect_database
from tests.surge_past import write_past

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def proposal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of one that Pia watches."""
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(tmp_path))
    return asyncio.run(_made(tmp_path))


async def _made(folder: Path) -> str:
    database = connect_database(f"sqlite:///{folder}/callrouter.db")
    await upgrade_database(database)
    await database.write(lambda connection: write_past(connection, NOW, days=2))
    store = ProposalStore(database)
    found = Found(Series("cold_or_flu", "bromley"), "hourly", "surge", NOW - timedelta(hours=3), 8.25, 1)
    await store.record(Screened(NOW, 6, 6, (found,), frozenset()))
    (made,) = await store.recent(NOW)
    await store.move(made.id, {"open"}, "watched", Step(NOW, "watched", "u-1", "public_health", name="Pia"))
    await database.close()
    return made.id


def said(*words: str) -> list[str]:
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout.splitlines()


def test_proposals_and_who_did_what_with_them(proposal: str) -> None:
    line = f"{proposal} watched surge cold_or_flu bromley {NOW - timedelta(hours=3):%Y-%m-%dT%H:%MZ} 8.2"
    assert said("list") == [line]
    assert said("show", proposal) == [line, f"{NOW:%Y-%m-%dT%H:%MZ} watched by Pia (u-1), public_health"]
    with pytest.raises(ConfigurationError, match="no proposal none"):
        said("show", "none")


def test_a_look_by_hand_keeps_and_learns_nothing(proposal: str) -> None:
    before = said("list")
    assert said("screen") == ["0 of 6 series judged, 0 unusual", "not judged: 6: less than 4 weeks were counted"]
    assert said("screen", "--at", "2020-01-01T10:00+00:00") == ["0 of 0 series judged, 0 unusual"]
    assert said("list") == before
    with pytest.raises(ConfigurationError, match="a time with its zone"):
        said("screen", "--at", "2026")
