"""The wallboard, places, needs and the report, walked as no clinicians: no small number of one, nor its rest."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import date, datetime
from html import unescape
from typing import Any, Literal

import pytest
from console_world import NOON, SetBoard, SetPast, World
from fastapi.routing import APIRoute
from hypothesis import given
from hypothesis import strategies as st
from kpi_world import kpis
from starlette.routing import BaseRoute
from test_console_wallboard import get

from alerts.figures.items import Clock, Kpis, ScopeKind
from alerts.figures.small_numbers import held_back
from alerts.model import Figures, MinutePoint
from alerts.model import ScopeFigures as Live
from callrouter.handover import Role, SignedIn
from console.city_map import squares
from console.small_numbers import CLINICAL

BOROUGHS = {each.name: each.id for each in squares()}
PLACES = {"Camden": 4, "Brent": 1, "Sutton": 2, "Bexley": 37, "Barnet": 61}
"""Their sum, and that of the needs, is told with all calls: 1,111."""
NEEDS = {"Dental": 3, "Mental health": 46, "Clinician": 131, "111": 931}
CALLS = 1111
WINDOWS = ("?window=5", "?window=15", "?window=60", "?window=week", "?from=2026-02-01&to=2026-02-02", "?screen=big")


def figures(kind: ScopeKind, clock: Clock) -> Iterator[Kpis]:
    def some(scope: str, name: str, calls: int) -> Kpis:
        return kpis(scope, name, NOON, None, clock, {"abandoned": calls // 3}, {10: calls - calls // 3})

    match kind:
        case "total":
            yield some("total", "Whole service", CALLS)
        case "provider":
            yield some("provider:south_east", "South East London", CALLS)
        case "service":
            yield from (some(f"service:{name.lower().replace(' ', '_')}", name, calls) for name, calls in NEEDS.items())
        case "area":
            yield from (some(f"area:{BOROUGHS[name]}", name, calls) for name, calls in PLACES.items())
            yield some("area:unknown", "Not known", CALLS - sum(PLACES.values()))


class FewBoard(SetBoard):
    def window(self, minutes: int | Literal["today"], kind: ScopeKind, clock: Clock = "offered") -> tuple[Kpis, ...]:
        return tuple(figures(kind, clock))


class FewPast(SetPast):
    async def window(self, start: datetime, end: datetime, kind: ScopeKind, clock: Clock = "offered") -> list[Kpis]:
        return list(figures(kind, clock))

    async def days(self, first: date, last: date, kind: ScopeKind, clock: Clock = "offered") -> list[Kpis]:
        return list(figures(kind, clock))


def addresses(world: World, *, streams: bool = False) -> Iterator[str]:
    """Every page that can be got, of each place and need; or every stream of a page."""
    values = {"provider": ["south_east"], "day": ["2026-02-02"], "name": ["camden", "dental"], "context": ["c" * 32]}
    for route in _routes(world.app().routes):
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()) and route.path.endswith("/events") is streams:
            names = re.findall(r"{(\w+)}", route.path)
            for value in values[names[0]] if names else [""]:
                yield route.path.replace(f"{{{names[0]}}}", value) if names else route.path


def _routes(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    for route in routes:
        inner = getattr(route, "original_router", None)  # of a router that was included
        yield from [route] if inner is None else _routes(inner.routes)


@dataclass(frozen=True)
class Shown:
    """What stands behind a name: a number, or that it is withheld."""

    name: str
    cells: tuple[str, ...]

    @property
    def count(self) -> int | None:
        return int(self.cells[0].replace(",", "")) if re.fullmatch(r"[\d,]+", self.cells[0]) else None


def tables(html: str, known: Mapping[str, int]) -> Iterator[list[Shown]]:
    """The tables of which rows bear these names."""
    for table in re.findall(r"<table.*?</table>", html, re.S):
        found = []
        for row in re.findall(r"<tr.*?</tr>", table, re.S):
            cells = [unescape(re.sub(r"<[^>]*>", "", each)).strip() for each in
                     re.findall(r"<t[hd].*?</t[hd]>", row, re.S)]  # fmt: skip
            if cells and cells[0] in known:
                found.append(Shown(cells[0], tuple(each for each in cells[1:] if re.match(r"[\d<–]", each))))
        if found:
            yield found


@pytest.mark.parametrize("role", [role for role in sorted(Role) if role not in CLINICAL])
async def test_no_page_tells_a_small_number_or_what_it_follows_from(role: Role) -> None:
    world = World(board=FewBoard(), past=FewPast(), open_wallboard=True)
    seen = 0
    pages = [*addresses(world)]
    for address in [*pages, *(f"/{window}" for window in WINDOWS)]:
        page = await get(world, address, role)
        if page.status_code == 200:
            seen += tables_without_small_numbers(page.text, address)
    assert len(pages) > 8
    assert seen > 10


def tables_without_small_numbers(text: str, address: str) -> int:
    """How many tables and maps of places and needs stand there, each without small numbers and what tells them."""
    seen = 0
    for known, elsewhere in ((PLACES, CALLS - sum(PLACES.values())), (NEEDS, 0)):
        few = {name for name, calls in known.items() if calls < 5}
        for found in tables(text, known):
            seen += 1
            withheld = {each.name: known[each.name] for each in found if each.count is None}
            assert few <= withheld.keys(), (address, found)
            cells = [cell for each in found if each.name in few for cell in each.cells]
            assert not [cell for cell in cells if re.fullmatch(r"[1-4]", cell)], (address, found)
            assert all(each.count % 5 == 0 for each in found if each.count is not None), (address, found)
            rest = CALLS - elsewhere - sum(known[each.name] for each in found if each.count is not None)
            assert rest == sum(withheld.values())
            assert len(withheld) > 1, f"{address}: the sum of all calls tells the only one that is withheld"
            assert set(withheld) - few or rest not in (len(few), 4 * len(few)), address
    told = re.findall(r'map__name"[^>]*>([^<]*)<.*?map__count"[^>]*>([^<]*)<', text, re.S)
    short = {each.short: PLACES.get(each.name, 0) for each in squares()}
    assert not [name for name, text in told if short[unescape(name)] < 5 and re.fullmatch(r"\d+", text)], address
    return seen + bool(told)


@pytest.mark.parametrize("role", [role for role in sorted(Role) if role not in CLINICAL])
async def test_no_event_stream_tells_one_either(role: Role) -> None:
    world = World(board=FewBoard(), past=FewPast(), open_wallboard=True)
    seen, streams = 0, [*addresses(world, streams=True)]
    for address in [*streams, *(f"/wallboard/events{window}" for window in WINDOWS)]:
        status, told = await first_events(world, address, role)
        assert status == (403 if re.match("/(areas|services)/", address) else 200), address
        seen += tables_without_small_numbers(told, address)
    assert len(streams) >= 4
    assert seen > 10


async def first_events(world: World, address: str, role: Role) -> tuple[int, str]:
    """The status, and all fragments that a page's stream tells at first; then the browser leaves."""
    path, _, query = address.partition("?")
    cookie = f"{world.sessions.cookie_name}={world.sessions.sign(SignedIn('Sam', role))}"
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
             "headers": [(b"host", b"console.test"), (b"cookie", cookie.encode())], "http_version": "1.1",
             "scheme": "http", "server": ("console.test", 80), "client": ("127.0.0.1", 1)}  # fmt: skip
    status, body, left, asked = 0, b"", asyncio.Event(), False

    async def receive() -> dict[str, object]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status, body
        status = message.get("status", status)
        body += message.get("body", b"")
        if message.get("body"):
            left.set()

    await world.app()(scope, receive, send)
    data = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: ")]
    return status, "".join(value for each in data for value in each.values() if isinstance(value, str))


