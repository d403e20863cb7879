"""The wallboard's figures follow the event stream, and say so when they cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alerts.kpi import LiveFigures
from callrouter import events as ev
from callrouter.board import STALE_S, Board
from callrouter.journal import Journal, seal
from callrouter.journal import metadata as journal_tables
from infra.bus import Entry, MemoryStream, Position
from infra.crypto import KeyRing
from infra.errors import StateUnavailable
from infra.sql import Database, connect_database
from tests.hand_clock import NOON, HandClock

KEYS = KeyRing(b"m" * 32, b"i" * 32)


class Cuttable(MemoryStream):
    """A stream that can be away."""

    is_cut = False

    async def read(self, group: str, *, limit: int, wait_s: float) -> list[tuple[Position, Entry]]:
        if self.is_cut:
            raise StateUnavailable("cut")
        return await super().read(group, limit=limit, wait_s=wait_s)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = connect_database(f"sqlite:///{tmp_path}/board.db")
    await database.write(journal_tables.create_all)
    yield database
    await database.close()


def offered(call_ref: str) -> list[Entry]:
    """The first entry of a call."""
    event = ev.Offered(
        network="sip", dialled="111", cli_class="withheld", flow="f", flow_version="1", context=f"{call_ref:0>32}",
        number=None,
    )  # fmt: skip
    return [seal(event, call_ref, 1, NOON, KEYS.new_data_key())]


async def test_figures_lack_nothing_of_journal_or_stream_and_count_once(database: Database) -> None:
    journal, stream, clock = Journal(database, KEYS), Cuttable(), HandClock()
    await stream.join("journal")
    both = offered("both")
    await journal.write(offered("before"))
    await journal.write(both)
    await stream.append([*both, *offered("not written yet")])
    board = Board(LiveFigures({}), stream, journal, clock)
    assert board.figures() is None

    await board.step(0)
    figures = board.figures()
    assert figures is not None
    assert figures.total.offered == 3


async def test_figures_are_not_shown_when_nothing_was_told_for_long_and_lack_nothing_afterwards(
    database: Database,
) -> None:
    journal, stream, clock = Journal(database, KEYS), Cuttable(), HandClock()
    await stream.join("journal")
    board = Board(LiveFigures({}), stream, journal, clock)
    await board.step(0)
    stream.is_cut = True
    with pytest.raises(StateUnavailable):
        await board.step(0)
    assert board.figures() is not None, "a moment without word hides nothing"
    clock.move(STALE_S + 1)
    assert board.figures() is None
    assert board.minutes(5) == ()

    await journal.write(offered("meanwhile"))  # written by another process, and gone from the stream
    stream.is_cut = False
    await board.step(0)
    figures = board.figures()
    assert figures is not None
    assert figures.total.offered == 1
