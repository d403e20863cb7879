"""The hand-over page: what the person who answers sees of the call in front of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

from fastapi import APIRouter, Request, Response

from callrouter.errors import PlanClosed, TooManyTries
from callrouter.handover import CallPage, CallPages, OpenedPlan, Role
from console import words
from console.birth_date import Problem, Typed
from console.errors import NoSuchCall
from console.session import Session
from console.web import Web
from infra.clock import Clock

MAY_ANSWER = (Role.HANDLER, Role.CLINICIAN)
MAY_SAY_CHECKED = (Role.CLINICIAN,)
NO_MATCH = "No plan on this line matches that date of birth"
"""The same words for a wrong date and for a line without a plan: neither tells which of the two it is."""

_CONTEXT = re.compile(r"[0-9a-f]{32}")
_FIELDS = ("day", "month", "year")


def add_calls(router: APIRouter, web: Web, pages: CallPages, clock: Clock, *, tells_crews: bool = False) -> None:
    """``GET /calls/{context}``, the check of a date of birth, and a clinician's "I have checked".

    ``tells_crews``: there is a page to tell the ambulance crew from.
    """

    @router.get("/calls/{context}", name="call")
    async def call(request: Request, context: str) -> Response:
        session = web.require(request, *MAY_ANSWER)
        page = await page_of_call(pages, context, session)
        return web.page(request, "call.html", **values_of(page, session, tells_crews))

    _add_birth_date(router, web, pages, clock, tells_crews)
    _add_checked(router, web, pages, tells_crews)


def _add_birth_date(router: APIRouter, web: Web, pages: CallPages, clock: Clock, tells_crews: bool) -> None:
    @router.post("/calls/{context}/check", name="check")
    async def check(request: Request, context: str) -> Response:
        # Answered with the page itself and not by a redirect: a date of birth or a plan must not get into an
        # address, nor wait on the server for a second request.
        session = web.require(request, *MAY_ANSWER)
        fields = await web.form(request, session)
        page = await page_of_call(pages, context, session)
        typed = Typed(*(fields.get(name, "") for name in _FIELDS))
        born = typed.read(clock.now().astimezone(words.LONDON).date())
        if isinstance(born, Problem):
            return web.page(
                request, "call.html", 422, **values_of(page, session, tells_crews), typed=typed, problem=born
            )
        return await _open(request, session, page, typed, born)

    async def _open(request: Request, session: Session, page: CallPage, typed: Typed, born: date) -> Response:
        values = values_of(page, session, tells_crews)
        try:
            plans = await pages.check_birth_date(page.call.context, born, session.who)
        except TooManyTries:
            return web.page(request, "call.html", 429, **values, exhausted=True)
        except PlanClosed as error:
            return web.page(request, "call.html", 409, **values, shut=str(error))
        if not plans:
            return web.page(request, "call.html", **values, typed=typed, problem=Problem(NO_MATCH, _FIELDS))
        return web.page(request, "call.html", **values, plans=shown(plans, session.who.role))


def _add_checked(router: APIRouter, web: Web, pages: CallPages, tells_crews: bool) -> None:
    @router.post("/calls/{context}/checked", name="checked")
    async def checked(request: Request, context: str) -> Response:
        session = web.require(request, *MAY_SAY_CHECKED)
        await web.form(request, session)
        page = await page_of_call(pages, context, session)
        values = values_of(page, session, tells_crews)
        try:
            plans = await pages.open_checked(page.call.context, session.who)
        except PlanClosed as error:
            return web.page(request, "call.html", 409, **values, shut=str(error))
        if not plans:
            return web.page(request, "call.html", 409, **values, shut="it is no longer stored")
        return web.page(request, "call.html", **values, plans=shown(plans, session.who.role), said_checked=True)


async def page_of_call(pages: CallPages, context: str, session: Session) -> CallPage:
    """The page of this call, recorded as opened. Raises :class:`NoSuchCall`."""
    page = await pages.page(context, session.who) if _CONTEXT.fullmatch(context) else None
    if page is None:
        raise NoSuchCall
    return page


def values_of(page: CallPage, session: Session, tells_crews: bool) -> dict[str, Any]:
    """What ``call.html`` shows of a page."""
    return {
        "tells_crews": tells_crews,
        "may_say_checked": session.who.role in MAY_SAY_CHECKED,
        "page": page,
        "call": page.call,
        "notice": words.plan_notice(page.plan),
        "repeat": words.repeat(page.repeat),
    }


def shown(plans: Iterable[OpenedPlan], role: Role) -> list[OpenedPlan]:
    """Newest first, undated last; the clinical detail for clinicians only, whatever the service sent."""
    ordered = sorted(plans, key=lambda plan: plan.valid_from or date.min, reverse=True)
    return ordered if role is Role.CLINICIAN else [replace(plan, detail=None) for plan in ordered]
