"""``/api/messages``: front-end messages for programs. The rules are the service's, the same as for the pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request

from callrouter.api import ApiRoute, Asker, body_of
from callrouter.messages.content import plain
from callrouter.messages.errors import ContentRefused
from callrouter.messages.model import Message
from callrouter.messages.service import MessageService
from infra.clock import Clock

Shown = Callable[[Message], dict[str, Any]]


def messages_router(service: MessageService, asker: Asker, clock: Clock) -> APIRouter:
    """List, read, draft, edit, approve, release, shorten, stop, start, review."""
    router = APIRouter(prefix="/api/messages", route_class=ApiRoute, include_in_schema=False)

    def shown(message: Message) -> dict[str, Any]:
        return _shown(message, clock.now())

    _add_reading(router, service, asker, shown)
    _add_writing(router, service, asker, shown)
    _add_life(router, service, asker, shown)
    return router


def _add_reading(router: APIRouter, service: MessageService, asker: Asker, shown: Shown) -> None:
    @router.get("")
    async def listed(request: Request) -> list[dict[str, Any]]:
        return [shown(each) for each in await service.newest(asker(request))]

    @router.get("/{message_id}")
    async def one(request: Request, message_id: str) -> dict[str, Any]:
        sheet = await service.sheet(message_id, asker(request))
        steps = [
            {"at": each.at, "step": each.step, "by": each.by, "name": each.name, "note": each.note}
            for each in sheet.steps
        ]
        return {**shown(sheet.message), "steps": steps}


def _add_writing(router: APIRouter, service: MessageService, asker: Asker, shown: Shown) -> None:
    @router.post("", status_code=201)
    async def draft(request: Request) -> dict[str, Any]:
        who = asker(request)
        return shown(await service.draft(await body_of(request), who))

    @router.put("/{message_id}")
    async def edit(request: Request, message_id: str) -> dict[str, Any]:
        who = asker(request)
        return shown(await service.edit(message_id, await body_of(request), who))


def _add_life(router: APIRouter, service: MessageService, asker: Asker, shown: Shown) -> None:
    @router.post("/{message_id}/approve")
    async def approve(request: Request, message_id: str) -> dict[str, Any]:
        who, sent = asker(request), await body_of(request)
        return shown(await service.approve(message_id, str(sent.get("digest", "")), who))

    @router.post("/{message_id}/release")
    async def release(request: Request, message_id: str) -> dict[str, Any]:
        return shown(await service.release(message_id, asker(request)))

    @router.post("/{message_id}/shorten")
    async def shorten(request: Request, message_id: str) -> dict[str, Any]:
        who, sent = asker(request), await body_of(request)
        return shown(await service.shorten(message_id, _until(sent), who))

    @router.post("/{message_id}/stop")
    async def stop(request: Request, message_id: str) -> dict[str, Any]:
        return shown(await service.stop(message_id, asker(request)))

    @router.post("/{message_id}/start", status_code=201)
    async def start(request: Request, message_id: str) -> dict[str, Any]:
        who, sent = asker(request), await body_of(request)
        areas = sent.get("areas")
        if not isinstance(areas, list):
            raise ContentRefused({"areas": "Send a list of areas"})
        return shown(await service.start(message_id, tuple(map(str, areas)), _until(sent), who))

    @router.post("/{message_id}/review")
    async def review(request: Request, message_id: str) -> dict[str, Any]:
        return shown(await service.review(message_id, asker(request)))


def _until(sent: dict[str, Any]) -> datetime:
    try:
        until = datetime.fromisoformat(str(sent.get("until", "")))
    except ValueError as error:
        raise ContentRefused({"until": "Send a time such as 2026-03-24T23:30:00+00:00"}) from error
    if until.tzinfo is None:
        raise ContentRefused({"until": "Send a time with its zone, such as 2026-03-24T23:30:00+00:00"})
    return until


def _shown(message: Message, now: datetime) -> dict[str, Any]:
    return {
        "id": message.id,
        "phase": message.phase(now),
        "digest": message.digest,
        "content": plain(message.content),
        "ends_at": message.ends_at(),
        "authors": [each.user for each in message.authors],
        "approvals": [
            {"by": each.by, "role": each.role, "at": each.at, "expires_at": each.expires_at}
            for each in message.standing_approvals(now)
        ],
        "template": message.template,
        "review_until": message.review.until if message.review and message.review.is_open else None,
    }
