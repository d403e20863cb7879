"""Recorded calls through a version, on a page: how many would have gone elsewhere, and how much sooner or later."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from fastapi import APIRouter, Request, Response

from callrouter.approvals import Refused
from callrouter.handover import SignedIn
from callrouter.publishing import model
from callrouter.publishing.errors import UnknownVersion
from callrouter.publishing.service import Publishing
from callrouter.replay.report import Report
from callrouter.replay.service import Progress
from console.errors import NoSuchPage
from console.moments import EXAMPLE, read_moment
from console.web import Web


class Replaying(Protocol):
    """Replays of recorded calls, in whichever process (``callrouter.replay.kept.KeptReplays``)."""

    async def ask(self, version: str, start: datetime, end: datetime, who: SignedIn) -> Report | Progress:
        """The report, or how far it is."""


def add_replays(router: APIRouter, web: Web, publishing: Publishing, replaying: Replaying) -> None:
    """``/flows/VERSION/replay``; ``?from=…&to=…`` in times of London as people type them."""

    @router.get("/flows/{version}/replay", name="flow_replay")
    async def replay(request: Request, version: str) -> Response:
        session = web.require(request, *model.READERS)
        try:
            row = (await publishing.version(version, session.who)).row
        except UnknownVersion as error:
            raise NoSuchPage from error
        typed = {name: request.query_params.get(name, "")[:40] for name in ("from", "to")}
        values: dict[str, Any] = {"row": row, "typed": typed, "example": EXAMPLE, "problems": {}}
        if not any(typed.values()):
            return web.page(request, "flow_replay.html", **values)
        moments = {name: read_moment(text) for name, text in typed.items()}
        start, end = moments["from"], moments["to"]
        if start is None or end is None:
            wrong = f"Enter a day and a time of London, for example {EXAMPLE}"
            values["problems"] = {name: wrong for name, at in moments.items() if at is None}
            return web.page(request, "flow_replay.html", 422, **values)
        try:
            found = await replaying.ask(version, start, end, session.who)
        except Refused as refused:
            values["problems"] = {"from": str(refused)}
            return web.page(request, "flow_replay.html", refused.status, **values)
        return web.page(request, "flow_replay.html", **values, start=start, end=end, **_shown(found))


def _shown(found: Report | Progress) -> dict[str, Any]:
    return {"progress": found} if isinstance(found, Progress) else {"report": found}
