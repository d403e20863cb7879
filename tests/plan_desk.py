"""The console over a real plan store: two calls, and one patient with two plans that disagree."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime, timedelta

from fastapi import FastAPI

from alerts.figures.items import Kpis
from alerts.model import Figures, MinutePoint
from callrouter.errors import PlanClosed
from callrouter.handover import CallPage, OpenedPlan, PlanNotice, SignedIn
from callrouter.journal import Journal
from callrouter.plans.access import PlanAccess
from callrouter.plans.matched_calls import JournalCalls
from callrouter.plans.pages import shown, viewer_of
from callrouter.view import CallView
from careplans.access.on_call import PlansOnCall
from careplans.access.passing_on import PassingOn
from careplans.access.ports import MatchedCall
from careplans.audit.heads import HeadSigner
from careplans.audit.keeping import HeadLoop, LateEntries
from careplans.errors import CarePlanError
from careplans.records import PlanRecords
from console.ports import FiringAlert
from console.routes import Figures as FigurePorts
from console.routes import console_router, mount_static
from console.session import Sessions
from infra.health import Health
from infra.numbers import read_number
from infra.sql import Database
from tests.plan_house import KEYS, House

CONTEXT, OTHER_CONTEXT = "0" * 31 + "1", "0" * 31 + "2"
NUMBERS = {CONTEXT: "07700 900101", OTHER_CONTEXT: "07700 900199"}
OLDER = {
    "plan_id": "P3", "source": "Demo Trust", "author_org": "Demo Trust", "valid_from": "2024-05-04",
    "review_by": "2025-05-04", "handler_line": "Never offer the hospice line.", "detail": "Written before the move.",
}  # fmt: skip


class PlanDesk(House):
    """The house of plans, with two calls that were handed over, and the pages of the console."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.sessions = Sessions(
            "a-secret-of-the-tests-and-of-nothing-else", clock=self.clock, development_sign_in=True
        )
        self._ended_at: datetime | None = None
        on_call = PlansOnCall(database, KEYS, self.clock, self.trail, self)
        health = Health(self.clock)
        self.access = PlanAccess(
            trail=self.trail, calls=JournalCalls(Journal(database, KEYS), {}), on_call=on_call,
            references=self.references, emergency=self.emergency,
            reviews=self.reviews, who_saw=self.who_saw, late=LateEntries(self.trail, self.told, self.clock, health),
            passing_on=PassingOn(on_call, self.trail, self.clock, ("Demo GP out-of-hours",)),
            records=PlanRecords(database, KEYS, self.clock, self.trail),
            heads=HeadLoop(database, HeadSigner(b"s" * 32), [], self.clock, health),
        )  # fmt: skip

    async def fill(self) -> None:
        """One patient, two plans."""
        await self.load({"review_by": "2027-05-04"}, OLDER)

    def hang_up(self) -> None:
        self._ended_at = self.clock.now()

    def app(self, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None) -> FastAPI:
        """The console."""
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
        router = console_router(
            figures=FigurePorts(NoBoard(), NoBoard(), NoBoard()),
            pages=self,
            sessions=self.sessions,
            clock=self.clock,
            plans=self.access,
        )
        app.include_router(router)
        mount_static(app)
        return app

    async def by_context(self, context: str) -> MatchedCall | None:
        """:class:`careplans.access.ports.MatchedCalls`."""
        if context not in NUMBERS:
            return None
        match = await self.plans.match_number(read_number(NUMBERS[context]))
        ended = self._ended_at if context == CONTEXT else None
        return MatchedCall(f"call {context[-1]}", tuple(each.plan_id for each in match.candidates), ended)

    async def page(self, context: str, _who: SignedIn) -> CallPage | None:
        """:class:`callrouter.handover.CallPages`, as the methods below."""
        if context not in NUMBERS:
            return None
        match = await self.plans.match_number(read_number(NUMBERS[context]))
        offered = self.clock.now() - timedelta(minutes=2)
        view = CallView(
            call_ref=context, context=context, network="sip", number=str(read_number(NUMBERS[context]).e164),
            cli_class="present", offered_at=offered, answered_at=offered + timedelta(seconds=40),
        )  # fmt: skip
        # what the page says of plans is what it said when the call came: the check must hold by itself
        return CallPage(view, PlanNotice("candidates", match.reason, max(1, match.people)), "NRC", ())

    async def check_birth_date(self, context: str, born: date, who: SignedIn) -> tuple[OpenedPlan, ...]:
        try:
            return tuple(map(shown, await self.access.on_call.open_by_birth_date(context, born, viewer_of(who))))
        except CarePlanError as error:
            raise PlanClosed(str(error)) from error

    async def open_checked(self, context: str, who: SignedIn) -> tuple[OpenedPlan, ...]:
        try:
            return tuple(map(shown, await self.access.on_call.open_checked(context, viewer_of(who))))
        except CarePlanError as error:
            raise PlanClosed(str(error)) from error


class NoBoard:
    """A wallboard that knows nothing, of now or before, nor of alerts."""

    def figures(self) -> Figures | None:
        return None

    def minutes(self, _count: int) -> tuple[MinutePoint, ...]:
        return ()

    def window(self, *_asked: object) -> tuple[Kpis, ...]:
        return ()

    async def hours(self, *_asked: object, **_more: object) -> tuple[Kpis, ...]:
        return ()

    days = hours

    async def firing(self) -> tuple[FiringAlert, ...]:
        return ()
