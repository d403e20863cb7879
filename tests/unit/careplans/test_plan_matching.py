"""A number gives candidates: never one confirmed person, never an exception, never an untrue "none"."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from plan_fixtures import HandClock
from sqlalchemy import Engine, Select, event
from sqlalchemy.dialects.sqlite.pysqlite import dialect

from careplans.model import MatchLevel
from careplans.rows import Row
from careplans.service import CarePlans
from infra.crypto import KeyRing
from infra.numbers import read_number
from infra.sql import Database

MakeRow = Callable[..., Row]
NUMBER = read_number("07700 900101")


async def test_an_unknown_number_has_no_plan(plans: CarePlans) -> None:
    match = await plans.match_number(NUMBER)
    assert (match.outcome, match.reason, match.candidates, match.people) == (MatchLevel.NONE, "no_plan", (), 0)


@pytest.mark.parametrize("raw", ["07700900101", "+447700900101", "0044 7700 900101", "+44 (0)7700 900101"])
async def test_a_number_gives_candidates_however_it_is_written(plans: CarePlans, row: MakeRow, raw: str) -> None:
    await plans.load([row()])
    match = await plans.match_number(read_number(raw))
    assert (match.outcome, match.reason, match.people) == (MatchLevel.CANDIDATES, "by_number", 1)
    (candidate,) = match.candidates
    assert (candidate.source, candidate.author_org, candidate.raises) == (
        "Universal Care Plan",
        "Demo Hospice",
        True,
    )
    assert "P1" not in candidate.plan_id


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("anonymous", "withheld"),
        (None, "withheld"),
        ("08979 123456", "carrier_filler"),
        ("' OR 1=1 --", "unreadable_number"),
        ("<a/>", "unreadable_number"),
        ("🙂", "unreadable_number"),
    ],
)
async def test_some_numbers_are_never_looked_up(broken_plans: CarePlans, raw: str | None, reason: str) -> None:
    """The database has no tables, so any look-up would have answered ``unavailable``."""
    match = await broken_plans.match_number(read_number(raw))
    assert (match.outcome, match.reason) == (MatchLevel.NONE, reason)


async def test_a_failing_store_is_unavailable_not_none(broken_plans: CarePlans) -> None:
    match = await broken_plans.match_number(NUMBER)
    assert (match.outcome, match.reason, match.candidates) == (MatchLevel.UNAVAILABLE, "store_failed", ())


async def test_a_match_is_one_query_on_an_index(
    plans: CarePlans, database: Database, row: MakeRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plans.load([row()])
    seen: list[tuple[Select[Any], Mapping[str, object]]] = []

    async def look_up(query: Select[Any], values: Mapping[str, object], *, lane: str = "") -> Sequence[Sequence[Any]]:
        seen.append((query, values))
        return await asked(query, values, lane=lane)

    asked = database.look_up
    monkeypatch.setattr(database, "look_up", look_up)
    with every_statement() as statements:
        assert (await plans.match_number(NUMBER)).people == 1
    assert statements == [], "beside it nothing is asked"
    ((query, values),) = seen
    sql = str(query.compile(dialect=dialect()))
    assert "wrapped_key" not in sql
    given = [values[name] for name in query.compile(dialect=dialect()).positiontup or ()]
    steps = await database.read(
        lambda connection: connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", tuple(given)).all()
    )
    assert steps
    assert not any(step.detail.startswith("SCAN") for step in steps)


@contextmanager
def every_statement() -> Iterator[list[str]]:
    """What the layer above the driver is asked meanwhile."""
    seen: list[str] = []

    def see(_connection: object, _cursor: object, sql: str, _given: object, _context: object, _many: object) -> None:
        seen.append(sql)

    event.listen(Engine, "before_cursor_execute", see)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", see)


async def test_another_key_ring_finds_nothing_and_says_so(plans: CarePlans, database: Database, row: MakeRow) -> None:
    await plans.load([row()])
    stranger = CarePlans(database, KeyRing(b"m" * 32, b"j" * 32), HandClock())
    assert (await stranger.match_number(NUMBER)).reason == "keys_do_not_fit"


class TestStale:
    """ "Stale" is counted by the date in London, and takes nothing away."""

    @pytest.mark.parametrize(
        ("now", "stale"),
        [
            (datetime(2026, 6, 30, 22, 59, tzinfo=UTC), False),  # 23:59 in London, the last day
            (datetime(2026, 6, 30, 23, 0, tzinfo=UTC), True),  # midnight in London, still June in UTC
        ],
    )
    async def test_by_the_date_in_london(
        self, plans: CarePlans, row: MakeRow, clock: HandClock, now: datetime, stale: bool
    ) -> None:
        await plans.load([row(review_by="2026-06-30")])
        clock.at = now
        (candidate,) = (await plans.match_number(NUMBER)).candidates
        assert candidate.stale is stale

    async def test_it_is_still_shown_and_still_raises(self, plans: CarePlans, row: MakeRow) -> None:
        await plans.load([row(valid_from="2020-01-01", review_by="2021-01-01", kind="crisis plan")])
        (candidate,) = (await plans.match_number(NUMBER)).candidates
        assert (candidate.stale, candidate.raises) == (True, True)

    async def test_without_a_review_date_nothing_is_past(self, plans: CarePlans, row: MakeRow) -> None:
        await plans.load([row(review_by="")])
        (candidate,) = (await plans.match_number(NUMBER)).candidates
        assert (candidate.review_by, candidate.stale) == (None, False)


SECOND = {"plan_id": "P2", "source": "Demo Trust", "detail": "Other words."}
SAME_OR_NOT = {
    "one_nhs_number": ({}, {"given_name": "Edie", "family_name": "Married"}, 1),
    "two_nhs_numbers": ({}, {"nhs_number": "9990000026"}, 2),
    "number_missing_names_equal": ({}, {"nhs_number": "", "given_name": " EDITH"}, 1),
    "number_missing_accents_differ": ({"family_name": "O'Neíl"}, {"family_name": "ONeil", "nhs_number": ""}, 1),
    "number_missing_birth_differs": ({}, {"nhs_number": "", "date_of_birth": "1938-04-13"}, 2),
    "twins": ({"nhs_number": ""}, {"nhs_number": "", "given_name": "Ethel"}, 2),
    "same_bad_nhs_number": ({"nhs_number": "9990000019"}, {"nhs_number": "9990000019", "given_name": "Ann"}, 2),
}


@pytest.mark.parametrize("case", SAME_OR_NOT)
async def test_a_shared_line_is_more_than_one_person(plans: CarePlans, row: MakeRow, case: str) -> None:
    first, second, people = SAME_OR_NOT[case]
    await plans.load([row(2, **first), row(3, **(SECOND | second))])
    match = await plans.match_number(NUMBER)
    assert (match.people, len(match.candidates)) == (people, 2)
    assert match.reason == ("by_number" if people == 1 else "shared_line")


async def test_candidates_come_newest_first(plans: CarePlans, row: MakeRow) -> None:
    dates = ("2025-03-01", "2026-03-01", "2024-03-01")
    await plans.load([row(line, plan_id=day, valid_from=day) for line, day in enumerate(dates)])
    match = await plans.match_number(NUMBER)
    assert [str(each.valid_from) for each in match.candidates] == ["2026-03-01", "2025-03-01", "2024-03-01"]
