"""Repeat callers, sentence by sentence (docs/safety/rules.md, 4), on each kind of database."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from callrouter import events as ev
from callrouter.journal import Journal, seal
from callrouter.repeat.contacts import RepeatCalls
from callrouter.repeat.own_calls import came_to
from callrouter.repeat.patient import Patient
from callrouter.repeat.reports import EncounterReports, external, patient_of
from infra.crypto import KeyRing
from infra.itk import Report, read_message
from infra.numbers import Number, NumberClass, read_number
from infra.sql import Database
from tests.hand_clock import HandClock

LONDON = ZoneInfo("Europe/London")
DATA = Path(__file__).parents[1] / "data" / "itk"
SHARED = Path(__file__).parents[3] / "shared" / "itk" / "repeat-caller.xml"
THREE = (DATA / "three_reports_out_of_order.xml").read_bytes()
ADA = Patient("Ada", "Fictional", date(1965, 2, 17), "female", "ZZ99 3AA")
NUMBER = read_number("07700 900123")
CARE_HOME = "+442079460055"
WITHHELD = Number(NumberClass.WITHHELD)
NOW = datetime(2026, 6, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Index:
    """The index of encounters in a database of its own, at a time of its own."""

    database: Database
    repeats: RepeatCalls
    clock: HandClock
    reports: EncounterReports

    def at(self, now: datetime) -> None:
        self.clock.time = now

    async def count(self) -> int:
        count = text("SELECT count(*) FROM encounters")
        return int(await self.database.read(lambda connection: connection.execute(count).scalar_one()))

    async def outcome(self, number: Number, started: datetime = NOW, patient: Patient | None = None) -> tuple[str, str]:
        found = await self.repeats.find(number, started, patient or Patient())
        return found.outcome, found.reason


@pytest.fixture
async def index(database: Database) -> Index:
    clock = HandClock(NOW)
    repeats = RepeatCalls(database, KeyRing(os.urandom(32), os.urandom(32)), lambda number: number == CARE_HOME)
    return Index(database, repeats, clock, EncounterReports(repeats, clock))


async def test_reports_in_any_order_make_a_repeat_caller(index: Index) -> None:
    imported = await index.reports.take(THREE)

    assert (imported.kept, imported.known, imported.skipped) == (3, 0, ())
    assert await index.outcome(WITHHELD, NOW, ADA) == ("RC", "same_patient")
    assert await index.outcome(NUMBER) == ("PRC", "by_number")


async def test_same_message_again_changes_nothing_and_a_newer_version_takes_the_place_of_the_older(
    index: Index,
) -> None:
    await index.reports.take(THREE)
    again = await index.reports.take(THREE)
    assert (again.kept, again.known) == (0, 3)
    newer = THREE.replace(b'<versionNumber value="1"/>', b'<versionNumber value="4"/>').replace(b"Fictional", b"Other")
    assert (await index.reports.take(newer)).kept == 2
    assert await index.count() == 3
    assert (await index.reports.take(THREE)).kept == 0  # the old version, late
    assert await index.outcome(WITHHELD, NOW, ADA) == ("RC", "same_patient")  # still four of five


@pytest.mark.parametrize("database_kind", ["postgresql"])  # SQLite has one writer at a time
async def test_of_two_versions_that_come_at_once_the_newer_stays(index: Index) -> None:
    newer = THREE.replace(b'<versionNumber value="1"/>', b'<versionNumber value="4"/>').replace(b"Fictional", b"Newer")
    versions = text("SELECT version FROM encounters")
    for _ in range(5):
        await index.database.write(lambda connection: connection.execute(text("DELETE FROM encounters")))
        await asyncio.gather(index.reports.take(THREE), index.reports.take(newer))
        found = await index.database.read(lambda connection: connection.execute(versions).scalars().all())
        assert list(found).count(4) == 2


async def test_earlier_reports_are_shown_for_a_repeat_caller_only(index: Index) -> None:
    await index.reports.take(THREE)
    sure, perhaps = await index.repeats.find(WITHHELD, NOW, ADA), await index.repeats.find(NUMBER, NOW)

    told = await index.repeats.reports(sure.encounters)
    assert [(each.provider, each.disposition, each.condition) for each in told] == [
        ("Invented 111", "Dx011 Invented disposition", "Cough\nsince yesterday"),
        ("Another 111", "Dx06 Invented disposition", "Cough\nsince yesterday"),
        ("Invented 111", "Dx02 Invented disposition", "Cough\nsince yesterday"),
    ]
    assert perhaps.outcome == "PRC"
    assert await index.repeats.reports(perhaps.encounters) == []


async def test_external_encounters_leave_the_index_after_97_hours(index: Index) -> None:
    await index.reports.take(THREE)
    first = datetime(2026, 6, 1, 10, tzinfo=UTC)
    await index.repeats.forget(first + 97 * HOUR)
    assert await index.count() == 3
    await index.repeats.forget(first + 97 * HOUR + timedelta(seconds=1))
    assert await index.count() == 2
    index.at(first + 97 * HOUR + timedelta(seconds=1))
    late = await index.reports.take(THREE)
    assert [each.reason for each in late.skipped] == ["older than 97 hours"]


async def test_a_start_in_the_future_is_refused_and_told(index: Index) -> None:
    index.at(datetime(2026, 6, 2, 12, tzinfo=UTC))
    imported = await index.reports.take(THREE)
    assert (imported.kept, [(each.place, each.reason) for each in imported.skipped]) == (
        2,
        [(1, "starts in the future")],
    )


async def test_a_report_of_a_call_that_we_carried_is_the_same_encounter(index: Index) -> None:
    (report,) = [each for each in read_message(THREE).reports if each.encounter.case_reference == "300"]
    assert report.started is not None
    assert NUMBER.e164 is not None
    await index.repeats.keep("ours", NUMBER.e164, report.started.at - timedelta(minutes=3), provider="XX1")
    await index.repeats.keep("before", NUMBER.e164, report.started.at - 9 * HOUR, provider="XX1")
    await index.repeats.keep_external([external(report)], NOW)

    found = await index.repeats.find(NUMBER, NOW)
    assert (found.outcome, len(found.earlier)) == ("PRC", 2)


@pytest.mark.parametrize(
    ("providers", "contacts", "apart"),
    [
        (("ours",), 1, 0),  # the provider's own report of it
        (("other",), 2, 1),
        (("ours", "other"), 1, 0),  # passed on: each of them reports the one encounter
        (("other", "nameless"), 1, 0),  # one of them has no code: nobody can say that it is not theirs
        ((), 1, 0),
    ],
)
async def test_a_report_that_names_our_call_is_that_call_only_from_whom_it_came_to(
    index: Index, providers: tuple[str, ...], contacts: int, apart: int
) -> None:
    assert NUMBER.e164 is not None
    keys, context, started = KeyRing(b"m" * 32, b"i" * 32), "c" * 32, NOW - HOUR
    journal, repeats = Journal(index.database, keys), RepeatCalls(index.database, keys)
    happened: list[ev.Event] = [
        ev.Offered(network="sip", dialled="111", cli_class="present", flow="f", flow_version="1", context=context),
        *(ev.LegStarted(provider=each, service="111", band="routine") for each in providers),
    ]
    key = keys.new_data_key()
    await journal.write([seal(each, "call", seq, started, key) for seq, each in enumerate(happened, 1)])
    await repeats.keep("call", NUMBER.e164, started, provider="YY9", context=context)
    asked = came_to(journal, {"ours": "XX1", "other": "YY9", "nameless": ""})
    message = THREE.replace(b'extension="ENC-3"', f'extension="{context}"'.encode())
    message = message[: message.index(b'<payload id="p1"')] + message[message.index(b"</payloads>") :]
    message = message.replace(b'payloads count="3"', b'payloads count="1"')
    imported = await EncounterReports(repeats, index.clock, asked).take(message)

    assert (imported.kept, len(imported.apart)) == (1, apart)
    assert len((await repeats.find(NUMBER, NOW)).earlier) == contacts


async def test_the_call_that_this_one_resumes_is_no_earlier_contact(index: Index) -> None:
    assert NUMBER.e164 is not None
    await index.repeats.keep("yesterday", NUMBER.e164, NOW - 24 * HOUR, provider="XX1")
    await index.repeats.keep("cut off", NUMBER.e164, NOW - HOUR / 12, provider="XX1")

    assert (await index.repeats.find(NUMBER, NOW)).outcome == "PRC"
    assert (await index.repeats.find(NUMBER, NOW, resumes="cut off")).outcome == "NRC"


async def test_never_by_number_on_a_shared_line(index: Index) -> None:
    for hours in (1, 2, 3):
        await index.repeats.keep(f"call{hours}", CARE_HOME, NOW - hours * HOUR)
    line = read_number(CARE_HOME)

    assert await index.outcome(line) == ("IIQ", "shared_line")
    assert await index.outcome(line, NOW, ADA) == ("NRC", "fewer_than_two_earlier")


async def test_who_was_asked_is_known_the_next_time(index: Index) -> None:
    assert NUMBER.e164 is not None
    for hours in (20, 40):
        await index.repeats.keep(f"call{hours}", NUMBER.e164, NOW - hours * HOUR)
        await index.repeats.identify(f"call{hours}", index.repeats.traits(ADA))

    assert await index.outcome(WITHHELD, NOW, ADA) == ("RC", "same_patient")
    assert await index.outcome(NUMBER) == ("PRC", "by_number")


@pytest.mark.parametrize(
    "clock_change", [datetime(2026, 3, 29, 3, tzinfo=LONDON), datetime(2026, 10, 25, 3, tzinfo=LONDON)], ids=str
)
async def test_window_is_345600_seconds_over_a_clock_change(index: Index, clock_change: datetime) -> None:
    assert NUMBER.e164 is not None
    started = clock_change.astimezone(UTC) + 20 * HOUR
    await index.repeats.keep("early", NUMBER.e164, (started - timedelta(seconds=345_600)).astimezone(LONDON))
    await index.repeats.keep("late", NUMBER.e164, started - HOUR)

    assert (await index.outcome(NUMBER, started.astimezone(LONDON)))[0] == "PRC"
    assert (await index.outcome(NUMBER, started + timedelta(seconds=1)))[0] == "NRC"


async def test_what_began_before_the_window_does_not_count_by_a_part_of_it_within(index: Index) -> None:
    minutes, context = timedelta(minutes=10), "c" * 32
    await index.repeats.keep("yesterday", NUMBER.e164, NOW - 20 * HOUR)
    await index.repeats.keep("part", NUMBER.e164, NOW - 96 * HOUR + minutes, context=context)
    assert (await index.outcome(NUMBER, NOW))[0] == "PRC"
    await index.repeats.keep("first", NUMBER.e164, NOW - 96 * HOUR - minutes, context=context)
    assert (await index.outcome(NUMBER, NOW))[0] == "NRC"


async def test_who_called_before_the_keys_were_changed_is_known(database: Database) -> None:
    old, new = (os.urandom(32), os.urandom(32)), (os.urandom(32), os.urandom(32))
    before = RepeatCalls(database, KeyRing(*old))
    clock = HandClock(NOW)
    await EncounterReports(before, clock).take(THREE)
    after = RepeatCalls(database, KeyRing(*new, older=[old]))

    assert (await after.find(WITHHELD, NOW, ADA)).outcome == "RC"
    assert (await after.find(NUMBER, NOW)).outcome == "PRC"
    assert (await RepeatCalls(database, KeyRing(*new)).find(WITHHELD, NOW, ADA)).outcome == "NRC"


async def test_a_line_is_in_distress_over_a_change_of_the_keys(database: Database) -> None:
    master, older, newer = os.urandom(32), os.urandom(32), os.urandom(32)
    before, after = KeyRing(master, older), KeyRing(master, newer, [(master, older)])
    short = [NOW - timedelta(minutes=6), NOW - timedelta(minutes=4), NOW - timedelta(minutes=2)]
    told = [
        await RepeatCalls(database, keys).keep_short(f"short-{at.minute}", "+447700900123", at)
        for keys, at in zip((before, before, after), short, strict=True)
    ]
    assert told == [False, False, True]
    assert (await RepeatCalls(database, after).find(NUMBER, NOW)).distress


async def test_nobody_is_named_in_the_database(index: Index) -> None:
    await index.reports.take(THREE)
    tables = ("encounters", "encounter_keys")
    rows = [
        await index.database.read(lambda c, t=table: c.execute(text(f"SELECT * FROM {t}")).all()) for table in tables
    ]

    # each too long to stand by chance in a key, or with what no key has
    for canary in ("Ada", "Fictional", "9990000018", "7700900123", "1965-", "(1965", "ZZ99", "Cough", "female"):
        assert canary not in str(rows)


PUBLISHED = pytest.mark.skipif(
    not SHARED.is_file(), reason="the published example of a repeat caller is not beside the project"
)


@PUBLISHED
async def test_published_repeat_caller_trips_at_the_third_in_time_however_they_arrive(index: Index) -> None:
    reports = read_message(SHARED.read_bytes()).reports
    for order in [reports, reports[::-1], *list(permutations(reports))[100:720:200]]:
        assert await outcomes_in_time(index, order) == ["NRC", "NRC", "RC", "RC", "RC", "RC"]


@PUBLISHED
@pytest.mark.slow
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_published_repeat_caller_trips_at_the_third_in_time_in_all_720_orders(index: Index) -> None:
    for order in permutations(read_message(SHARED.read_bytes()).reports):
        assert await outcomes_in_time(index, order) == ["NRC", "NRC", "RC", "RC", "RC", "RC"]


async def outcomes_in_time(index: Index, order: Sequence[Report]) -> list[str]:
    """What each call is, in order of time, once the reports came in this order."""
    await index.database.write(lambda connection: connection.execute(text("DELETE FROM encounter_keys")))
    await index.database.write(lambda connection: connection.execute(text("DELETE FROM encounters")))
    started = {each.document_id: each.started.at for each in order if each.started}
    assert len(started) == len(order) == 6
    for each in order:
        await index.repeats.keep_external([external(each)], started[each.document_id])
    return [
        (await index.repeats.find(WITHHELD, started[each.document_id], patient_of(each.patient))).outcome
        for each in sorted(order, key=lambda each: started[each.document_id])
    ]
