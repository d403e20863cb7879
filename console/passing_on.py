"""The page on which a call that was passed on to another organisation gets its reference to the patient's plans."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from callrouter.handover import CallPages
from callrouter.plans.pages import viewer_of
from careplans.access.passing_on import PassingOn
from careplans.errors import CarePlanError, NotConfirmed, PlanStoreFailed, UnknownOrganisation
from console.calls import MAY_ANSWER, page_of_call
from console.web import Web

WHY: dict[type[CarePlanError], str] = {
    UnknownOrganisation: "Choose the organisation that the call was passed on to",
    NotConfirmed: "The last check in this call confirmed no patient with a care plan: check the date of birth first",
    PlanStoreFailed: "The database did not answer, and there is no reference. Try again in a minute",
}
CLOSED = "This call’s plans are closed to you, or it ended more than an hour ago"


def add_passing_on(router: APIRouter, web: Web, passing_on: PassingOn, pages: CallPages) -> None:
    """``GET`` and ``POST /calls/{context}/pass-on``, for those who take calls."""

    @router.get("/calls/{context}/pass-on", name="pass_on")
    async def ask(request: Request, context: str) -> Response:
        await page_of_call(pages, context, web.require(request, *MAY_ANSWER))
        return _page(request, context)

    @router.post("/calls/{context}/pass-on")
    async def give(request: Request, context: str) -> Response:
        # answered with the page itself: a reference must not get into an address
        session = web.require(request, *MAY_ANSWER)
        organisation = (await web.form(request, session)).get("organisation", "")
        await page_of_call(pages, context, session)
        try:
            ref = await passing_on.pass_on(context, organisation, viewer_of(session.who))
        except CarePlanError as error:
            said = next((text for kind, text in WHY.items() if isinstance(error, kind)), CLOSED)
            return _page(request, context, 409, problem=said)
        return _page(request, context, ref=f"{ref[:5]} {ref[5:]}", organisation=organisation)

    def _page(request: Request, context: str, status: int = 200, **values: Any) -> Response:
        known = passing_on.organisations
        return web.page(request, "pass_on.html", status, context=context, organisations=known, **values)
