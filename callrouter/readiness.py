"""``/live`` and ``/ready``: whether the process answers, whether new calls may be sent here, and how every part is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from infra.health import Health

ASTERISK = "asterisk"
"""The parts that bring SIP calls are called this, or this, a colon and a name of their own."""


class Readiness:
    """Whether new calls may be sent to this process. A part that fails does not forbid it: calls go on without.

    ``serves_twilio``: calls may come by webhook, too, so that a lost Asterisk leaves something to serve.
    ``journal_lag_s`` gives the age of the oldest entry that is not in the journal yet.
    """

    def __init__(self, health: Health, *, serves_twilio: bool, journal_lag_s: Callable[[], float]) -> None:
        self._health = health
        self._serves_twilio = serves_twilio
        self._journal_lag_s = journal_lag_s
        self._started = False
        self._draining = False
        self._on_drain: list[Callable[[], None]] = []

    def on_drain(self, stop: Callable[[], None]) -> None:
        """Have ``stop`` called the moment that no new calls are taken."""
        self._on_drain.append(stop)

    def start(self) -> None:
        """Everything runs."""
        self._started = True

    def drain(self) -> None:
        """The process is about to end: no new calls from now on, for good. Again changes nothing."""
        if not self._draining:
            self._draining = True
            for stop in self._on_drain:
                stop()

    @property
    def refusal(self) -> str:
        """Why no new call may be sent here, in one word; empty when it may."""
        if self._draining:
            return "draining"
        if not self._started:
            return "starting"
        return "" if self._serves_twilio or self._hears_an_asterisk() else "no_network"

    def report(self) -> dict[str, Any]:
        """What ``/ready`` says. No address, no secret, no call."""
        parts = self._health.parts()
        degraded = any(each.state == "failed" for each in parts)
        return {
            "ready": not self.refusal,
            "state": self.refusal or ("degraded" if degraded else "ok"),
            "journal_lag_s": round(self._journal_lag_s(), 1),
            "dependencies": [
                {"name": each.name, "state": each.state, "since": each.since.isoformat(), "why": each.why}
                for each in parts
            ],
        }

    def _hears_an_asterisk(self) -> bool:
        return any(each.state == "ok" and each.name.partition(":")[0] == ASTERISK for each in self._health.parts())


def health_router(readiness: Readiness) -> APIRouter:
    """The two pages, also under their older names ``/health/…``."""
    router = APIRouter(include_in_schema=False)

    @router.get("/live")
    @router.get("/health/live")
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @router.get("/ready")
    @router.get("/health/ready")
    async def ready() -> JSONResponse:
        """200: new calls may be sent here; 503: not. Nobody is asked for it: the parts have said how they are."""
        report = readiness.report()
        return JSONResponse(report, 200 if report["ready"] else 503, {"Cache-Control": "no-store"})

    return router
