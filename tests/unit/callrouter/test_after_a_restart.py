"""Readers of the stream and what a restart leaves behind: no encounter is lost, nobody waits for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from alerts.figures.kpi import LiveFigures
from callrouter import events as ev
from callrouter.journal import Journal, JournalWriter, seal
from callrouter.journal import metadata as journal_tables
from callrouter.leftovers import close_leftovers
from callrouter.model import read_record
from callrouter.repeat.contacts import RepeatCalls
from callrouter.repeat.encounters import EncounterIndexer
from callrouter.repeat.tables import metadata as encounter_tables
from infra.bus import Entry, MemoryStream
from infra.crypto import KeyRing
from infra.numbers import read_number
from infra.sql import Database, connect_database
from ivr.values import Unreadable
from tests.hand_clock import NOON, HandClock

NUMBER = read_number("07700 900123")
LATER = NOON + timedelta(hours=1)
KEYS = KeyRing(b"m" * 32, b"i" * 32)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = connect_database(f"sqlite:///{tmp_path}/restart.db")
    await database.write(journal_tables.create_all)
    await database.write(encounter_tables.create_all)
    yield database
    await database.close()


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database, KEYS)


@pytest.fixture
def repeats(database: Database) -> RepeatCalls:
    return RepeatCalls(database, KEYS)


def call(call_ref: str, *after: ev.Event, resumes: str | None = None) -> list[Entry]:
    """The entries of a call from NUMBER."""
    offered = ev.Offered(
        network="sip", dialled="111", cli_class="present", flow="f", flow_version="1", context=f"{call_ref:0>32}",
        number=NUMBER.e164, resumes=resumes,
    )  # fmt: skip
    key = KEYS.new_data_key()
    return [seal(each, call_ref, seq, HandClock().now(), key) for seq, each in enumerate((offered, *after), 1)]


def answered_call(call_ref: str, resumes: str | None = None) -> list[Entry]:
    return call(
        call_ref,
        ev.LegAnswered(provider="north", evidence="agent"),
        ev.Ended(end_class="answered", reason="normal", by="caller"),
        resumes=resumes,
    )


async def kept(repeats: RepeatCalls) -> int:
    return len((await repeats.find(NUMBER, LATER)).earlier)


async def test_a_completed_call_is_an_encounter_before_its_journal_is_written(
    journal: Journal, repeats: RepeatCalls
) -> None:
    stream = MemoryStream()
    indexer = EncounterIndexer(stream, journal, repeats, KEYS, HandClock())
    await indexer.join()
    await stream.append(answered_call("one"))
    while await indexer.step(0):
        pass
    assert await kept(repeats) == 1


async def test_a_call_that_began_before_the_reader_waits_for_its_journal(
    journal: Journal, repeats: RepeatCalls
) -> None:
    stream = MemoryStream()
    entries = answered_call("one")
    indexer = EncounterIndexer(stream, journal, repeats, KEYS, HandClock())
    await indexer.join()
    await journal.write(entries[:1])  # SQL is behind: the answer and the end are still on their way
    await stream.append(entries[2:])
    assert await indexer.step(0) == 0
    assert len(await stream.read(indexer.GROUP, limit=9, wait_s=0)) == 1
    await journal.write(entries)
    assert await indexer.step(0) == 1
    assert await kept(repeats) == 1


async def test_a_call_whose_beginning_was_lost_is_told_and_given_up_for_those_behind_it(
    journal: Journal, repeats: RepeatCalls
) -> None:
    stream, clock = MemoryStream(), HandClock()
    indexer = EncounterIndexer(stream, journal, repeats, KEYS, clock)
    await indexer.join()
    lost, behind = answered_call("lost")[2:], answered_call("behind")
    await journal.write([*lost, *behind])
    await stream.append([*lost, *behind])
    clock.move(299)
    assert await indexer.step(0) == 0  # its beginning may be with a writer that has died
    clock.move(1)
    with capture_logs() as logs:
        while await indexer.step(0):
            pass
    assert [(each["event"], each["log_level"], each["call_ref"]) for each in logs] == [
        ("encounter_lost", "error", "lost")
    ]
    assert await kept(repeats) == 1


async def test_a_call_resumed_after_we_cut_it_off_is_one_encounter_whoever_reads_of_it(
    journal: Journal, repeats: RepeatCalls
) -> None:
    stream = MemoryStream()
    first, again = answered_call("first"), answered_call("again", resumes="first")
    await journal.write([*first, *again])
    indexer = EncounterIndexer(stream, journal, repeats, KEYS, HandClock())
    await indexer.join()
    await stream.append([first[-1], again[-1]])  # what came before went to a reader that has died
    while await indexer.step(0):
        pass
    assert await kept(repeats) == 1


@pytest.mark.parametrize("end_class", ["abandoned", "left_in_message", "deflected", "dropped_by_us"])
async def test_a_call_that_nobody_answered_is_no_encounter(
    journal: Journal, repeats: RepeatCalls, end_class: str
) -> None:
    stream = MemoryStream()
    indexer = EncounterIndexer(stream, journal, repeats, KEYS, HandClock())
    await indexer.join()
    await stream.append(call("one", ev.Ended(end_class=end_class, reason="hung_up", by="caller")))
    while await indexer.step(0):
        pass
    assert await kept(repeats) == 0


async def test_calls_left_over_by_a_dead_process_are_closed_and_nobody_waits_for_ever(journal: Journal) -> None:
    waiting = call("waiting", ev.Queued(services=("111",), band="normal"))
    talking = call("talking", ev.LegStarted(provider="north", service="111", band="normal"),
                   ev.LegAnswered(provider="north", evidence="agent"))  # fmt: skip
    await journal.write([*waiting, *talking, *answered_call("over")])
    stream = MemoryStream()
    writer = JournalWriter(stream, journal)
    await writer.join()
    assert await close_leftovers(journal, stream, HandClock()) == 2
    await writer.drain()
    ends = {ref: (await journal.read(ref))[-1].event for ref in ("waiting", "talking", "over")}
    assert [getattr(ends[ref], "end_class", None) for ref in ends] == ["dropped_by_us", "answered", "answered"]
    figures = LiveFigures({"north": "North"})
    async for entry in journal.entries_since(NOON - timedelta(hours=1)):
        figures.apply(entry)
    total = figures.figures(LATER).total
    assert (total.waiting, total.in_progress) == (0, 0)
    assert await close_leftovers(journal, stream, HandClock()) == 0


def test_a_record_that_cannot_be_read_does_not_tell_whose_it_was() -> None:
    with pytest.raises(Unreadable) as failed:
        read_record(b'{"number": {"kind": "present", "e164": ["+447700900123"]}, "call_ref": 7}')
    assert "7700900123" not in str(failed.value)


def test_what_was_found_and_heard_is_sealed() -> None:
    found = ev.LookedUp(what="plan", gap="", took_ms=1.0, outcome="candidates", reason="by_number")
    flagged = ev.RedFlagHeard(node="menu", lexicon="1", category="suicidal", words="want to die")
    for event in (found, flagged):
        clear, _ = ev.split(event)
        assert not {"candidates", "by_number", "suicidal", "want to die"} & set(clear.values())


@pytest.mark.parametrize("order", [(1, 2, 3, 1, 2, 3), (2, 1, 3), (3, 1, 2), (2, 3, 1, 1), (1, 1, 2, 2, 3, 3)], ids=str)
async def test_a_call_whose_entries_come_twice_or_out_of_turn_is_one_encounter(
    journal: Journal, repeats: RepeatCalls, order: tuple[int, ...]
) -> None:
    stream = MemoryStream()
    indexer = EncounterIndexer(stream, journal, repeats, KEYS, HandClock())
    await indexer.join()
    entries = answered_call("one")
    await journal.write(entries)
    await stream.append([entries[seq - 1] for seq in order])
    while await indexer.step(0):
        pass
    assert await kept(repeats) == 1
    assert await stream.read(indexer.GROUP, limit=9, wait_s=0) == []
