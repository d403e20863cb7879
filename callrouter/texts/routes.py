"""What providers tell of texts: delivered or not. Who cannot show who they are is refused before anything is read."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Request, Response

from callrouter.texts.model import State

Received = Callable[[str, str, State, str], Awaitable[bool]]
"""Reference, provider, outcome and reason; see :meth:`callrouter.texts.sending.Sender.received`."""

SignedForm = Callable[[Request], Awaitable[Mapping[str, str] | None]]
"""The fields of a receipt that bears Twilio's signature, of a size that Twilio sends; None for any other."""

LARGEST = 20_000
"""Octets of a receipt; a real one has some five hundred."""

_REFERENCE = re.compile(r"[0-9a-f]{32}")
_CODE = re.compile(r"[0-9]{1,6}")
NO_CONTENT, BAD, FORBIDDEN = 204, 400, 403


def receipts_router(
    received: Received,
    *,
    notify_token: str | None,
    notify_outcomes: Mapping[str, State],
    signed_by_twilio: SignedForm,
    twilio_outcomes: Mapping[str, State],
) -> APIRouter:
    """``POST /texts/receipts/govuk-notify`` and ``/texts/receipts/twilio/{reference}``."""
    router = APIRouter(include_in_schema=False)

    @router.post("/texts/receipts/govuk-notify")
    async def notify(request: Request) -> Response:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not notify_token or not hmac.compare_digest(bearer.encode(), notify_token.encode()):
            return Response(status_code=FORBIDDEN)
        try:
            told = json.loads(await _body(request))
            reference, status = str(told.get("reference")), str(told.get("status"))
        except (ValueError, AttributeError):
            return Response(status_code=BAD)
        return await _told(reference, "govuk_notify", notify_outcomes.get(status), status)

    @router.post("/texts/receipts/twilio/{reference}")
    async def twilio(request: Request, reference: str) -> Response:
        form = await signed_by_twilio(request)
        if form is None:
            return Response(status_code=FORBIDDEN)
        status, code = form.get("MessageStatus", ""), form.get("ErrorCode", "")
        reason = f"{status}_{code}" if _CODE.fullmatch(code) else status
        return await _told(reference, "twilio", twilio_outcomes.get(status), reason)

    async def _told(reference: str, provider: str, outcome: State | None, reason: str) -> Response:
        # what is not ours, or tells nothing, is taken all the same: it would only come again
        if outcome is not None and _REFERENCE.fullmatch(reference):
            await received(reference, provider, outcome, "" if outcome is not State.FAILED else reason)
        return Response(status_code=NO_CONTENT)

    return router


async def _body(request: Request) -> bytes:
    found = b""
    async for chunk in request.stream():
        found += chunk
        if len(found) > LARGEST:
            raise ValueError("too long")
    return found
