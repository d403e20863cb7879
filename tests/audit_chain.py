"""The whole chain from a probe call to its notice in one process, on a hand clock, each link of which a test can break.

Real: webhooks, door, journal, stream, figures, rule, store of alerts, the signed request over a socket, the auditor.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError

from adapters.notify.webhook import WebhookNotifier, WebhookSettings
from adapters.phone.line import Line
from adapters.twilio.routes import twilio_router
from adapters.twilio.settings import TwilioSettings
from alerts.auditor import probe_rule
from alerts.figures.kpi import LiveFigures
from alerts.life.outage import OutageStore
from alerts.life.service import AlertService
from alerts.life.store import AlertStore, Change, metadata
from alerts.model import AlertState, Notice, Parts, Recipient, Rule, Silence
from alerts.ports import Notifier
from callrouter.alerting.auditing import Auditing, open_auditing
from callrouter.alerting.auditor import Way
from callrouter.alerting.probe import PROBE, with_probe
from callrouter.figures.board import Board
from callrouter.settings import load_settings
from infra.bus import Entry, MemoryStream, Position
from infra.errors import StateUnavailable
from infra.sql import Database
from infra.state import MemoryStates, Stored, Version
from infra.turns import Turns
from tests.hand_clock import HandClock
from tests.service import PROMPTS, PROVIDERS, CallService, build_calls

NUMBER = "+442079460999"
PUBLIC, TOKEN, SECRET = "https://calls.example", "a-test-auth-token", "a secret of these tests, long enough"
STEP_S = 5.0

SILENT = Rule(
    name="auditor-silent", title="No probe calls", metric="auditor_silent", threshold=150,
    clear=90, for_s=0, severity="critical", usually_helps="Start it.", source="test", link="http://localhost/",
    who=(Recipient("Duty manager", "email", "duty.manager@example.nhs.invalid"),),
)  # fmt: skip


@dataclass
class Inbox:
    """A channel that takes everything."""

    kinds: list[str] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    async def send(self, notice: Notice) -> None:
        self.kinds.append(notice.kind)
        self.notices.append(notice)


class States(MemoryStates):
    """Live state that can be away."""

    away = False

    async def commit(
        self,
        call_ref: str,
        expected: Version | None,
        new: Stored,
        entries: Sequence[Entry],
        *,
        keep_s: float,
        due_s: float | None,
    ) -> bool:
        if self.away:
            raise StateUnavailable("the test took it away")
        return await super().commit(call_ref, expected, new, entries, keep_s=keep_s, due_s=due_s)


class Stream(MemoryStream):
    """The event stream, which can be away, or quiet: it takes what is put there and brings nothing."""

    away = False
    quiet = False

    async def read(self, group: str, *, limit: int, wait_s: float) -> list[tuple[Position, Entry]]:
        if self.away:
            raise StateUnavailable("the test took it away")
        return [] if self.quiet else await super().read(group, limit=limit, wait_s=wait_s)


class Records(AlertStore):
    """The alerts' tables, in a database that can be away."""

    away = False

    async def states(self, told_since: datetime | None = None) -> dict[str, AlertState]:
        self._there()
        return await super().states(told_since)

    async def silences(self, at: datetime) -> list[Silence]:
        self._there()
        return await super().silences(at)

    async def move(self, change: Change) -> bool:
        self._there()
        return await super().move(change)

    def _there(self) -> None:
        if self.away:
            raise OperationalError("", None, Exception("the test took it away"))


class Web(httpx.AsyncBaseTransport):
    """The way to the webhooks; while ``away`` nobody listens there."""

    def __init__(self, app: FastAPI) -> None:
        self._inner = httpx.ASGITransport(app)
        self.away = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("nobody listens")
        return await self._inner.handle_async_request(request)


@dataclass
class Chain:
    """Every link, and what people were told: ``told`` by the auditor, ``staff`` by the service."""

    clock: HandClock
    calls: CallService
    database: Database
    stream: Stream
    states: States
    records: Records
    web: Web
    board: Board
    alerts: AlertService
    auditing: Auditing
    listener: Listener
    told: Inbox
    staff: Inbox
    stopped: set[str] = field(default_factory=set)
    """Of ``figures``, ``alerts``, ``auditor``: what does not go on."""

    async def live(self, seconds: float) -> None:
        """Let time pass, everything going on that is not stopped."""
        for _ in range(round(seconds / STEP_S)):
            if "auditor" not in self.stopped:
                await self.auditing.auditor.probe()
            if "figures" not in self.stopped:
                with suppress(StateUnavailable):
                    await self.board.step(0)
            if "alerts" not in self.stopped:
                await self.alerts.tick()
            if "auditor" not in self.stopped:
                await self.auditing.auditor.watch()
            self.clock.move(STEP_S)

    async def until_told(self, inbox: Inbox, most_s: float) -> float:
        """How long it takes until somebody is told; fails if nobody is told within ``most_s``."""
        before, waited_s = len(inbox.kinds), 0.0
        while len(inbox.kinds) == before:
            assert waited_s < most_s, f"nobody was told within {most_s:g} s"
            await self.live(STEP_S)
            waited_s += STEP_S
        return waited_s


class Listener:
    """The auditor's page on a loopback port, until it is stopped."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/notices"
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, auditing: Auditing) -> None:
        config = uvicorn.Config(auditing.app, log_config=None, access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._server._serve([self._socket]))
        while not self._server.started:
            if self._task.done():
                await self._task
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Nobody listens there any more."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task


@asynccontextmanager
async def a_chain(folder: Path) -> AsyncIterator[Chain]:
    """Everything, put together and going."""
    clock, stream, told, staff, listener = HandClock(), Stream(), Inbox(), Inbox(), Listener()
    states = States(stream)
    providers = with_probe(PROVIDERS)
    calls = await build_calls(folder, providers=providers, clock=clock, flow=PROBE, stores=(states, stream))
    database: Database = calls._database
    await database.write(metadata.create_all)
    web = Web(_app(calls))
    line = Line(httpx.AsyncClient(transport=web, base_url=PUBLIC), PUBLIC, TOKEN, fallback="")
    settings = load_settings(
        data_dir=folder, public_url=PUBLIC, webhook_secret=SECRET, auditor_url=listener.url, auditor_number=NUMBER
    )
    ways = [Way(Recipient("Duty manager", "email", "duty.manager@example.nhs.invalid"), told)]
    auditing = open_auditing(settings, clock, line=line, ways=ways)
    await listener.start(auditing)
    board, records = Board(LiveFigures({}), stream, calls._journal, clock), Records(database)
    rules = (probe_rule(listener.url, PUBLIC), SILENT)
    channels: dict[str, Notifier] = {"webhook": WebhookNotifier(WebhookSettings(secret=SECRET), clock), "email": staff}
    alerts = AlertService(
        rules, board.figures, channels, OutageStore(records, clock), clock,
        parts=lambda: Parts({}, without_probe_s=board.without_probe_s()),
    )  # fmt: skip
    yield Chain(clock, calls, database, stream, states, records, web, board, alerts, auditing, listener, told, staff)
    await listener.stop()
    await line.client.aclose()
    await calls.close()


def _app(calls: CallService) -> FastAPI:
    app = FastAPI()
    about = TwilioSettings(public_url=PUBLIC, auth_tokens=(TOKEN,))
    parts = {"keys": calls.keys, "providers": calls.providers, "prompts": PROMPTS, "clock": calls.clock}
    app.include_router(twilio_router(calls.calls, about, turns=Turns(), **parts))  # type: ignore[arg-type]
    return app
