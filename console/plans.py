"""Plans without a call: by a reference that was passed on, by broken glass; and what information governance sees."""

from __future__ import annotations

from datetime import date
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from callrouter.plans.access import PlanAccess
from callrouter.plans.pages import shown, viewer_of
from careplans.access.emergency import LONGEST_REASON, SHORTEST_REASON
from careplans.access.patient import PatientAsked
from careplans.access.rules import ALLOWED, EMERGENCY_LIFE, Action
from careplans.errors import (
    AlreadyReviewed,
    CarePlanError,
    KeysDoNotFit,
    NotOnePatient,
    OwnEmergency,
    PlanStoreFailed,
    PlanUnreadable,
    ReasonMissing,
    UnknownEmergency,
)
from console import words
from console.birth_date import Problem, Typed
from console.errors import NoSuchPage
from console.session import Session
from console.web import Web
from infra.clock import Clock
from infra.roles import Role

PLACES = {
    "reference": ("By reference", Action.OPEN_REFERENCE),
    "emergency": ("Emergency access", Action.BREAK_GLASS),
    "reviews": ("Reviews", Action.REVIEW_EMERGENCIES),
    "seen": ("Who saw a plan", Action.SEE_WHO_SAW),
}
"""The pages of this module by the last part of their address, with who may open them."""
SAID = {
    NotOnePatient: "This is not exactly one patient with a plan. Check what you typed",
    ReasonMissing: f"Say why, in at least {SHORTEST_REASON} characters",
    PlanStoreFailed: "Plans cannot be read just now, and nothing was opened. Try again in a minute",
    PlanUnreadable: "A plan does not open. Tell whoever runs the service",
    KeysDoNotFit: "Plans cannot be looked for: the service has not got their keys. Tell whoever runs the service",
    AlreadyReviewed: "Somebody has reviewed it already",
    OwnEmergency: "Nobody reviews what they opened themselves",
}
"""What is said of an error; of any other, its own words."""
VERDICTS = {"accepted": True, "not_accepted": False}


def add_plans(router: APIRouter, web: Web, plans: PlanAccess, clock: Clock) -> None:
    """``/plans`` and what is below it."""
    pages = _Pages(web, plans, clock)

    @router.get("/plans", name="plans")
    async def first(request: Request) -> Response:
        session = web.require(request, *sorted({role for _, action in PLACES.values() for role in ALLOWED[action]}))
        return RedirectResponse(f"/plans/{places(session.who.role)[0][0]}", status_code=303)

    @router.get("/plans/reference", name="plan_reference")
    async def ask_reference(request: Request) -> Response:
        pages.require(request, "reference")
        return pages.show(request, "plan_reference.html")

    @router.post("/plans/reference")
    async def reference(request: Request) -> Response:
        session = pages.require(request, "reference")
        return await pages.by_reference(request, session, await web.form(request, session))

    @router.get("/plans/emergency", name="plan_emergency")
    async def ask_emergency(request: Request) -> Response:
        pages.require(request, "emergency")
        return pages.show(request, "plan_emergency.html", minutes=_MINUTES, longest=LONGEST_REASON)

    @router.post("/plans/emergency")
    async def emergency(request: Request) -> Response:
        session = pages.require(request, "emergency")
        return await pages.break_glass(request, session, await web.lists(request, session))

    @router.get("/plans/emergency/{emergency_id}", name="plan_emergency_open")
    async def opened(request: Request, emergency_id: str) -> Response:
        session = pages.require(request, "emergency")
        return await pages.emergency(request, session, emergency_id)

    _add_governance(router, web, pages)


def _add_governance(router: APIRouter, web: Web, pages: _Pages) -> None:
    @router.get("/plans/seen", name="plan_seen")
    async def ask_seen(request: Request) -> Response:
        pages.require(request, "seen")
        return pages.show(request, "plan_seen.html")

    @router.post("/plans/seen")
    async def seen(request: Request) -> Response:
        session = pages.require(request, "seen")
        return await pages.seen(request, session, await web.form(request, session))

    @router.get("/plans/reviews", name="plan_reviews")
    async def reviews(request: Request) -> Response:
        session = pages.require(request, "reviews")
        return await pages.reviews(request, session)

    @router.get("/plans/reviews/{emergency_id}", name="plan_review")
    async def review(request: Request, emergency_id: str) -> Response:
        session = pages.require(request, "reviews")
        return await pages.review(request, session, emergency_id)

    @router.post("/plans/reviews/{emergency_id}")
    async def decide(request: Request, emergency_id: str) -> Response:
        session = pages.require(request, "reviews")
        return await pages.decide(request, session, emergency_id, await web.lists(request, session))


def places(role: Role) -> list[tuple[str, str]]:
    """The pages that this role may open: address and name."""
    return [(place, name) for place, (name, action) in PLACES.items() if role in ALLOWED[action]]