OF_PROVIDERS = {"kings": (3, 203), "thames": (1, 101), "river": (61, 961)}
"""Of each provider who gave up, and all calls."""
FEW_AT_ALL = {"left_in_message": 2, "dropped_by_us": 4}


def performance(kind: ScopeKind, clock: Clock) -> Iterator[Kpis]:
    if kind == "provider":
        for name, (abandoned, calls) in OF_PROVIDERS.items():
            answers = {10: calls - abandoned - 2, 70: 2}
            yield kpis(f"provider:{name}", name, NOON, None, clock, {"abandoned": abandoned}, answers, B03=1, B04=0,
                       B05=abandoned - 1, RECONTACT_BASE=7, RECONTACT_72H=2)  # fmt: skip
    if kind == "total":
        yield kpis("total", "All", NOON, None, clock, {"abandoned": 65, **FEW_AT_ALL}, {10: 1194, 70: 6}, D13=3, D14=2)


class SmallBoard(SetBoard):
    def figures(self) -> Figures:
        some = [
            Live(scope=name, name=name, offered=calls, answered=calls - few, answered_within_60=calls - few - 2,
                 abandoned=few)
            for name, (few, calls) in OF_PROVIDERS.items()
        ]  # fmt: skip
        total = Live(
            scope="total", name="All", offered=1271, answered=1200, answered_within_60=1194, abandoned=65, **FEW_AT_ALL
        )
        return Figures(NOON, total, tuple(some))

    def minutes(self, count: int) -> tuple[MinutePoint, ...]:
        return (MinutePoint(NOON, 3, 2, 0), MinutePoint(NOON, 9, 11, 0), MinutePoint(NOON, 12, 4, 0))

    def window(self, minutes: int | Literal["today"], kind: ScopeKind, clock: Clock = "offered") -> tuple[Kpis, ...]:
        return tuple(performance(kind, clock))


