"""The wallboard's figures follow the event stream, and say so when they cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.figures.kpi import LiveFigures
from callrouter import events as ev
from callrouter.figures.board import READ_AGAIN_S, STALE_S, Board
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


async def test_an_event_that_cannot_be_read_is_one_however_often_it_comes(database: Database) -> None:
    journal, stream, clock = Journal(database, KEYS), Cuttable(), HandClock()
    await stream.join("journal")
    newer = [replace(each, facts={"context": "x" * 32}) for each in offered("newer")]
    await journal.write(newer)
    await stream.append(newer)
    board = Board(LiveFigures({}), stream, journal, clock)

    await board.step(0)
    await board.catch_up()
    assert board.oddities()["unreadable"] == 1


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


async def test_the_day_is_read_again_for_an_event_of_a_call_that_was_forgotten(database: Database) -> None:
    journal, stream, clock = Journal(database, KEYS), Cuttable(), HandClock()
    await stream.join("journal")
    ended = seal(ev.Ended(end_class="abandoned", reason="hung_up", by="caller"), "call", 9, NOON, KEYS.new_data_key())
    await journal.write([*offered("call"), ended])
    board = Board(LiveFigures({}), stream, journal, clock)
    await board.step(0)
    assert [each.of("B02") for each in board.window("today", "total")] == [1]

    clock.move(8 * 3600)
    await board.step(0)
    assert board.figures() is not None
    menu = seal(ev.NodeEntered(node="menu"), "call", 2, NOON, KEYS.new_data_key())
    await journal.write([menu])
    await stream.append([menu])
    await board.step(0)
    clock.move(READ_AGAIN_S)
    await board.step(0)
    assert [each.of("A02") for each in board.window("today", "total")] == [1]
    assert board.oddities() == {"unreadable": 0, "from_future": 0, "negative": 0}


async def test_windows_are_empty_while_the_day_is_unknown(database: Database) -> None:
    board = Board(LiveFigures({}), Cuttable(), Journal(database, KEYS), HandClock())
    assert (board.window(15, "total"), board.oddities()) == ((), {})


async def test_a_caller_without_an_end_waits_a_day_whatever_is_restarted(database: Database) -> None:
    """As in the recount, which a restart must not part from."""
    clock, journal = HandClock(NOON), Journal(database, KEYS)
    queued = seal(ev.Queued(services=("111",), band="routine"), "call", 2, NOON, KEYS.new_data_key())
    await journal.write([*offered("call"), queued])
    for hours, waiting in ((20, 1), (5, 0)):
        clock.move(hours * 3600)
        board = Board(LiveFigures({}), MemoryStream(), journal, clock)
        await board.step(0)
        assert (board.figures() or pytest.fail("not known")).total.waiting == waiting