_MINUTES = int(EMERGENCY_LIFE.total_seconds() // 60)


class _Pages:
    """What the addresses above do."""

    def __init__(self, web: Web, plans: PlanAccess, clock: Clock) -> None:
        self._web = web
        self._plans = plans
        self._clock = clock

    def require(self, request: Request, place: str) -> Session:
        # The role is asked twice: here for a page that says what to do, in the service because it counts there.
        return self._web.require(request, *sorted(ALLOWED[PLACES[place][1]]))

    def show(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        session = self._web.require(request)
        return self._web.page(request, template, status, places=places(session.who.role), **values)

    async def by_reference(self, request: Request, session: Session, fields: dict[str, str]) -> Response:
        typed = fields.get("ref", "").strip()
        if not typed:
            return self.show(request, "plan_reference.html", 422, problem="Enter the reference")
        try:
            plans = await self._plans.references.open(typed, viewer_of(session.who))
        except CarePlanError as error:
            return self.show(request, "plan_reference.html", _status(error), problem=_said(error), ref=typed)
        return self.show(request, "plan_reference.html", plans=[shown(each) for each in plans], ref=typed)

    async def break_glass(self, request: Request, session: Session, sent: dict[str, list[str]]) -> Response:
        fields = {name: values[-1] for name, values in sent.items()}
        asked = self._patient(fields)
        values = {"minutes": _MINUTES, "longest": LONGEST_REASON, "fields": fields}
        if isinstance(asked, Problem):
            return self.show(request, "plan_emergency.html", 422, problem=asked, **values)
        try:
            done = await self._plans.emergency.ask(asked, fields.get("reason", ""), viewer_of(session.who))
        except CarePlanError as error:
            problem = Problem(_said(error), ("reason",) if isinstance(error, ReasonMissing) else ("nhs_number",))
            return self.show(request, "plan_emergency.html", _status(error), problem=problem, **values)
        return RedirectResponse(f"/plans/emergency/{done.id}", status_code=303)

    async def emergency(self, request: Request, session: Session, emergency_id: str) -> Response:
        try:
            plans = await self._plans.emergency.open(emergency_id, viewer_of(session.who))
        except CarePlanError as error:
            return self.show(request, "plan_opened.html", _status(error), shut=_said(error))
        return self.show(request, "plan_opened.html", plans=[shown(each) for each in plans], minutes=_MINUTES)

    async def seen(self, request: Request, session: Session, fields: dict[str, str]) -> Response:
        asked = self._patient(fields)
        if isinstance(asked, Problem):
            return self.show(request, "plan_seen.html", 422, problem=asked, fields=fields)
        try:
            rows = await self._plans.who_saw.of(asked, viewer_of(session.who))
        except CarePlanError as error:
            problem = Problem(_said(error), ("nhs_number",))
            return self.show(request, "plan_seen.html", _status(error), problem=problem, fields=fields)
        return self.show(request, "plan_seen.html", rows=rows, whats=words.AUDITED, roles=words.ROLE_NAMES)

    async def reviews(self, request: Request, session: Session) -> Response:
        try:
            cases = await self._plans.reviews.newest(viewer_of(session.who))
        except PlanStoreFailed as error:
            return self.show(request, "plan_reviews.html", _status(error), problem=_said(error))
        waiting = [each for each in cases if each.reviewed_at is None]
        done = [each for each in cases if each.reviewed_at is not None]
        return self.show(request, "plan_reviews.html", waiting=waiting, done=done)

    async def review(
        self, request: Request, session: Session, emergency_id: str, problem: Problem | None = None, typed: str = ""
    ) -> Response:
        try:
            case = await self._plans.reviews.one(emergency_id, viewer_of(session.who))
        except UnknownEmergency as error:
            raise NoSuchPage from error
        except PlanStoreFailed as error:
            return self.show(request, "plan_reviews.html", _status(error), problem=_said(error))
        status = 422 if problem else 200
        return self.show(request, "plan_review.html", status, case=case, problem=problem, typed=typed)

    async def decide(
        self, request: Request, session: Session, emergency_id: str, sent: dict[str, list[str]]
    ) -> Response:
        verdict, typed = sent.get("verdict", [""])[-1], sent.get("words", [""])[-1]
        if verdict not in VERDICTS:
            problem = Problem("Choose whether the reason stands", ("verdict",))
            return await self.review(request, session, emergency_id, problem, typed)
        try:
            await self._plans.reviews.decide(
                emergency_id, accepted=VERDICTS[verdict], words=typed, viewer=viewer_of(session.who)
            )
        except UnknownEmergency as error:
            raise NoSuchPage from error
        except ReasonMissing:
            return await self.review(request, session, emergency_id, Problem("Say why", ("words",)), typed)
        except CarePlanError as error:
            problem = Problem(_said(error), ("verdict",))
            return await self.review(request, session, emergency_id, problem, typed)
        return RedirectResponse("/plans/reviews", status_code=303)

    def _patient(self, fields: dict[str, str]) -> PatientAsked | Problem:
        number, name = fields.get("nhs_number", "").strip(), fields.get("family_name", "").strip()
        if bool(number) == bool(name):
            return Problem("Enter either the NHS number or the family name", ("nhs_number",))
        born = Typed(fields.get("day", ""), fields.get("month", ""), fields.get("year", "")).read(self._today())
        if isinstance(born, Problem):
            return Problem(born.text.replace("that the caller gives", "of the patient"), born.fields)
        return PatientAsked(born, nhs_number=number, family_name=name)

    def _today(self) -> date:
        return self._clock.now().astimezone(words.LONDON).date()


def _said(error: CarePlanError) -> str:
    return SAID.get(type(error), words.capital(error))


def _status(error: CarePlanError) -> int:
    return 503 if isinstance(error, PlanStoreFailed | PlanUnreadable) else 422
