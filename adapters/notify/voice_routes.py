"""Where Twilio asks what to say to staff, and tells key and end. Unsigned requests get no further than here.

``POST /notices/voice/{reference}/say``     somebody answered
``POST /notices/voice/{reference}/key``     a key was pressed
``POST /notices/voice/{reference}/status``  the call is over
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Request, Response

from adapters.notify.voice_twilio import PATH, TwilioVoice

SignedForm = Callable[[Request], Awaitable[Mapping[str, str] | None]]
"""The fields of a request that bears Twilio's signature; None for any other."""

NO_CONTENT, FORBIDDEN, NOT_FOUND = 204, 403, 404

_REFERENCE = re.compile(r"[0-9a-f]{32}")


def voice_router(voice: TwilioVoice, signed: SignedForm) -> APIRouter:
    """The three addresses. What goes wrong inside is a 500: Twilio tells the person so, and the receipt is missing."""
    router = APIRouter(include_in_schema=False)

    @router.post(PATH + "/{reference}/{what}")
    async def told(request: Request, reference: str, what: str) -> Response:
        form = await signed(request)
        if form is None:
            return Response(status_code=FORBIDDEN)
        if not _REFERENCE.fullmatch(reference):
            return Response(status_code=NOT_FOUND)
        match what:
            case "say":
                return _document(await voice.say(reference))
            case "key":
                again = request.query_params.get("again", "")
                rounds = int(again) if again.isascii() and again.isdigit() and len(again) == 1 else 0
                return _document(await voice.key(reference, form.get("Digits", ""), again=rounds))
            case "status":
                await voice.status(reference, form.get("CallStatus", ""))
                return Response(status_code=NO_CONTENT)
        return Response(status_code=NOT_FOUND)

    return router


def _document(text: str) -> Response:
    return Response(text, media_type="text/xml")
