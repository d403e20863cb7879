"""The journal and the index of encounters keep their promises on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from callrouter import events as ev
from callrouter.journal import Journal, seal
from callrouter.repeat.contacts import RepeatCalls
from infra.bus import Entry
from infra.crypto import DataKey, KeyRing
from infra.numbers import read_number
from infra.sql import Database

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
NUMBER = read_number("07700 900123")


class Noon:
    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
def keys() -> KeyRing:
    return KeyRing(b"m" * 32, b"i" * 32)


@pytest.fixture
def journal(database: Database, keys: KeyRing) -> Journal:
    return Journal(database, keys)


def offered(call_ref: str, key: DataKey, context: str = "c" * 32) -> Entry:
    event = ev.Offered(
        network="sip", dialled="111", cli_class="present", flow="f", flow_version="1", context=context,
        number=NUMBER.e164,
    )  # fmt: skip
    return seal(event, call_ref, 1, Noon().now(), key)


def ended(call_ref: str, key: DataKey) -> Entry:
    return seal(ev.Ended(end_class="answered", reason="normal", by="caller"), call_ref, 2, Noon().now(), key)


async def test_what_was_written_is_read_in_order_with_its_personal_part(journal: Journal, keys: KeyRing) -> None:
    key = keys.new_data_key()
    await journal.write([offered("one", key), ended("one", key)])
    read = await journal.read("one")
    assert [each.seq for each in read] == [1, 2]
    first = read[0].event
    assert isinstance(first, ev.Offered)
    assert first.number == NUMBER.e164
    assert read[0].at == NOON


async def test_an_entry_that_comes_again_changes_nothing(journal: Journal, keys: KeyRing) -> None:
    key = keys.new_data_key()
    entries = [offered("one", key), ended("one", key)]
    await journal.write(entries)
    await journal.write([*entries, *entries])
    assert len(await journal.read("one")) == 2


async def test_more_calls_are_asked_for_than_a_statement_has_places_for(journal: Journal, keys: KeyRing) -> None:
    await journal.write([offered("one", keys.new_data_key())])
    many = [f"call-{number}" for number in range(33_000)]
    told = await journal.told([*many, "one"], ["offered"], NOON)
    assert [each.call_ref for each in told] == ["one"]


async def test_of_one_event_told_at_two_times_the_first_stands(journal: Journal, keys: KeyRing) -> None:
    key = keys.new_data_key()
    end = ended("one", key)
    await journal.write([offered("one", key), end])
    await journal.write([replace(end, at=end.at + timedelta(seconds=3))])
    await journal.write([replace(end, at=end.at - timedelta(seconds=3)), replace(offered("two", key), at=NOON)])
    assert [(each.seq, each.at) for each in await journal.read("one")] == [(1, NOON), (2, NOON)]
    assert len(await journal.read("two")) == 1


async def test_of_one_event_told_twice_in_one_batch_the_first_stands(journal: Journal, keys: KeyRing) -> None:
    key = keys.new_data_key()
    end = ended("one", key)
    await journal.write([offered("one", key), end, replace(end, at=end.at + timedelta(seconds=3))])
    assert [(each.seq, each.at) for each in await journal.read("one")] == [(1, NOON), (2, NOON)]


async def kinds(journal: Journal, call_ref: str) -> list[tuple[int, str]]:
    return [(each.seq, each.event.kind) for each in await journal.read(call_ref)]


@pytest.mark.parametrize("batches", [1, 2])
@pytest.mark.parametrize("order", [(2, 4), (4, 2)])
async def test_of_two_ends_of_one_call_the_first_that_is_told_stands(
    journal: Journal, keys: KeyRing, batches: int, order: tuple[int, int]
) -> None:
    """Two processes moved one call apart, each to its end: the later end is a late input, and no number is missing."""
    key = keys.new_data_key()
    first, second = (replace(ended("one", key), seq=seq, at=NOON + timedelta(hours=seq - 3)) for seq in order)
    node = seal(ev.NodeEntered(node="menu"), "one", 3, NOON, key)
    await journal.write([offered("one", key), first, *([node, second] if batches == 1 else [])])
    if batches == 2:
        await journal.write([node, second])
    await journal.write([second, first])  # both again, as readers may
    assert await kinds(journal, "one") == sorted(
        [(1, "offered"), (3, "node_entered"), (order[0], "ended"), (order[1], "late_input")]
    )
    assert (await journal.read("one"))[order[1] - 1].event == ev.LateInput(wait_id="", input="hung_up")


@pytest.mark.parametrize("batches", [1, 2])
async def test_an_end_whose_number_another_event_has_is_not_lost(journal: Journal, keys: KeyRing, batches: int) -> None:
    key = keys.new_data_key()
    node = seal(ev.NodeEntered(node="menu"), "one", 2, NOON, key)
    batch = [offered("one", key), node, ended("one", key)]
    for _ in range(batches):
        await journal.write(batch)
    await journal.write([replace(ended("one", key), seq=4)])
    assert await kinds(journal, "one") == [(1, "offered"), (2, "node_entered"), (3, "ended"), (4, "late_input")]


async def test_two_writers_at_once_write_one_call_once(journal: Journal, keys: KeyRing) -> None:
    """A writer that hung wakes while another is at work, and each has another telling of the same steps."""
    key = keys.new_data_key()
    tellings = [
        [replace(each, at=each.at + timedelta(hours=hours)) for each in (offered("one", key), ended("one", key))]
        for hours in range(4)
    ]
    await asyncio.gather(*(journal.write(each) for each in tellings))
    assert await kinds(journal, "one") == [(1, "offered"), (2, "ended")]


async def test_an_entry_sealed_with_a_key_that_is_not_kept_is_read_without_its_personal_part(
    journal: Journal, keys: KeyRing
) -> None:
    """Two processes began one call while the state store was away: the key of the one that told it first is kept."""
    key, other = keys.new_data_key(), keys.new_data_key()
    taken = ev.InputTaken(wait_id="1.1", input="digit", value="2")
    await journal.write([offered("one", key), seal(taken, "one", 2, NOON, other)])
    first, second = [each.event for each in await journal.read("one")]
    assert isinstance(first, ev.Offered)
    assert first.number == NUMBER.e164
    assert second == replace(taken, value=None)


async def test_a_call_is_found_by_its_context_and_among_the_newest(journal: Journal, keys: KeyRing) -> None:
    await journal.write([offered("one", keys.new_data_key(), "a" * 32), offered("two", keys.new_data_key(), "b" * 32)])
    assert await journal.call_of_context("b" * 32) == "two"
    assert await journal.call_of_context("d" * 32) is None
    assert set(await journal.newest(5)) == {"one", "two"}


async def test_the_days_entries_are_read_without_what_is_personal(journal: Journal, keys: KeyRing) -> None:
    key = keys.new_data_key()
    await journal.write([offered("one", key), ended("one", key)])
    entries = [each async for each in journal.entries_since(NOON - timedelta(seconds=1))]
    assert [(each.call_ref, each.seq, each.sealed) for each in entries] == [("one", 1, None), ("one", 2, None)]
    assert [each async for each in journal.entries_since(NOON + timedelta(seconds=1))] == []


async def test_a_long_day_is_read_in_chunks_each_entry_once(
    journal: Journal, keys: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Journal, "CHUNK", 3)
    key = keys.new_data_key()
    calls = [f"call-{number}" for number in range(10)]  # all at the same instant: the chunks end in the midst of them
    for number, call in enumerate(calls):
        await journal.write([offered(call, key, f"{number:032}"), ended(call, key)])
    found = [(each.seq, each.call_ref) async for each in journal.entries_since(NOON)]
    assert found == [(seq, call) for seq in (1, 2) for call in calls]


async def test_the_third_encounter_in_96_hours_is_a_potential_repeat(database: Database, keys: KeyRing) -> None:
    repeats = RepeatCalls(database, keys)
    assert NUMBER.e164 is not None
    for name, hours in (("a", 96), ("b", 1), ("b", 1)):
        await repeats.keep(name, NUMBER.e164, NOON - timedelta(hours=hours))
    found = await repeats.find(NUMBER, NOON)
    assert (found.outcome, len(found.earlier)) == ("PRC", 2)
    assert (await repeats.find(NUMBER, NOON + timedelta(seconds=1))).outcome == "NRC"


async def test_encounters_are_forgotten_after_97_hours(database: Database, keys: KeyRing) -> None:
    repeats = RepeatCalls(database, keys)
    assert NUMBER.e164 is not None
    await repeats.keep("old", NUMBER.e164, NOON - timedelta(hours=98))
    await repeats.keep("new", NUMBER.e164, NOON)
    assert (await repeats.find(NUMBER, NOON - timedelta(hours=97))).earlier == ()
