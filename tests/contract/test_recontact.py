"""Callers who were sent away and ring again: by message and version, by a hash that goes, and in no figure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from random import Random

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from alerts.figures.history import KpiHistory
from alerts.figures.history_tables import kpi_recontacts
from alerts.figures.items import TOTAL, ScopeKind
from alerts.figures.recontact import KEPT, Caller, Recontact, Recontacts
from alerts.figures.recount_recontact import recount_recontact
from callrouter import events as ev
from callrouter.figures.callers import Callers
from callrouter.figures.comparing import Comparison
from callrouter.figures.folding import KpiFolder
from callrouter.journal import Journal, seal
from infra.bus import MemoryStream
from infra.crypto import KeyRing
from infra.sql import Database
from tests.made_up_calls import made_up_day

NOON = datetime(2025, 6, 2, 11, tzinfo=UTC)
DAY = date(2025, 6, 2)
KEYS = KeyRing(b"m" * 32, b"i" * 32)
ADA, BOB, HOME = "+447700900123", "+447700900124", "+442079460999"


class House:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.stream, self.journal = MemoryStream(), Journal(database, KEYS)
        self.recontacts = Recontacts(database)
        callers = Callers(self.recontacts, KEYS, {HOME})
        self.history = KpiHistory(database, {})
        self.folder = KpiFolder(self.stream, self.journal, self.history, callers)

    async def call(self, ref: str, hours: float, number: str | None, end_class: str = "answered", *, heard: str = "",
                   version: str = "1", area: str = "", offered_to: Sequence[str] = ()) -> None:  # fmt: skip
        """A call of two minutes that begins so many hours after noon."""
        at, key = NOON + timedelta(hours=hours), KEYS.new_data_key()
        told: list[ev.Event] = [
            ev.Offered(network="sip", dialled="111", cli_class="present", flow="london", flow_version=version,
                       context=ref, number=number),
        ]  # fmt: skip
        told += [ev.AreaKnown(area=area, by="number")] if area else []
        told += [ev.MessageHeard(node="flu", marker=heard)] if heard else []
        told += [ev.LegStarted(provider=each, service="dental", band="routine") for each in offered_to]
        told.append(ev.Ended(end_class=end_class, reason="hung_up", by="caller"))
        entries = [
            seal(event, ref, seq, at + timedelta(minutes=2 * (seq > 1)), key) for seq, event in enumerate(told, 1)
        ]
        await self.journal.write(entries)
        await self.stream.append(entries)
        while await self.folder.step(0):
            pass

    async def told(self, now_h: float = 79) -> list[Recontact]:
        await self.recontacts.follow(NOON + timedelta(hours=now_h))
        return await self.recontacts.told(DAY, DAY)


@pytest.fixture
async def house(database: Database) -> House:
    house = House(database)
    await house.folder.join()
    return house


async def test_callers_who_ring_again_are_told_by_message_and_version(house: House) -> None:
    await house.call("again", 23, ADA)  # told before the call that it follows: the order does not matter
    await house.call("sent-away", 0, ADA, "deflected", heard="pharmacy")
    await house.call("never-again", 0, BOB, "deflected", heard="pharmacy")
    await house.call("other-version", 1, BOB, "left_in_message", version="2")
    await house.call("withheld", 2, None, "deflected", heard="pharmacy")
    await house.call("care-home", 2, HOME, "deflected", heard="pharmacy")
    await house.call("care-home-again", 3, HOME)
    assert await house.told() == [
        Recontact("deflected", "pharmacy", "1", 2, (1, 2, 2)),
        Recontact("left_in_message", "", "2", 1, (0, 0, 0)),
    ]
    while await house.history.roll():
        pass
    (whole,) = await house.history.window(NOON, NOON + timedelta(hours=20), "total")
    codes = ("RECONTACT_BASE", "RECONTACT_1H", "RECONTACT_24H", "RECONTACT_72H")
    assert [whole.of(code) for code in codes] == [3, 1, 2, 2]
    first_hour = {TOTAL: dict(zip(codes, [2, 1, 2, 2], strict=True))}
    assert await house.history.recontact(NOON, NOON + timedelta(hours=1)) == first_hour
    assert await house.history.recontact(NOON + timedelta(hours=5), NOON + timedelta(hours=6)) == {}
    (area,) = await house.history.window(NOON, NOON + timedelta(hours=20), "area")
    assert [area.of(code) for code in codes] == [3, 1, 2, 2]


KINDS: tuple[ScopeKind, ...] = ("total", "provider", "service", "area")
CODES = ("RECONTACT_BASE", "RECONTACT_1H", "RECONTACT_24H", "RECONTACT_72H")


async def test_who_rings_again_counts_for_the_service_the_area_and_each_provider_of_the_call(house: House) -> None:
    await house.call("sent-away", 0, ADA, "deflected", area="bexley")
    await house.call("elsewhere", 0.2, BOB, "served_elsewhere", area="bexley", offered_to=("kings", "thames"))
    await house.call("again", 0.5, BOB, offered_to=("kings",))
    await house.call("much later", 30, ADA, "self_served")
    await house.told()
    while await house.history.roll():
        pass
    start, end = NOON, NOON + timedelta(hours=40)
    counted = await house.database.study(partial(recount_recontact, start=start, end=end))
    expected = {
        "total": (3, 1, 1, 2),
        "area:bexley": (2, 1, 1, 2),
        "area:unknown": (1, 0, 0, 0),
        "service:unknown": (2, 0, 0, 1),
        "service:dental": (1, 1, 1, 1),
        "provider:kings": (1, 1, 1, 1),
        "provider:thames": (1, 1, 1, 1),
    }
    assert {scope: tuple(counts.values()) for scope, counts in counted.items()} == expected
    windows = [each for kind in KINDS for each in await house.history.window(start, end, kind)]
    told = {str(each.scope): tuple(each.of(code) for code in CODES) for each in windows}
    assert {scope: counts for scope, counts in told.items() if counts[0] is not None} == expected
    days = {
        scope: values for kind in KINDS for scope, values in (await house.history.recontact(start, end, kind)).items()
    }
    assert {str(scope): tuple(values.values()) for scope, values in days.items()} == expected


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize(
    ("after_h", "again"), [(1.03, (1, 1, 1)), (1.04, (0, 1, 1)), (72.03, (0, 0, 1)), (72.04, (0, 0, 0))]
)
async def test_hours_count_from_the_end_of_the_call(house: House, after_h: float, again: tuple[int, int, int]) -> None:
    await house.call("sent-away", 0, ADA, "self_served")
    await house.call("again", after_h, ADA)
    assert [each.again for each in await house.told()] == [again]


async def test_a_begun_second_counts_whole(house: House) -> None:
    await house.call("sent-away", 0, ADA, "deflected")
    await house.call("again", (120 + 3600.000_001) / 3600, ADA)
    assert [each.again for each in await house.told()] == [(0, 1, 1)]
    counted = await house.database.study(partial(recount_recontact, start=NOON, end=NOON + timedelta(hours=1)))
    assert tuple(counted["total"].values()) == (1, 0, 1, 1)


async def test_made_up_callers_who_ring_again_are_those_of_the_recount(house: House) -> None:
    """Many of few numbers, cut off and back again, at three providers; then one is spoilt, and found."""
    entries = made_up_day(31, 160, NOON, 30)
    random = Random(31)
    callers = [Caller(each.call_ref, f"number-{random.randrange(40)}", each.at) for each in entries if each.seq == 1]
    await house.recontacts.note([each for each in callers if random.random() < 0.8])
    await house.journal.write(entries)
    await house.stream.append(entries)
    while await house.folder.step(0) or await house.history.roll():
        pass
    now = NOON + timedelta(hours=40)
    comparison = Comparison(house.database, house.history, house.recontacts)
    again = await house.database.study(partial(recount_recontact, start=NOON, end=NOON + timedelta(days=1)))
    assert {scope.partition(":")[0] for scope in again} == {*KINDS}
    assert again["total"]["RECONTACT_BASE"] > again["total"]["RECONTACT_24H"] > again["total"]["RECONTACT_1H"] > 0
    assert [(await comparison.of_day(day, now)).differ for day in (DAY, DAY + timedelta(days=1))] == [{}, {}]

    spoil = "DELETE FROM kpi_calls WHERE end_class = 'deflected' AND contact IN (SELECT call_ref FROM kpi_recontacts)"
    await house.database.write(lambda connection: connection.execute(text(spoil)))
    assert "re-contact total" in (await comparison.of_day(DAY, now)).differ["calls"]


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_the_hash_goes_and_what_it_told_stays(house: House) -> None:
    await house.call("sent-away", 0, ADA, "deflected")
    await house.call("again", 5, ADA)
    before = await house.told(now_h=6)
    kept = await house.database.read(lambda connection: connection.execute(select(kpi_recontacts.c.number_key)).all())
    assert all(key is not None and ADA not in key and ADA[1:] not in key for (key,) in kept)
    later = KEPT / timedelta(hours=1) + 6
    assert await house.told(now_h=later) == before
    kept = await house.database.read(lambda connection: connection.execute(select(kpi_recontacts.c.number_key)).all())
    assert [key for (key,) in kept] == [None, None]


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_calls_of_long_ago_are_not_looked_at_again(house: House) -> None:
    await house.call("sent-away", 0, ADA, "deflected")
    await house.call("again", 5, ADA)
    assert [each.again for each in await house.told(now_h=KEPT / timedelta(hours=1) + 1)] == [(0, 0, 0)]


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_hashes_go_also_when_nobody_can_be_followed(house: House) -> None:
    await house.call("sent-away", 0, ADA, "deflected")
    gone = text("ALTER TABLE kpi_calls RENAME TO gone")
    await house.database.maintain(lambda connection: connection.execute(gone))
    with pytest.raises(SQLAlchemyError):
        await house.recontacts.follow(NOON + 2 * KEPT)
    kept = await house.database.read(lambda connection: connection.execute(select(kpi_recontacts.c.number_key)).all())
    assert [key for (key,) in kept] == [None]