class SmallPast(SetPast):
    async def window(self, start: datetime, end: datetime, kind: ScopeKind, clock: Clock = "offered") -> list[Kpis]:
        return list(performance(kind, clock))

    async def days(self, first: date, last: date, kind: ScopeKind, clock: Clock = "offered") -> list[Kpis]:
        return list(performance(kind, clock))


PAGES = ("/", "/?window=5", "/?window=week", "/providers/kings", "/providers/thames?window=60",
         "/providers/kings?window=week", "/reports/daily/2026-02-02", "/?screen=big")  # fmt: skip
STREAMS = ("/wallboard/events", "/wallboard/events?window=5", "/providers/kings/events?window=60")


def told_small(html: str) -> list[str]:
    """What stands alone between two tags, or in an event, and is 1 to 4; and shares that are of so few."""
    cells = [*re.findall(r">\s*([^<>]+?)\s*<", html), *re.findall(r'": "([^"]*)"', html)]
    shares = {f"{100 * few / calls:.1f}%" for few, calls in OF_PROVIDERS.values() if few < 5}
    return [each for each in cells if re.fullmatch(r"[1-4]", each) or each in shares]


@pytest.mark.parametrize("role", [role for role in sorted(Role) if role not in CLINICAL])
async def test_no_small_count_of_a_provider_or_of_all_is_told_unless_the_site_has_signed_it(role: Role) -> None:
    for signed in (False, True):
        world = World(board=SmallBoard(), past=SmallPast(), open_wallboard=True, tells_small_counts=signed)
        seen = 0
        for address in PAGES:
            page = await get(world, address, role)
            if page.status_code == 200:
                assert bool(told_small(page.text)) is signed, (address, told_small(page.text))
                seen += 1
        assert seen >= 7
        for address in STREAMS:
            status, told = await first_events(world, address, role)
            assert status == 200
            assert signed or not told_small(told), (address, told_small(told))


async def test_clinical_roles_are_told_every_count() -> None:
    page = await get(World(board=SmallBoard(), past=SmallPast()), "/", Role.CLINICIAN)
    assert told_small(page.text)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 40)), min_size=1, max_size=5))
def test_no_small_count_follows_from_what_is_told_beside_it(providers: list[tuple[int, int, int]]) -> None:
    found = [
        kpis(f"provider:{n}", str(n), ends={"abandoned": gave_up}, answers={10: in_time, 90: late})
        for n, (gave_up, late, in_time) in enumerate(providers)
    ]
    told = held_back(found)
    for each, real in zip(told, found, strict=True):
        held = each.held or {}
        counts = [each.values[code] for code in ("A01", "A03", "B01", "B02")]
        assert not [count for count in counts if count is not None and count < 5]
        rest = int(real.of("A01") or 0) - sum(int(each.values[code] or 0) for code in ("A03", "B02"))
        if "A01" not in held and {"A03", "B02"} & held.keys():
            assert rest == 0 or rest >= 5, "what is left of the calls is no small count"
        if "A03" not in held and "B01" not in held:
            late = int(real.of("A03") or 0) - int(real.of("B01") or 0)
            assert late == 0 or late >= 5
    for code in ("A01", "A03", "B02"):
        hidden = [real for each, real in zip(told, found, strict=True) if code in (each.held or {})]
        assert len(hidden) != 1 or len(found) == 1, "the whole service's count would tell the only one"
