"""Earlier calls on the page of a call: the caller's own answer, and a look with the patient's details."""

from __future__ import annotations

import re
from datetime import date

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from callrouter.approvals import Refused
from callrouter.handover import CallPages
from callrouter.repeat.earlier_calls import EarlierCalls
from callrouter.repeat.patient import Patient
from console import words
from console.birth_date import Problem, Typed
from console.calls import MAY_ANSWER, page_of_call, values_of
from console.web import Web
from infra.clock import Clock

_NOT_DIGITS = re.compile("[^0-9]+", re.ASCII)
_NO_DATE = Problem("Date of birth must be numbers, for example 27 3 1984", ("born",))


def add_earlier(
    router: APIRouter, web: Web, pages: CallPages, earlier: EarlierCalls, clock: Clock, *, tells_crews: bool = False
) -> None:
    """``POST /calls/{context}/asked`` and ``/earlier``, for handlers and clinicians."""

    @router.post("/calls/{context}/asked", name="asked")
    async def asked(request: Request, context: str) -> Response:
        session = web.require(request, *MAY_ANSWER)
        fields = await web.form(request, session)
        page = await page_of_call(pages, context, session)
        await earlier.answered(page.call.context, fields.get("answer", ""), session.who)
        return RedirectResponse(f"/calls/{page.call.context}", status_code=303)

    @router.post("/calls/{context}/earlier", name="earlier")
    async def look(request: Request, context: str) -> Response:
        # answered with the page itself: a patient's details must not get into an address
        session = web.require(request, *MAY_ANSWER)
        fields = await web.form(request, session)
        page = await page_of_call(pages, context, session)
        born = _born(fields.get("born", ""), clock.now().astimezone(words.LONDON).date())
        refused = born.text if isinstance(born, Problem) else ""
        if not isinstance(born, Problem):
            try:
                found = await earlier.look(page.call.context, _patient(fields, born), session.who)
            except Refused as error:
                refused = str(error)
            else:
                page = await page_of_call(pages, context, session)
                return web.page(request, "call.html", **values_of(page, session, tells_crews), earlier=found)
        values = values_of(page, session, tells_crews)
        return web.page(request, "call.html", 422, **values, earlier_refused=words.capital(refused), details=fields)


def _born(typed: str, today: date) -> date | Problem | None:
    """Day, month and year in one field; None for an empty one."""
    if not typed.strip():
        return None
    parts = [each for each in _NOT_DIGITS.split(typed) if each]
    return Typed(*parts).read(today) if len(parts) == len(("day", "month", "year")) else _NO_DATE


def _patient(fields: dict[str, str], born: date | None) -> Patient:
    def text(name: str) -> str:
        return fields.get(name, "").strip()

    return Patient(text("first_name"), text("last_name"), born, text("gender"), text("postcode"))
