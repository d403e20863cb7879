"""The legacy feed's word that an ambulance was requested, or that it was for another patient.

``POST /api/ambulance-requests`` with ``{"context", "incident", "device"}``, and
``POST /api/ambulance-requests/corrections`` with ``{"context", "incident"}``; the feed's key as a bearer token.
"""

from __future__ import annotations

import hmac

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from callrouter.api import ApiRoute, NotSignedIn, Unreadable, body_of
from callrouter.plans.crew import Crew

NOTHING_TO_CORRECT = 404


def crew_router(crew: Crew, key: str) -> APIRouter:
    """Both addresses; ``key`` is what the feed shows."""
    router = APIRouter(prefix="/api/ambulance-requests", route_class=ApiRoute, include_in_schema=False)

    @router.post("")
    async def requested(request: Request) -> JSONResponse:
        _require_feed(request)
        sent = await _texts(request, "context", "incident", "device")
        is_new = await crew.requested(*sent)
        return JSONResponse({"told": True, "again": not is_new}, 201 if is_new else 200)

    @router.post("/corrections")
    async def corrected(request: Request) -> JSONResponse:
        _require_feed(request)
        done = await crew.correct(*await _texts(request, "context", "incident"))
        return JSONResponse({"corrected": done}, 200 if done else NOTHING_TO_CORRECT)

    def _require_feed(request: Request) -> None:
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(shown.encode(), key.encode()):
            raise NotSignedIn("show the feed's key")

    async def _texts(request: Request, *names: str) -> list[str]:
        body = await body_of(request)
        if set(body) != set(names) or not all(isinstance(each, str) for each in body.values()):
            raise Unreadable(f"send {', '.join(names)}, each a text")
        return [body[name] for name in names]

    return router
