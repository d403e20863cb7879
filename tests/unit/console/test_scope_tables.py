"""Services and areas: small numbers are held back from all but clinical roles, whichever page or report shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import pairwise

import pytest
from console_world import World
from kpi_world import kpis
from test_console_wallboard import get

from alerts.figures.items import Kpis
from alerts.figures.small_numbers import of_few, shown
from alerts.model import Metric, Rule
from alerts.notices import wording
from callrouter.handover import Role
from console.daily import DayFigures, daily_report
from console.scopes import scope_table
from console.small_numbers import CLINICAL


def area(name: str, answered: int, abandoned: int = 0, late: int = 0) -> Kpis:
    return kpis(f"area:{name}", name, ends={"abandoned": abandoned}, answers={10: answered - late, 90: late})


def table(*found: Kpis) -> Mapping[str, tuple[str, ...]]:
    return {row.id: row.cells for row in scope_table(found, every_count=False).rows}


def test_of_few_calls_nothing_is_told_and_what_the_sum_would_tell_neither() -> None:
    told = table(area("camden", 3), area("brent", 12), area("sutton", 40))
    assert told["camden"] == ("<5", "<5", "–", "–", "–")
    assert told["brent"] == ("–", "–", "–", "–", "–"), "the sum of all calls is known"
    assert told["sutton"][:2] == ("40", "40")


def test_a_share_whose_parts_are_few_is_not_told() -> None:
    told = table(area("camden", 40, late=2), area("brent", 40, late=10), area("sutton", 40))
    assert [told[name][2] for name in ("camden", "brent", "sutton")] == ["–", "75.0%", "100.0%"]


def test_few_who_were_not_answered_do_not_follow_from_those_who_were() -> None:
    told = table(area("camden", 38, abandoned=2), area("brent", 30, abandoned=9), area("sutton", 30, abandoned=12))
    assert told["camden"] == ("40", "–", "–", "–", "–")
    assert told["brent"][1] == "–", "a second one, or the sum would tell"
    assert told["sutton"][:2] == ("40", "30"), "42 and 30, rounded"


@pytest.mark.parametrize("few", [{"a": 1, "b": 1}, {"a": 4, "b": 4, "c": 4}, {"a": 2}])
def test_small_counts_do_not_follow_from_their_sum(few: dict[str, int]) -> None:
    told = shown({**few, "x": 9, "y": 30})
    assert [told["x"], told["y"]] == ["–", "30"]
    assert {told[name] for name in few} == {"<5"}


def test_two_looks_one_call_apart_tell_the_same_nearly_always() -> None:
    """Whoever subtracts learns no single caller, but for one in five looks that one came about then."""
    told = [shown({"a": count, "rest": 300})["a"] for count in range(60)]
    assert sum(before != after for before, after in pairwise(told)) == 12
    assert told[5:9] == ["5", "5", "5", "10"]


def test_a_share_tells_no_more_than_the_rounded_counts() -> None:
    found = area("camden", 34, abandoned=12)  # 12 of 46, 26.1 %; as rounded 10 of 45
    others = area("brent", 400, abandoned=30), area("sutton", 300, abandoned=40)
    assert table(found, *others)["camden"][3] == "22.2%"


def test_who_may_see_every_count_sees_every_count() -> None:
    found = [area("camden", 3), area("brent", 12)]
    assert not scope_table(found, every_count=True).holds_back
    assert scope_table(found, every_count=True).rows[0].cells[:2] == ("3", "3")


@pytest.mark.parametrize(("role", "is_told"), [(Role.CLINICIAN, True), (Role.COMMISSIONER, False)])
async def test_who_waits_for_a_service_is_told_to_clinical_roles_alone(role: Role, is_told: bool) -> None:
    page = await get(World(), "/", role)
    assert (">1:01</td>" in page.text, "Waiting now</th>" in page.text) == (is_told, is_told)


@pytest.mark.parametrize("every_count", [True, False])
def test_the_daily_report_holds_them_back_too(every_count: bool) -> None:
    found = [replace(area("dental", 3), name="dental"), area("clinician", 60), area("111", 90)]
    day = DayFigures(kpis(answers={10: 153}), None, [], found)
    report = daily_report(date(2026, 2, 2), datetime(2026, 2, 3, tzinfo=UTC), day, every_count=every_count)
    assert report.services.rows[0].cells[0] == ("3" if every_count else "<5")


@pytest.mark.parametrize(
    ("metric", "scope", "every_count", "told"),
    [("offered", "area:camden", False, "fewer than 5"), ("offered", "area:camden", True, "3"),
     ("answer_unknown", "service:dental", False, "fewer than 5"), ("offered", "provider:kings", False, "3"),
     ("longest_wait_s", "area:camden", False, "3 s")],
)  # fmt: skip
def test_an_alert_of_a_place_tells_no_small_number(metric: Metric, scope: str, every_count: bool, told: str) -> None:
    rule = Rule(name="few", title="", metric=metric, threshold=9, clear=10, for_s=0, severity="notice", source="",
                usually_helps="", link="", who=())  # fmt: skip
    assert wording.told(rule, 3, of_few=of_few(scope) and not every_count) == told


@pytest.mark.parametrize("path", ["/areas/camden", "/services/dental", "/areas/camden/events"])
@pytest.mark.parametrize("role", [role for role in sorted(Role) if role not in CLINICAL])
async def test_a_page_of_every_count_is_for_clinical_roles_alone(path: str, role: Role) -> None:
    assert (await get(World(open_wallboard=True), path, role)).status_code == 403


async def test_an_area_has_its_items_its_day_and_its_hours() -> None:
    page = await get(World(), "/areas/camden?window=week", Role.PUBLIC_HEALTH)
    assert page.status_code == 200
    for words in ('<h1 class="nhsuk-heading-l">Camden</h1>', "By item", "Hours of the week", "since Monday"):
        assert words in page.text
    assert 'data-cell="waiting">2<' in page.text
    assert 'data-cell="longest">1:15<' in page.text
    today = await get(World(), "/areas/camden", Role.PUBLIC_HEALTH)
    assert ("Who rang again" in today.text, ">118</td>" in today.text) == (True, True)
    assert (await get(World(), "/areas/atlantis", Role.PUBLIC_HEALTH)).status_code == 404
