"""``/api/flows``: versions of flows for programs. The rules are the service's, the same as for the pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from fastapi import APIRouter, Request

from callrouter.api import ApiRoute, Asker, Unreadable, body_of
from callrouter.handover import SignedIn
from callrouter.publishing.figures import StageFigures
from callrouter.publishing.model import Step, Version
from callrouter.publishing.service import Publishing


class Replaying(Protocol):
    """What replays recorded calls (``callrouter.replay.service.Replay``)."""

    async def run(self, version: str, start: datetime, end: datetime, who: SignedIn) -> Report:
        """Every call of that time through a version."""


class Report(Protocol):
    """What a replay found."""

    def plain(self) -> dict[str, Any]:
        """As JSON."""


def flows_router(service: Publishing, replay: Replaying, asker: Asker) -> APIRouter:
    """List, read, draft, check, approve, publish, schedule, stage, stop, roll back, recall, replay.

    docs/publishing.md says what each takes.
    """
    router = APIRouter(prefix="/api/flows", route_class=ApiRoute, include_in_schema=False)
    _add_reading(router, service, asker)
    _add_writing(router, service, asker)
    _add_release(router, service, asker)

    @router.get("/{version}/replay")
    async def replayed(request: Request, version: str) -> dict[str, Any]:
        who = asker(request)
        start, end = (_read(_instant, request.query_params.get(name), name) for name in ("from", "to"))
        return (await replay.run(version, start, end, who)).plain()

    return router


def _add_reading(router: APIRouter, service: Publishing, asker: Asker) -> None:
    @router.get("")
    async def listed(request: Request) -> dict[str, Any]:
        who = asker(request)
        found, staged = await service.versions(who), await service.staged(who)
        return {
            "live": service.live_version,
            "staged": _staged(staged) if staged else None,
            "versions": [shown(each) for each in found],
        }

    @router.get("/history")
    async def everything(request: Request) -> list[dict[str, Any]]:
        return [_step(each) for each in await service.history(asker(request))]

    @router.get("/{version}")
    async def one(request: Request, version: str) -> dict[str, Any]:
        return shown(await service.version(version, asker(request)))

    @router.get("/{version}/content")
    async def content(request: Request, version: str) -> dict[str, Any]:
        return (await service.content(version, asker(request))).plain()

    @router.get("/{version}/history")
    async def history(request: Request, version: str) -> list[dict[str, Any]]:
        return [_step(each) for each in await service.history(asker(request), version)]


def _add_writing(router: APIRouter, service: Publishing, asker: Asker) -> None:
    @router.post("/drafts", status_code=201)
    async def draft(request: Request) -> dict[str, Any]:
        who, sent = asker(request), await body_of(request)
        texts = {language: _strings(each, "texts") for language, each in _mapping(sent.get("texts", {})).items()}
        start, note = _text(sent, "start"), _text(sent, "note", "")
        return shown(await service.draft_files(_strings(sent.get("files"), "files"), start, texts, note, who))

    @router.post("/{version}/check")
    async def check(request: Request, version: str) -> dict[str, Any]:
        return shown(await service.check(version, asker(request)))

    @router.post("/{version}/approve")
    async def approve(request: Request, version: str) -> dict[str, Any]:
        who, sent = asker(request), await body_of(request)
        return shown(await service.approve(version, _text(sent, "hash"), who))


def _add_release(router: APIRouter, service: Publishing, asker: Asker) -> None:
    @router.post("/roll-back")
    async def roll_back(request: Request) -> dict[str, Any]:
        who, sent = asker(request), await body_of(request)
        await service.roll_back(who, _text(sent, "note", ""))
        return {"live": service.live_version}

    @router.post("/{version}/publish")
    async def publish(request: Request, version: str) -> dict[str, Any]:
        return shown(await service.publish(version, asker(request)))

    @router.post("/{version}/schedule")
    async def schedule(request: Request, version: str) -> dict[str, Any]:
        who, sent = asker(request), await body_of(request)
        return shown(await service.schedule(version, _read(_instant, _text(sent, "at"), "at"), who))

    @router.post("/{version}/stage")
    async def stage(request: Request, version: str) -> dict[str, Any]:
        who, sent = asker(request), await body_of(request)
        return shown(await service.stage(version, _read(float, sent.get("share"), "share"), who))

    @router.post("/{version}/stop")
    async def stop(request: Request, version: str) -> dict[str, Any]:
        who, sent = asker(request), await body_of(request)
        return shown(await service.stop(version, who, _text(sent, "note", "")))

    @router.post("/{version}/recall")
    async def recall(request: Request, version: str) -> dict[str, Any]:
        who, sent = asker(request), await body_of(request)
        return shown(await service.recall(version, who, _text(sent, "note", "")))


def shown(version: Version) -> dict[str, Any]:
    """A version as JSON. Nobody's session is in it."""
    row = version.row
    return {
        "version": row.version, "flow": row.flow, "hash": row.content_hash, "state": row.state, "note": row.note,
        "author": row.author.user, "written_at": row.written_at.isoformat(), "problems": [*row.problems],
        "live_from": row.live_from.isoformat() if row.live_from else None, "share": row.share,
        "touches": [*version.touches], "needs": version.needs,
        "approvals": [
            {"by": each.by, "role": each.role, "at": each.at.isoformat(), "expires_at": each.expires_at.isoformat()}
            for each in version.approvals
        ],
    }  # fmt: skip


def _staged(figures: StageFigures) -> dict[str, Any]:
    return {
        "version": figures.stage.new, "against": figures.stage.old, "since": figures.stage.since.isoformat(),
        "new": {"good": figures.new_good, "calls": figures.new_all},
        "old": {"good": figures.old_good, "calls": figures.old_all},
        "pairs": figures.standing.pairs, "verdict": figures.standing.verdict,
    }  # fmt: skip


def _step(step: Step) -> dict[str, Any]:
    return {
        "at": step.at.isoformat(), "version": step.version, "step": step.step, "by": step.by, "role": step.role,
        "note": step.note, "name": step.name,
    }  # fmt: skip


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError
    return at.astimezone(UTC)


def _read(read: Callable[[Any], Any], value: Any, name: str) -> Any:
    try:
        return read(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise Unreadable(f"{name}: cannot be read (a time needs its zone)") from error


def _text(sent: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = sent.get(name, default)
    if not isinstance(value, str):
        raise Unreadable(f"{name}: send text")
    return value[:400] if name == "note" else value


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable("texts: send {language: {key: text}}")
    return value


def _strings(value: Any, name: str) -> dict[str, str]:
    if not isinstance(value, dict) or not value or not all(isinstance(each, str) for each in value.values()):
        raise Unreadable(f"{name}: send names with texts")
    return value
