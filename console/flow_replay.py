"""Recorded calls through a version, on a page: how many would have gone elsewhere, and how much sooner or later."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
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

PATIENCE_S = 2.0
"""How long a page waits for a replay: a short one is shown at once, of a long one how far it is."""

MOST_KEPT = 20


class Replaying(Protocol):
    """What replays recorded calls (``callrouter.replay.service.Replay``)."""

    async def run(
        self, version: str, start: datetime, end: datetime, who: SignedIn, progress: Progress | None = None
    ) -> Report:
        """Every call of that time through a version."""


@dataclass(slots=True)
class Running:
    """A replay under way or done."""

    progress: Progress
    task: asyncio.Task[Report]


class Replays:
    """The newest replays of this process. One runs at a time, each beside the requests; who asks again finds it."""

    def __init__(self, replaying: Replaying) -> None:
        self._replaying = replaying
        self._known: dict[tuple[str, datetime, datetime], Running] = {}
        self._one_at_a_time = asyncio.Lock()

    async def ask(self, version: str, start: datetime, end: datetime, who: SignedIn) -> Report | Progress:
        """The report, or how far it is. Raises a ``Refused`` as the replay does; then it is forgotten."""
        key = (version, start, end)
        found = self._known.get(key) or self._begin(key, who)
        await asyncio.wait([found.task], timeout=PATIENCE_S)
        if not found.task.done():
            return found.progress
        if found.task.cancelled() or found.task.exception() is not None:
            self._known.pop(key, None)  # asked again, it is tried again
        return found.task.result()

    def _begin(self, key: tuple[str, datetime, datetime], who: SignedIn) -> Running:
        while len(self._known) >= MOST_KEPT:
            self._known.pop(next(iter(self._known))).task.cancel()
        progress = Progress()
        self._known[key] = Running(progress, asyncio.create_task(self._run(key, who, progress)))
        return self._known[key]

    async def _run(self, key: tuple[str, datetime, datetime], who: SignedIn, progress: Progress) -> Report:
        async with self._one_at_a_time:
            return await self._replaying.run(*key, who, progress)


def add_replays(router: APIRouter, web: Web, publishing: Publishing, replaying: Replaying) -> None:
    """``/flows/VERSION/replay``; ``?from=…&to=…`` in times of London as people type them."""
    replays = Replays(replaying)

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
            found = await replays.ask(version, start, end, session.who)
        except Refused as refused:
            values["problems"] = {"from": str(refused)}
            return web.page(request, "flow_replay.html", refused.status, **values)
        return web.page(request, "flow_replay.html", **values, **_shown(found))


def _shown(found: Report | Progress) -> dict[str, Any]:
    return {"progress": found} if isinstance(found, Progress) else {"report": found}
