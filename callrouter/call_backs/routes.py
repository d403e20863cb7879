"""``/api/call-backs``: call-backs for programs. The rules are the service's, the same as for the page."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from callrouter.api import ApiRoute, Asker, body_of
from callrouter.call_backs.model import CallBack
from callrouter.call_backs.service import CallBackList


def call_backs_router(call_backs: CallBackList, asker: Asker) -> APIRouter:
    """List; take on, see, and say what came of ringing, each by its id."""
    router = APIRouter(prefix="/api/call-backs", route_class=ApiRoute, include_in_schema=False)

    @router.get("")
    async def listed(request: Request) -> list[dict[str, Any]]:
        return [_shown(each) for each in await call_backs.listed(asker(request))]

    @router.post("/{call_back_id}/take")
    async def take(request: Request, call_back_id: str) -> dict[str, Any]:
        return _shown(await call_backs.take(call_back_id, asker(request)))

    @router.get("/{call_back_id}")
    async def opened(request: Request, call_back_id: str) -> dict[str, Any]:
        return _shown(await call_backs.open(call_back_id, asker(request)))

    @router.post("/{call_back_id}/tried")
    async def tried(request: Request, call_back_id: str) -> dict[str, Any]:
        who = asker(request)
        outcome = str((await body_of(request)).get("outcome", ""))
        return _shown(await call_backs.tried(call_back_id, outcome, who))

    return router


def _shown(each: CallBack) -> dict[str, Any]:
    return {
        "id": each.id,
        "call": each.context or None,
        "number": each.number or None,
        "service": each.service,
        "promised_at": each.promised_at,
        "owed_at": each.owed_at,
        "left_at": each.left_at,
        "taken_at": each.taken_at,
        "taken_by": each.taken_by or None,
        "tries": each.tries,
        "next_try_at": each.next_try,
        "ended_at": each.ended_at,
        "outcome": each.outcome or None,
    }
