"""The page of a call's ambulance: tell its crew that a care plan exists, or that it was the wrong patient."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from callrouter.handover import CallPages
from callrouter.plans.crew import Crew, CrewRefused
from console.calls import MAY_ANSWER, page_of_call
from console.session import Session
from console.web import Web

OUTCOMES = {
    "waiting": "is about to be sent",
    "sending": "is about to be sent",
    "unsure": "was perhaps sent",
    "sent": "was sent",
    "delivered": "has reached the crew's device",
    "failed": "did not reach the crew's device: tell ambulance control by telephone",
    "given_up": "could not be sent, or may not have arrived: tell ambulance control by telephone",
}
WHAT = {"crew": "The notice", "correction": "The correction"}


def add_crew(router: APIRouter, web: Web, crew: Crew, pages: CallPages) -> None:
    """``GET`` and ``POST /calls/{context}/crew``, for those who take calls."""

    @router.get("/calls/{context}/crew", name="crew")
    async def ask(request: Request, context: str) -> Response:
        session = web.require(request, *MAY_ANSWER)
        await page_of_call(pages, context, session)
        return await _page(request, context)

    @router.post("/calls/{context}/crew")
    async def tell(request: Request, context: str) -> Response:
        session: Session = web.require(request, *MAY_ANSWER)
        fields = await web.form(request, session)
        await page_of_call(pages, context, session)
        incident = fields.get("incident", "")
        try:
            if fields.get("do") == "correct":
                done = await crew.correct(context, incident)
                said = "The crew is told to disregard it" if done else "No notice of this incident went from this call"
            else:
                is_new = await crew.requested(context, incident, fields.get("device", ""))
                said = "The crew is told" if is_new else "The crew of this incident was told before: nothing was sent"
        except CrewRefused as refused:
            return await _page(request, context, refused.status, problem=refused, typed=fields)
        return await _page(request, context, said=said)

    async def _page(request: Request, context: str, status: int = 200, **values: Any) -> Response:
        texts = [f"{WHAT[each.purpose]} {OUTCOMES[each.state]}" for each in await crew.texts(context)]
        return web.page(request, "crew.html", status, context=context, devices=crew.devices, texts=texts, **values)
