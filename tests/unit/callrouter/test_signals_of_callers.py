"""Why callers call and their age band, from the door to the counts of surges: never a word, never a date."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from flows.player import inline
from sqlalchemy import select

from alerts.surges import tables
from alerts.surges.counting import SurgeCounter
from alerts.surges.indicators import read_indicators
from callrouter import events as ev
from callrouter.journal import Journal
from callrouter.model import Arrival, Input, InputKind
from callrouter.surges.reading import SealedSigns
from infra.ages import AGE_BANDS, age_band, in_words
from infra.bus import MemoryStream
from infra.numbers import read_number
from infra.sql import connect_database
from infra.state import MemoryStates
from tests.hand_clock import NOON, HandClock
from tests.service import CallService, build_calls

INDICATORS = read_indicators()
ASKS = inline(
    "menu",
    {"plan": {"values": ["none", "candidates", "asserted", "confirmed", "unavailable"]}, "born": {"type": "date"}},
    menu={
        "action": "menu", "prompts": ["menu"], "keys": {"1": "flu"}, "words": {"flu": ["flu", "cough"]},
        "no_match": {"limit": 2, "prompts": ["again", "again"]},
        "exits": {"flu": "ask", "no_input": "person", "no_match": "person"},
    },
    ask={"action": "ask_date", "prompts": ["when_born"], "into": "born", "exits": {"next": "look"}},
    look={"action": "lookup", "what": "birth_date", "given": "born", "into": "plan", "exits": {"next": "person"}},
    person={"action": "queue", "services": ["111"], "hold_s": 60},
)  # fmt: skip


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[tuple[CallService, MemoryStream, HandClock]]:
    stream, clock = MemoryStream(), HandClock(NOON)
    service = await build_calls(tmp_path, flow=ASKS, clock=clock, stores=(MemoryStates(stream), stream), budget_s=0.01)
    yield service, stream, clock
    await service.close()


async def test_what_is_said_and_a_date_of_birth_are_counted_and_nobody_else_learns_them(
    house: tuple[CallService, MemoryStream, HandClock], tmp_path: Path
) -> None:
    service, stream, clock = house
    database = connect_database(f"sqlite:///{tmp_path / 'calls.db'}")
    await database.write(tables.metadata.create_all)
    signs = SealedSigns(Journal(database, service.keys))
    counter = SurgeCounter(stream, database, INDICATORS, clock, hidden=lambda ref: f"h-{ref}", opened=signs)
    await counter.join()

    arrival = Arrival("test", "111", read_number("07700 900101"))
    reply = await service.calls.handle("call", Input("k0", InputKind.STARTED, clock.now(), epoch=1, arrival=arrival))
    said = ["zzcanary has a rash", "a cough and no fever"]
    keys = [
        *((InputKind.SPEECH_FINAL, each) for each in said),
        *((InputKind.DIGIT, each) for each in ("04041950", "1")),
    ]
    for number, (kind, value) in enumerate(keys, 1):
        given = Input(f"k{number}", kind, clock.now(), reply.wait_id, value, 1)
        reply = await service.calls.handle("call", given)

    heard = await service.events("call", "reasons_heard")
    assert [each.reasons for each in heard if isinstance(each, ev.ReasonsHeard)] == [["rash"], ["cough"]]
    assert [each.band for each in await service.events("call", "age_band_known") if isinstance(each, ev.AgeBandKnown)]
    clock.move(timedelta(minutes=5).total_seconds())
    while await counter.step(0):
        pass
    at = tables.surge_counts.c
    rows = await database.read(
        lambda connection: connection.execute(select(at.signal, at.area).where(at.demand > 0)).all()
    )
    assert {(row.signal, row.area) for row in rows} == {("all", "unknown")} | {
        (signal, place) for signal in ("cold_or_flu", "cough", "rash") for place in ("unknown", "age:65+")
    }
    await database.close()


def test_the_stream_says_that_something_was_told_and_not_what() -> None:
    for event in (ev.ReasonsHeard(node="menu", lexicon="w1", reasons=["rash"]), ev.AgeBandKnown(by="plan", band="65+")):
        clear, secret = ev.split(event)
        assert not {"rash", "65+"} & set(json.dumps(clear).split('"'))
        assert ev.join(event.kind, clear, secret) == event


@pytest.mark.parametrize(
    ("born", "band"),
    [
        ("2026-01-01", "0"), ("2025-03-25", "0"), ("2025-03-24", "1-4"), ("2021-03-25", "1-4"), ("2021-03-24", "5-14"),
        ("2011-03-25", "5-14"), ("2011-03-24", "15-44"), ("1981-03-25", "15-44"), ("1981-03-24", "45-64"),
        ("1961-03-25", "45-64"), ("1961-03-24", "65+"), ("1926-01-01", "65+"), ("2026-03-25", None),
        ("1890-01-01", None), ("2020-02-29", "5-14"),
    ],
)  # fmt: skip
def test_bands_are_those_of_syndromic_surveillance(born: str, band: str | None) -> None:
    assert age_band(date.fromisoformat(born), NOON - timedelta(days=4)) == band


def test_a_birthday_begins_at_midnight_in_london_also_in_summer() -> None:
    born, midnight = date(2025, 7, 10), datetime(2026, 7, 9, 23, tzinfo=UTC)
    assert [age_band(born, midnight + timedelta(minutes=each)) for each in (-1, 0)] == ["0", "1-4"]


def test_every_band_is_told_in_words() -> None:
    assert [in_words(each) for each in AGE_BANDS] == [
        "Aged under 1", "Aged 1 to 4", "Aged 5 to 14", "Aged 15 to 44", "Aged 45 to 64", "Aged 65 and over",
    ]  # fmt: skip
