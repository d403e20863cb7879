"""How soon a notice leaves after its cause, beside Alertmanager's own figure, and what a look costs while much fires.

Ours: the figures get worse at any moment between two looks; measured until a receiver on this machine has the signed
request, by way of the look, the commit in SQLite and the webhook. Alertmanager's: from the POST of an alert to its v2
API until its receiver is told, without any wait for a group. What finds the breach for it (a rule of Prometheus,
looked at once a minute by default) is not in its figure.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import structlog

from adapters.notify.webhook import WebhookNotifier, WebhookSettings
from alerts.life.outage import OutageStore
from alerts.life.service import AlertService
from alerts.life.store import AlertStore, metadata
from alerts.model import Figures, Recipient, Rule, ScopeFigures
from infra.clock import SystemClock
from infra.sql import connect_database
from tests.alertmanager import AlertmanagerMissing, AlertmanagerServer
from tests.bench.figures import Verdict, at_most, percentiles, printed

RULE = Rule(
    name="longest-wait", title="Callers wait too long", metric="longest_wait_s", threshold=180, clear=120, for_s=0,
    severity="critical", usually_helps="More handlers.", source="a bench", link="http://localhost/", who=(),
)  # fmt: skip
SCOPES = 1000
WITHIN_MS = 1000.0
"""Issue 6: a notice leaves within a second of its cause, p99."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured in a round."""

    breaches: int
    looks: int
    rounds: int


FULL = Size(breaches=60, looks=60, rounds=3)
QUICK = Size(breaches=3, looks=3, rounds=1)


def missing() -> list[str]:
    """Why it cannot be measured here."""
    try:
        AlertmanagerServer()
    except AlertmanagerMissing as reason:
        return [str(reason)]
    return []


def measure(folder: Path, size: Size) -> dict[str, Any]:
    """Every round: ``ours`` and ``alertmanager`` from cause to notice, ``look_ms`` with 10 and 1,000 alerts open."""
    folder.mkdir(parents=True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    rounds = []
    for number in range(size.rounds):
        ours = asyncio.run(_ours(folder / f"ours-{number}", size.breaches))
        with AlertmanagerServer() as server:
            theirs = asyncio.run(_theirs(server, size.breaches))
        looks = {str(n): asyncio.run(_looks(folder / f"looks-{number}-{n}", n, size.looks)) for n in (10, SCOPES)}
        rounds.append({
            "ours": percentiles(ours), "alertmanager": percentiles(theirs), "look_ms": looks,
            "ours_ms": [round(each, 2) for each in ours], "alertmanager_ms": [round(each, 2) for each in theirs],
        })  # fmt: skip
    return {
        "conditions": {"breaches_a_round": size.breaches, "alerts": SCOPES, "rounds": size.rounds},
        "rounds": rounds,
    }


def verdicts(rounds: Sequence[dict[str, Any]]) -> list[Verdict]:
    """Each target of the issue."""
    ours, theirs = ([each[name]["p99_ms"] for each in rounds] for name in ("ours", "alertmanager"))
    many, few = ([each["look_ms"][name] for each in rounds] for name in (str(SCOPES), "10"))
    return [
        at_most("breach to notice (p99), against a second", ours, [WITHIN_MS] * len(rounds), "ms", 1.0),
        printed("breach to notice (p99), beside Alertmanager from POST to notice", ours, theirs, "ms"),
        at_most(f"a look at {SCOPES} rules' scopes with all open, against 10 open", many, few, "ms", 2.0),
    ]


class _Told:
    """A receiver on this machine that says when it was told."""

    def __init__(self) -> None:
        self.at: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
        self.loop = asyncio.get_running_loop()

    @contextmanager
    def listening(self) -> Iterator[str]:
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                now = time.perf_counter()
                kind = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["kind"]
                self.send_response(204)
                self.end_headers()
                told.loop.call_soon_threadsafe(told.at.put_nowait, (kind, now))

            def log_message(self, *args: Any) -> None:
                """Say nothing on the terminal."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/notices"
        server.shutdown()
        thread.join()
        server.server_close()


@asynccontextmanager
async def _store(folder: Path) -> AsyncIterator[OutageStore]:
    database = connect_database(f"sqlite:///{folder}.db")
    await database.write(metadata.create_all)
    yield OutageStore(AlertStore(database), SystemClock())
    await database.close()


async def _ours(folder: Path, breaches: int) -> list[float]:
    waits = [0.0] * breaches  # each at a provider of its own: one that fires again and again is held to be flapping

    def figures() -> Figures:
        total = ScopeFigures(scope="total", name="Whole service")
        providers = (ScopeFigures(scope=f"p{n}", name=f"P{n}", longest_wait_s=wait) for n, wait in enumerate(waits))
        return Figures(datetime.now(UTC), total, tuple(providers))

    told, took = _Told(), []
    async with _store(folder) as store:
        with told.listening() as url:
            rule = replace(RULE, scope="each provider", who=(Recipient("Screen", "webhook", url),))
            notifier = WebhookNotifier(WebhookSettings(secret="a secret of the bench, long enough"), SystemClock())
            service = AlertService((rule,), figures, {"webhook": notifier}, store, SystemClock())
            running = asyncio.create_task(service.run())
            for number in range(breaches):
                await asyncio.sleep(random.uniform(0, 0.5))  # at any moment between two looks
                began, waits[number] = time.perf_counter(), 200.0
                _, at = await told.at.get()
                took.append((at - began) * 1000)
                waits[number] = 0.0
                await told.at.get()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    return took


async def _theirs(server: AlertmanagerServer, breaches: int) -> list[float]:
    took = []
    async with httpx.AsyncClient(base_url=server.url) as client:
        for number in range(breaches):
            began = time.monotonic()
            name = f"bench-{number}"
            answer = await client.post("/api/v2/alerts", json=[{"labels": {"alertname": name}}])
            answer.raise_for_status()
            await asyncio.to_thread(server.hook.wait, "firing", name)
            took.append((_told_at(server, name) - began) * 1000)
    return took


def _told_at(server: AlertmanagerServer, name: str) -> float:
    return next(
        at for at, body in server.hook.told if any(each["labels"]["alertname"] == name for each in body["alerts"])
    )


async def _looks(folder: Path, firing: int, looks: int) -> float:
    """The median of a look at 1,000 scopes in ms, while so many of their alerts are open."""
    providers = tuple(
        ScopeFigures(scope=f"p{n}", name=f"Provider {n}", longest_wait_s=200.0 if n < firing else 0.0)
        for n in range(SCOPES)
    )
    total = ScopeFigures(scope="total", name="Whole service")
    rule = replace(RULE, scope="each provider")
    async with _store(folder) as store:
        service = AlertService((rule,), lambda: Figures(datetime.now(UTC), total, providers), {}, store, SystemClock())
        await service.check()
        took = []
        for _ in range(looks):
            began = time.perf_counter()
            await service.check()
            took.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(took), 3)
