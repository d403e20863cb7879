"""``POST /api/plans/{source}``: the door of senders who post their plans (docs/plan-sources.md, push)."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from careplans.errors import CarePlanError, KeysDoNotFit, PlanStoreFailed
from careplans.sources.errors import SourceUnreachable, SourceUnreadable
from careplans.sources.push import FORMS, LARGEST_BODY, Body, answer, is_sender
from careplans.sources.schedule import Exclusive
from careplans.sources.settings import PushSettings
from infra.errors import StateUnavailable

RETRY_S = 5


def plans_router(senders: Mapping[str, PushSettings], exclusive: Exclusive) -> APIRouter:
    """The route. A wrong key and an unknown source have the same answer: nobody learns who delivers here."""
    router = APIRouter()

    @router.post("/api/plans/{source}")
    async def take(source: str, request: Request) -> Response:
        sender = senders.get(source)
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if sender is None or scheme.lower() != "bearer" or not is_sender(sender, key.strip()):
            return _refusal(401, "unknown_sender", "no such source, or not its key")
        form = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if form not in FORMS:
            return _refusal(415, "unknown_form", f"expected {' or '.join(FORMS)}")
        octets = await _body(request)
        if octets is None:
            return _refusal(413, "too_large", f"a body may have {LARGEST_BODY} octets")
        return await _take(exclusive, sender, Body(octets, form, sender.organisation))

    return router


async def _take(exclusive: Exclusive, sender: PushSettings, body: Body) -> Response:
    try:
        delivered = await exclusive.run(sender.sender, body)
    except SourceUnreadable as error:
        return _refusal(400, error.error_id, str(error))
    except (PlanStoreFailed, KeysDoNotFit, SourceUnreachable, StateUnavailable) as error:
        return _later(getattr(error, "error_id", "state_unavailable"))
    except CarePlanError as error:
        return _refusal(500, error.error_id, str(error))
    if delivered is None:
        return _later("busy")
    (told,) = delivered
    return JSONResponse(answer(told))


async def _body(request: Request) -> bytes | None:
    """The body, or None as soon as it is too large."""
    octets = bytearray()
    async for piece in request.stream():
        octets += piece
        if len(octets) > LARGEST_BODY:
            return None
    return bytes(octets)


def _refusal(status: int, error_id: str, message: str) -> Response:
    return JSONResponse({"error": error_id, "message": message}, status_code=status)


def _later(error_id: str) -> Response:
    told = {"error": error_id, "message": "send the same again"}
    return JSONResponse(told, status_code=503, headers={"Retry-After": str(RETRY_S)})
