"""The pages of call-backs: who is owed a call; and one of them with its number, for who has taken it on."""

from __future__ import annotations

import math
from datetime import datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from callrouter.call_backs.model import CallBack, NoSuchCallBack
from callrouter.call_backs.service import CallBackList
from callrouter.handover import Role
from console.errors import NoSuchPage
from console.web import Web
from infra.clock import Clock

TAKES_CALLS = (Role.HANDLER, Role.CLINICIAN)


def add_call_backs(router: APIRouter, web: Web, call_backs: CallBackList, clock: Clock) -> None:
    """``GET /call-backs``; taking one on, its page, and what came of ringing."""

    @router.get("/call-backs", name="call-backs")
    async def listed(request: Request) -> Response:
        session, now = web.require(request, *TAKES_CALLS), clock.now()
        found = await call_backs.listed(session.who)
        waiting = [each for each in found if each.is_open and not each.is_on_the_line(now)]
        on_the_line = [each for each in found if each.is_on_the_line(now)]
        over = [each for each in found if not each.is_open]
        return web.page(
            request, "call_backs.html", waiting=waiting, on_the_line=on_the_line, over=over, now=now, due=_due_in
        )

    @router.post("/call-backs/{call_back_id}/take", name="take-call-back")
    async def take(request: Request, call_back_id: str) -> Response:
        session = web.require(request, *TAKES_CALLS)
        await web.form(request, session)
        try:
            taken = await call_backs.take(call_back_id, session.who)
        except NoSuchCallBack as error:
            raise NoSuchPage from error
        return RedirectResponse(f"/call-backs/{taken.id}", status_code=303)

    @router.get("/call-backs/{call_back_id}", name="call-back")
    async def opened(request: Request, call_back_id: str) -> Response:
        session = web.require(request, *TAKES_CALLS)
        try:
            found = await call_backs.open(call_back_id, session.who)
        except NoSuchCallBack as error:
            raise NoSuchPage from error
        return web.page(request, "call_back.html", call_back=found, now=clock.now())

    @router.post("/call-backs/{call_back_id}/tried", name="call-back-tried")
    async def tried(request: Request, call_back_id: str) -> Response:
        session = web.require(request, *TAKES_CALLS)
        form = await web.form(request, session)
        try:
            await call_backs.tried(call_back_id, form.get("outcome", ""), session.who)
        except NoSuchCallBack as error:
            raise NoSuchPage from error
        return RedirectResponse("/call-backs", status_code=303)


def _due_in(each: CallBack, now: datetime) -> str:
    """When the caller is to be rung, as seen from now: in whole minutes, a minute that has begun counts."""
    seconds = (each.owed_at - now).total_seconds()
    minutes = math.ceil(abs(seconds) / 60)
    return f"{max(1, minutes)} min late" if each.is_late(now) else f"in {minutes if seconds > 0 else 0} min"
