"""A small world for the console: figures that a test moves, and calls whose plans open by date of birth."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from fastapi import FastAPI
from kpi_world import kpis

from alerts.figures.items import TOTAL, Kpis, Scope, ScopeKind, Seconds, Values
from alerts.figures.items import Clock as ItemClock
from alerts.figures.waiting import WaitingNow
from alerts.model import Figures, MinutePoint, ScopeFigures
from callrouter.errors import PlanClosed, TooManyTries
from callrouter.handover import CallPage, OpenedPlan, PlanNotice, SignedIn, TimelineRow
from callrouter.view import CallView, Choice, RedFlag
from console.city_map import squares
from console.routes import Figures as FigurePorts
from console.routes import console_router, mount_static
from console.session import Sessions
from console.sign_in_notes import Notes
from console.sign_in_oidc import OpenId, ProviderPort
from console.web import Web, add_not_found

NOON = datetime(2026, 2, 3, 12, 0, tzinfo=UTC)
SECRET = "a-secret-of-the-tests-and-of-nothing-else"
CONTEXT = "0123456789abcdef0123456789abcdef"
BORN = date(1948, 5, 3)
HANDLER_LINE = "Do not send home visits without ringing the daughter first."
DETAIL = "Two admissions in March; lithium level to be checked."
TRIES = 5


@dataclass
class SetClock:
    """A clock that stands where a test puts it."""

    at: datetime = NOON

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


def scope(name: str, title: str, **figures: Any) -> ScopeFigures:
    """Figures of one provider on a lively day; ``figures`` replaces some."""
    usual: dict[str, Any] = {
        "waiting": 2, "longest_wait_s": 41.0, "offered": 512, "answered": 470,
        "answered_within_60": 449, "abandoned": 13, "in_progress": 6,
    }  # fmt: skip
    return ScopeFigures(scope=name, name=title, **{**usual, **figures})


def lively_figures() -> Figures:
    """Four providers, one of them with a wait over 60 s and one without calls."""
    providers = (
        scope("north_west", "North West London"),
        scope("south_east", "South East London", waiting=7, longest_wait_s=127.4, abandoned=31),
        scope(
            "north_central", "North Central London", waiting=0, longest_wait_s=0.0, offered=1204, answered=1160,
            answered_within_60=1101, abandoned=31, in_progress=13,
        ),
        scope(
            "clinical", "London clinical assessment service", waiting=0, longest_wait_s=0.0,
            offered=0, answered=0, answered_within_60=0, abandoned=0, in_progress=0,
        ),
    )  # fmt: skip
    total = scope(
        "total", "Whole service", waiting=9, longest_wait_s=127.4, offered=2148, answered=1937,
        answered_within_60=1833, abandoned=57, deflected=96, left_in_message=22, in_progress=31, answer_unknown=5,
    )  # fmt: skip
    return Figures(NOON, total, providers)


def lively_minutes() -> tuple[MinutePoint, ...]:
    """Half an hour with a peak in its middle."""
    start = NOON - timedelta(minutes=29)
    return tuple(
        MinutePoint(start + timedelta(minutes=n), 12 + (n * 7) % 9, 10 + (n * 5) % 8, 95.0 - 6.0 * abs(15 - n))
        for n in range(30)
    )


@dataclass
class SetBoard:
    """A live board whose figures a test replaces."""

    now: Figures | None = field(default_factory=lively_figures)
    points: tuple[MinutePoint, ...] = field(default_factory=lively_minutes)

    def figures(self) -> Figures | None:
        return self.now

    def waiting(self, kind: ScopeKind) -> dict[Scope, WaitingNow] | None:
        if self.now is None:
            return None
        if kind == "provider":
            return {
                Scope(kind, each.scope): WaitingNow(each.waiting, each.longest_wait_s) for each in self.now.providers
            }
        return {Scope("service", "dental"): WaitingNow(3, 61.0), Scope("area", "camden"): WaitingNow(2, 75.4)}

    def oddities(self) -> dict[str, int]:
        return {"unreadable": 0, "from_future": 2, "negative": 0}

    def minutes(self, count: int) -> tuple[MinutePoint, ...]:
        return self.points[-count:]

    def window(
        self, minutes: int | Literal["today"], kind: ScopeKind, clock: ItemClock = "offered"
    ) -> tuple[Kpis, ...]:
        found = tuple(each for each in lively_kpis(minutes, clock) if each.scope.kind == kind)
        return found if self.now is not None else ()

    def set_total(self, **figures: Any) -> None:
        """Change figures of the whole service."""
        assert self.now is not None
        self.now = replace(self.now, total=replace(self.now.total, **figures))


def lively_kpis(minutes: int | Literal["today"], clock: ItemClock) -> Iterator[Kpis]:
    """The same day by item code: of the whole service, four providers, three services and all areas."""
    length = 720 if minutes == "today" else minutes

    def part(calls: int) -> int:
        return calls * length // 720

    def some(scope: str, name: str, of: ScopeFigures) -> Kpis:
        in_time, late = of.answered_within_60, of.answered - of.answered_within_60
        answers = {5: part(in_time * 4 // 5), 45: part(in_time - in_time * 4 // 5), 150: part(late)}
        if clock == "message_end":
            answers = {max(1, second - 4): calls for second, calls in answers.items()}
        others = ("answer_unknown", "abandoned", "deflected", "left_in_message", "in_progress")
        ends = {each: part(getattr(of, each)) for each in others}
        abandoned = ends["abandoned"]
        found = kpis(
            scope, name, NOON - timedelta(minutes=length), NOON, clock, ends, answers,
            A02=sum(ends.values()) + sum(answers.values()), B03=abandoned // 2, B04=0, B05=abandoned - abandoned // 2,
            B09=abandoned * 41,
        )  # fmt: skip
        return replace(found, waits=found.seconds + Seconds({20: abandoned // 2, 140: abandoned // 4, 400: 1}))

    figures = lively_figures()
    yield some("total", "Whole service", figures.total)
    for each in figures.providers:
        yield some(f"provider:{each.scope}", each.name, each)
    for name, of in zip(("111", "clinician", "dental"), figures.providers, strict=False):
        yield some(f"service:{name}", name, of)
    for n, square in enumerate(squares()):
        yield kpis(f"area:{square.id}", square.name, answers={10: 3 + 41 * n % 67})
    yield kpis("area:unknown", "Not known", answers={10: 1087})


def _busy(hour: datetime) -> int:
    """Calls of an hour: a wave over the day, higher at weekends."""
    at_weekend = hour.weekday() >= 5
    return 20 + (12 - abs(11 + 3 * at_weekend - hour.hour)) * (9 if at_weekend else 6) + 7 * hour.day % 5


def _times(days: int, values: Values) -> Values:
    return {code: None if value is None else value * days for code, value in values.items()}


@dataclass
class SetPast:
    """A past of eight lively weeks; empty, or away, if a test says so."""

    empty: bool = False
    away: bool = False
    until: datetime | None = NOON
    hangs: asyncio.Event | None = None

    async def counted_until(self) -> datetime | None:
        if self.hangs is not None:
            await self.hangs.wait()
        self._answer()
        return self.until

    async def hours(
        self, first: date, last: date, kind: ScopeKind, clock: ItemClock = "offered", only: str | None = None
    ) -> list[Kpis]:
        if self.hangs is not None:
            await self.hangs.wait()
        self._answer()
        found = [each for each in lively_kpis(60, clock) if each.scope == Scope(kind, only or "") and not self.empty]
        start = datetime(first.year, first.month, first.day, tzinfo=UTC)
        hours = [start + timedelta(hours=n) for n in range(24 * ((last - first).days + 1))]
        return [
            kpis(str(each.scope), each.name, hour, None, clock, {"abandoned": 1 + busy // 40},
                 {12: busy, 70: busy // 20, 190: busy // 25})
            for hour in hours if hour < NOON for each in found for busy in (_busy(hour),)
        ]  # fmt: skip

    async def window(self, start: datetime, end: datetime, kind: ScopeKind, clock: ItemClock = "offered") -> list[Kpis]:
        self._answer()
        found = [each for each in lively_kpis("today", clock) if each.scope.kind == kind and not self.empty]
        days = (end - start).days
        return [replace(each, start=start, end=end, values=_times(days, each.values)) for each in found]

    async def recontact(self, start: datetime, end: datetime, kind: ScopeKind = "total") -> dict[Scope, Values]:
        if self.hangs is not None:
            await self.hangs.wait()
        self._answer()
        again = {"RECONTACT_BASE": 118.0, "RECONTACT_1H": 4.0, "RECONTACT_24H": 9.0, "RECONTACT_72H": 9.0}
        of = {"total": TOTAL, "provider": Scope("provider", "south_east"), "area": Scope("area", "camden")}
        return {of[kind]: again} if kind in of else {}

    async def days(self, first: date, last: date, kind: ScopeKind, clock: ItemClock = "offered") -> list[Kpis]:
        self._answer()
        return [] if self.empty else [each for each in lively_kpis("today", clock) if each.scope.kind == kind]

    def _answer(self) -> None:
        if self.away:
            raise OSError


@dataclass(frozen=True)
class Firing:
    """An alert."""

    title: str = "Callers wait too long"
    where: str = "South East London"
    scope: str = "provider:south_east"
    severity: str = "critical"
    since: datetime = NOON - timedelta(minutes=7)
    acknowledged: bool = False
    link: str = "/alerts/longest-wait"


@dataclass
class SetAlerts:
    """The alerts that a test sets; with ``away`` nobody knows them."""

    now: tuple[Firing, ...] = (Firing(),)
    away: bool = False

    async def firing(self) -> tuple[Firing, ...]:
        if self.away:
            raise OSError
        return self.now


def call_page(**changes: Any) -> CallPage:
    """A caller who chose mental health and has one possible plan."""
    view = CallView(
        call_ref="call-1", context=CONTEXT, network="sip", number="+447700900123", cli_class="present",
        offered_at=NOON - timedelta(seconds=95), answered_at=NOON, provider="north_west", service="clinical",
        band="urgent", choices=(Choice(NOON - timedelta(seconds=80), "menu", "mental_health", "key"),),
        red_flags=(RedFlag(NOON - timedelta(seconds=70), "breathing", "can't get my breath"),),
    )  # fmt: skip
    rows = (
        TimelineRow(NOON - timedelta(seconds=95), "Call arrived"),
        TimelineRow(NOON - timedelta(seconds=80), "Pressed 2: mental health"),
        TimelineRow(NOON - timedelta(seconds=60), "Put through to North West London"),
        TimelineRow(NOON, "Answered"),
    )
    page = CallPage(replace(view, **changes.pop("call", {})), PlanNotice("candidates", "", 1), "PRC", rows)
    return replace(page, **changes)


def plan(**changes: Any) -> OpenedPlan:
    """A crisis plan whose review is overdue."""
    crisis = OpenedPlan(
        person="Margaret Example", kind="mental_health_crisis_plan", source="Universal Care Plan",
        author_org="Northgate Trust", valid_from=date(2024, 3, 11), review_by=date(2025, 3, 11), stale=True,
        handler_line=HANDLER_LINE, detail=DETAIL,
    )  # fmt: skip
    return replace(crisis, **changes)


@dataclass
class Desk:
    """The hand-over: one call, its plans by date of birth, and a record of every view and try."""

    page_of_call: CallPage = field(default_factory=call_page)
    plans: Mapping[date, tuple[OpenedPlan, ...]] = field(default_factory=lambda: {BORN: (plan(),)})
    views: list[SignedIn] = field(default_factory=list)
    tries: list[tuple[date, SignedIn]] = field(default_factory=list)

    async def page(self, context: str, who: SignedIn) -> CallPage | None:
        if context != self.page_of_call.call.context:
            return None
        self.views.append(who)
        return self.page_of_call

    async def open_checked(self, context: str, who: SignedIn) -> tuple[OpenedPlan, ...]:
        if self.page_of_call.plan.count > 1:
            raise PlanClosed("several people on this line: a date of birth must tell who it is")
        return self.plans.get(BORN, ())

    async def check_birth_date(self, context: str, born: date, who: SignedIn) -> tuple[OpenedPlan, ...]:
        if len(self.tries) >= TRIES:
            raise TooManyTries
        self.tries.append((born, who))
        return self.plans.get(born, ())


@dataclass
class World:
    """The console over these ports, as the wiring would mount it."""

    clock: SetClock = field(default_factory=SetClock)
    board: SetBoard = field(default_factory=SetBoard)
    past: SetPast = field(default_factory=SetPast)
    alerts: SetAlerts = field(default_factory=SetAlerts)
    desk: Desk = field(default_factory=Desk)
    production: bool = False
    open_wallboard: bool = False
    tells_small_counts: bool = False
    provider: ProviderPort | None = None

    def __post_init__(self) -> None:
        open_to_all = not self.production and self.provider is None
        self.sessions = Sessions(SECRET, clock=self.clock, production=self.production, development_sign_in=open_to_all)

    def app(self) -> FastAPI:
        """A fresh application."""
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        router = console_router(
            figures=FigurePorts(self.board, self.past, self.alerts), pages=self.desk, sessions=self.sessions,
            clock=self.clock, open_wallboard=self.open_wallboard, tells_small_counts=self.tells_small_counts,
            openid=OpenId(self.provider, Notes(SECRET, self.sessions, self.clock)) if self.provider else None,
        )  # fmt: skip
        app.include_router(router)
        mount_static(app)
        add_not_found(app, Web(self.sessions))
        return app
