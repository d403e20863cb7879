"""What the JSON interfaces share: who asks, and refusals with their stable ids.

``{"error_id": …, "text": …}`` with HTTP's status; ``problems`` by field, or as lines with file and line,
where something written was refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from callrouter.approvals import Refused
from callrouter.handover import SignedIn

MOST_OCTETS = 8 * 1024 * 1024
"""Of a body: the largest draft of a flow, each of its characters escaped."""


class NotSignedIn(Refused):
    """Nobody is signed in, or the request does not come from who is."""

    error_id = "sign_in_needed"
    status = 401


class Unreadable(Refused):
    """The body is not what this address takes."""

    error_id = "unreadable"
    status = 422


Asker = Callable[[Request], SignedIn]
"""Who sends a request; raises :class:`NotSignedIn`. A request that changes something must show that they meant it."""


class ApiRoute(APIRoute):
    """Refusals become JSON; nothing is cached."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                response = await inner(request)
            except Refused as refused:
                response = refusal(refused)
            response.headers["Cache-Control"] = "no-store"
            return response

        return handle


def refusal(refused: Refused) -> JSONResponse:
    """The answer that says why not."""
    body: dict[str, object] = {"error_id": refused.error_id, "text": str(refused)}
    problems = getattr(refused, "problems", None)
    if isinstance(problems, Mapping):
        body["problems"] = dict(problems)
    elif problems:
        body["problems"] = list(problems)
    return JSONResponse(body, status_code=refused.status)


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object that was sent. Raises :class:`Unreadable`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_OCTETS:
            raise Unreadable(f"at most {MOST_OCTETS} octets")
    try:
        data = json.loads(body)
        json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair can be sent, and kept nowhere
    except (ValueError, RecursionError) as error:
        raise Unreadable("send a JSON object") from error
    if not isinstance(data, dict):
        raise Unreadable("send a JSON object")
    return data
