"""Notices received: the other end of :mod:`adapters.notify.webhook`, for a receiver of our own."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.notify.webhook import NOTICE_ID, SIGNATURE, TIMESTAMP, sign
from infra.clock import Clock

OLDEST_S = 300
"""A request signed longer ago than this, or for later than now by as much, is refused: it may be somebody's copy."""

LARGEST = 64 * 1024
"""Octets of a notice; ours have a few hundred."""

Received = Callable[[dict[str, Any]], Awaitable[None]]

log = structlog.get_logger(__name__)


def receiver(path: str, secret: str, clock: Clock, received: Received) -> Route:
    """A route that gives every notice signed with ``secret`` to ``received``, and answers 204; others get 403."""

    async def take(request: Request) -> Response:
        content = await _content(request)
        if content is None:
            return Response(status_code=413)
        if not _is_signed(request, secret, content, clock.now()):
            log.warning("notice_refused")
            return Response(status_code=403)
        try:
            notice = json.loads(content)
        except ValueError:
            return Response(status_code=400)
        if not isinstance(notice, dict) or notice.get("id") != request.headers.get(NOTICE_ID):
            return Response(status_code=400)
        await received(notice)
        return Response(status_code=204)

    return Route(path, take, methods=["POST"])


async def _content(request: Request) -> bytes | None:
    content = b""
    async for piece in request.stream():
        content += piece
        if len(content) > LARGEST:
            return None
    return content


def _is_signed(request: Request, secret: str, content: bytes, now: datetime) -> bool:
    timestamp = request.headers.get(TIMESTAMP, "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):
        return False
    if abs(now.timestamp() - int(timestamp)) > OLDEST_S:
        return False
    expected = sign(secret, timestamp, content)
    return hmac.compare_digest(expected.encode(), request.headers.get(SIGNATURE, "").encode())
