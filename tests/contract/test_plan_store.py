"""The plan tables keep their promises on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from careplans.access.on_call import PlansOnCall
from careplans.access.ports import MatchedCall
from careplans.audit.tables import plan_audit
from careplans.audit.trail import AuditTrail
from careplans.errors import TooManyTries
from careplans.model import ImportReport, MatchLevel, OpenedPlan, Viewer
from careplans.rows import Row
from careplans.service import CarePlans
from careplans.store import metadata
from infra.crypto import KeyRing
from infra.numbers import read_number
from infra.sql import Database
from tests.hand_clock import HandClock

NUMBER = read_number("07700 900101")
BORN = date(1938, 4, 12)
SECRET = (
    "zzgiven", "zzfamily", "zzhandler", "zzdetail", "zzplan", "zzuser", "9990000018", "7700900101", "1938-04-12",
    "date(1938",
)  # fmt: skip
HANDLER = Viewer("zzuser", "handler")


def row(line: int = 2, **changes: object) -> Row:
    values: dict[str, object] = {
        "plan_id": "zzplan",
        "source": "Universal Care Plan",
        "author_org": "Demo Hospice",
        "kind": "end of life care plan",
        "nhs_number": "9990000018",
        "given_name": "Zzgiven 🙂",
        "family_name": "Zzfamily'); DROP TABLE plans;--",
        "date_of_birth": BORN.isoformat(),
        "phones": "07700 900101",
        "handler_line": "Zzhandler <b>line</b>",
        "detail": "Zzdetail",
        "valid_from": "2026-05-04",
        "version": 3,
    }
    return Row(line, values | changes)


@pytest.fixture
def plans(database: Database) -> CarePlans:
    return CarePlans(database, KeyRing(b"m" * 32, b"i" * 32), HandClock(datetime(2026, 6, 15, 12, tzinfo=UTC)))


class OneCall:
    """A call from the number of these tests."""

    def __init__(self, plans: CarePlans) -> None:
        self._plans = plans

    async def by_context(self, context: str) -> MatchedCall | None:
        return MatchedCall(context, tuple(await candidates(self._plans)), None)


@pytest.fixture
def on_call(database: Database, plans: CarePlans) -> PlansOnCall:
    keyring, clock = KeyRing(b"m" * 32, b"i" * 32), HandClock(datetime(2026, 6, 15, 12, tzinfo=UTC))
    return PlansOnCall(database, keyring, clock, AuditTrail(database, keyring, clock), OneCall(plans))


async def candidates(plans: CarePlans) -> list[str]:
    match = await plans.match_number(NUMBER)
    assert match.outcome is not MatchLevel.UNAVAILABLE
    return [each.plan_id for each in match.candidates]


async def test_what_was_imported_is_matched_and_opened(plans: CarePlans, on_call: PlansOnCall) -> None:
    assert await plans.load([row()]) == ImportReport(imported=1)
    (opened,) = await on_call.open_by_birth_date("call", BORN, HANDLER)
    assert opened.person == "Zzgiven 🙂 Zzfamily'); DROP TABLE plans;--"
    assert (opened.handler_line, opened.valid_from) == ("Zzhandler <b>line</b>", date(2026, 5, 4))


async def test_versions_only_go_up(plans: CarePlans) -> None:
    reports = [await plans.load([row(version=version)]) for version in (3, 3, 2, 999_999_999_999_999)]
    assert reports == [
        ImportReport(imported=1), ImportReport(unchanged=1), ImportReport(unchanged=1), ImportReport(updated=1),
    ]  # fmt: skip


async def test_many_plans_in_one_import(plans: CarePlans) -> None:
    rows = [row(at, plan_id=f"P{at}", nhs_number="", family_name=f"F{at}") for at in range(450)]
    assert (await plans.load(rows)).imported == 450
    assert (await plans.load([Row(each.line, {**each.values, "version": 4}) for each in rows])).updated == 450
    assert len(await candidates(plans)) == 450


async def test_a_person_who_becomes_restricted_leaves_and_may_come_back(plans: CarePlans) -> None:
    await plans.load([row(2), row(3, source="Demo Trust", detail="Other words.")])
    await plans.load([row(version=4, restricted="yes")])
    assert await candidates(plans) == []
    await plans.load([row(version=5, restricted="no")])
    assert len(await candidates(plans)) == 2


async def test_two_imports_at_once_lose_nothing(plans: CarePlans) -> None:
    rows = [[row(at, plan_id=f"P{at}", version=version) for at in range(60)] for version in (1, 2, 3, 4)]
    reports = await asyncio.gather(*(plans.load(each) for each in rows))
    assert sum(report.imported for report in reports) == 60
    assert (await plans.load(rows[3])).unchanged == 60
    assert len(await candidates(plans)) == 60


async def test_a_restriction_beside_an_import_never_leaves_the_number(plans: CarePlans) -> None:
    others = [row(at, source=f"Source {at}") for at in range(20)]
    await asyncio.gather(plans.load(others), plans.load([row(restricted="yes")]), plans.load(others[::-1]))
    assert await candidates(plans) == []


async def test_tries_at_once_are_counted_one_by_one(plans: CarePlans, on_call: PlansOnCall, database: Database) -> None:
    await plans.load([row()])
    tries = [on_call.open_by_birth_date("call", date(1938, 1, day), HANDLER) for day in range(1, 13)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert results.count(()) == 5
    assert sum(isinstance(each, TooManyTries) for each in results) == 7
    recorded = await database.read(lambda connection: connection.execute(select(plan_audit.c.what)).scalars().all())
    assert sorted(recorded) == ["checked_wrong"] * 5 + ["refused"] * 7


async def test_nothing_personal_stands_in_any_table(plans: CarePlans, on_call: PlansOnCall, database: Database) -> None:
    await plans.load([row()])
    opened: tuple[OpenedPlan, ...] = await on_call.open_by_birth_date("call", BORN, HANDLER)
    assert len(opened) == 1
    tables = metadata.sorted_tables
    rows = await database.read(lambda connection: [connection.execute(select(table)).all() for table in tables])
    stored = [repr(tuple(each)) for table in rows for each in table]
    assert len(stored) == 4  # the plan, its number, its view, who looked
    for word in SECRET:
        assert not any(word in line.lower() for line in stored), word
