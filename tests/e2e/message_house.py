"""The pages of messages and flows in a process whose clock a test moves, with the loop that looks after both."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from fastapi import APIRouter, FastAPI

from callrouter.journal import Journal
from callrouter.publishing.hearing import Hearing
from callrouter.publishing.staged import StagedWatch
from callrouter.replay.kept import KeptReplays
from callrouter.replay.service import Replay
from console.flows import add_flows
from console.messages import add_messages
from console.routes import mount_static
from console.session import Sessions
from console.sign_in import add_sign_in
from console.web import Web, route_class
from infra.bus import Entry, MemoryStream
from infra.migrate import upgrade_database
from infra.sql import connect_database
from tests.hand_clock import HandClock
from tests.message_world import ANN, BEN, CAZ, TUESDAY, World, speaks_english, template, world_on
from tests.publishing_world import ANN as FLOW_AUTHOR
from tests.publishing_world import a_worker, content
from tests.recorded_calls import KEYS, recorded_call

SECRET = "a-secret-of-the-tests-and-of-nothing-else"
LOOK_S = 0.1


class House:
    """``app`` for a server; ``clock`` for the test.

    ``/heard`` says what a caller in Bromley would hear; ``/called/VERSION/yes`` is a call whom somebody answers.
    """

    def __init__(self, folder: Path) -> None:
        self.clock = HandClock(TUESDAY)
        self.sessions = Sessions(SECRET, clock=self.clock, development_sign_in=True)
        self._database = connect_database(f"sqlite:///{folder}/house.db")
        self.world: World = world_on(self._database, folder, clock=self.clock)
        self.shipped, self.new = content(), content(1, texts={"hello_short": "Press 1."}, prompts=["hello_short"])
        self.publishing, self.flows = a_worker(self._database, self.clock, shipped=self.shipped)
        self.stopped_itself = threading.Event()
        self.went_live = threading.Event()
        """What was scheduled is live, and written down as such."""
        self.app = FastAPI(lifespan=self._lifespan)
        web = Web(self.sessions)
        router = APIRouter(route_class=route_class(web))
        add_sign_in(router, web, None)
        add_messages(router, web, self.world.service, self.clock)
        self._journal = journal = Journal(self._database, KEYS)
        hearing = Hearing(self.world.voice, speaks_english, None)
        replays = KeptReplays(Replay(journal, self.publishing), self._database, self.clock)
        add_flows(router, web, self.publishing, hearing, replays)
        self.app.include_router(router)
        self._stream = MemoryStream()
        self._watch = StagedWatch(self._stream, journal, self._database, self.publishing, self.clock)
        self.app.add_api_route("/heard", self._heard)
        self.app.add_api_route("/called/{version}/{answered}", self._called)
        mount_static(self.app)

    async def _heard(self) -> list[str]:
        return await self.world.markers(area="bromley")

    async def _called(self, version: str, answered: bool, call_ref: str) -> None:
        """A call in a version from its beginning to its outcome, as the event stream tells it."""
        at = self.clock.now()
        outcome = (30, "leg_answered", {}) if answered else (40, "ended", {"end_class": "abandoned"})
        told = [(0, "offered", {"flow_version": version}), (5, "choice_made", {}), outcome]
        await self._watch.step(0)  # it knows what is staged
        await self._stream.append(
            [Entry(call_ref, n, at + timedelta(seconds=s), kind, facts) for n, (s, kind, facts) in enumerate(told, 1)]
        )
        await self._watch.step(0)

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        await upgrade_database(self._database)
        made = await self.world.service.draft(template(), ANN)
        for each in (BEN, CAZ):
            await self.world.service.approve(made.id, made.digest, each)
        await self.publishing.ship(self.shipped, replace=False)
        await self.publishing.draft(self.new, "Shorter menu", FLOW_AUTHOR)
        for number in range(3):
            await self._journal.write(recorded_call(f"call{number}", self.shipped.version, TUESDAY))
        await self._journal.write(recorded_call("older", "0123456789ab", TUESDAY))
        loop = asyncio.create_task(self._look_after())
        yield
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await self._database.close()

    async def _look_after(self) -> None:
        while True:
            await self.world.service.look_after()
            if any(each.kind == "stopped_itself" for each in self.world.reviewers.heard):
                self.stopped_itself.set()
            if (due := self.publishing.snapshot.due) is not None:
                await self.publishing.settle()
                if self.publishing.snapshot.live is due:
                    self.went_live.set()
            await asyncio.sleep(LOOK_S)
