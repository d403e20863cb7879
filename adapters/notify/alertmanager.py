"""Alerts to Prometheus' Alertmanager (v2 API), which groups, silences and tells in this service's place or beside it.

Labels are an allowlist, since they name an alert for ever and reach every receiver: ``alertname`` (the rule),
``severity``, ``scope`` (a provider, a part of the service, an opaque id; else ``total``), ``service`` and, where each
process sees for itself, ``instance``. No personal detail stands in them, nor in the annotations, which are the rules'.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import httpx
import structlog

from alerts.model import OPEN_PHASES, OWN_METRICS, AlertState, Rule
from infra.clock import Clock
from infra.health import Health
from infra.tls import trusted

LOOK_EVERY_S = 0.25
"""Between two looks at the alerts: with the answer of a healthy Alertmanager well under a second behind."""

AGAIN_S = 60.0
"""What fires is sent again after this, as Prometheus does."""

HOLDS = timedelta(minutes=5)
"""Alertmanager takes what it does not hear of again for resolved after this: several missed repeats, or our end."""

TOLD_FOR = timedelta(hours=1)
"""How long a thing that happens once (a welfare task, a message of the night) counts as firing: it never clears."""

TIMEOUT_S = 5.0
SERVICE = "callrouter"
FIRING = OPEN_PHASES | {"told"}

log = structlog.get_logger()


class States(Protocol):
    """Where the alerts are in their lives; see :class:`alerts.ports.Store`."""

    async def states(self, told_since: datetime | None = None) -> Mapping[str, AlertState]:
        """Every kept state, by ``AlertState.rule``, and what was told once since then."""


@dataclass(frozen=True, slots=True)
class _Alert:
    """One alert as Alertmanager knows it: the same labels are the same alert."""

    labels: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...]
    since: datetime
    link: str

    def posted(self, ends: datetime) -> dict[str, Any]:
        return {
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            "startsAt": self.since.isoformat(),
            "endsAt": ends.isoformat(),
            "generatorURL": self.link,
        }


class Alertmanager:
    """One Alertmanager, kept up to date. Every process may do it for the same alerts: equal labels are one alert there.

    ``instance`` names this process. ``transport`` replaces the network in tests.
    """

    PART = "alertmanager"

    def __init__(
        self,
        address: str,
        rules: Sequence[Rule],
        states: States,
        clock: Clock,
        health: Health,
        *,
        instance: str,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._rules = {each.name: each for each in rules}
        self._states = states
        self._clock = clock
        self._health = health
        self._instance = instance
        self._client = httpx.AsyncClient(base_url=address, timeout=TIMEOUT_S, transport=transport, verify=trusted())
        self._sent: dict[tuple[tuple[str, str], ...], _Alert] = {}
        self._ended: dict[tuple[tuple[str, str], ...], tuple[_Alert, datetime]] = {}
        self._sent_at = -AGAIN_S
        health.expect(self.PART)

    async def step(self, wait_s: float) -> int:
        """Send what has changed, or everything that fires after a minute; returns how many alerts that were.

        What is not taken is sent again with the next step: nothing is queued, since only the newest state counts.
        """
        firing = await self._firing()
        now = self._clock.now()
        for labels in self._sent.keys() - firing.keys():
            self._ended.setdefault(labels, (self._sent[labels], now))
        for labels in firing.keys() & self._ended.keys():
            del self._ended[labels]
        due = self._clock.monotonic() - self._sent_at >= AGAIN_S
        if not due and not self._ended and firing.keys() == self._sent.keys():
            await asyncio.sleep(min(wait_s, LOOK_EVERY_S))
            return 0
        posted = [each.posted(now + HOLDS) for each in firing.values()]
        posted += [each.posted(ended) for each, ended in self._ended.values()]
        await self._post(posted)
        self._sent, self._ended = firing, {}
        self._sent_at = self._clock.monotonic()
        return len(posted)

    async def aclose(self) -> None:
        """Give the connection back. What fires is taken for resolved five minutes after the last word."""
        await self._client.aclose()

    async def _firing(self) -> dict[tuple[tuple[str, str], ...], _Alert]:
        states = await self._states.states(told_since=self._clock.now() - TOLD_FOR)
        found = (self._read(state) for state in states.values())
        return {each.labels: each for each in found if each is not None}

    def _read(self, state: AlertState) -> _Alert | None:
        name, _, thing = state.rule.partition(":")
        rule = self._rules.get(name)
        if rule is None or state.phase not in FIRING or state.since is None:
            return None
        if state.phase == "told" and self._clock.now() - state.since >= TOLD_FOR:
            return None
        labels = {
            "alertname": rule.name,
            "severity": rule.severity,
            "scope": thing or rule.scope,
            "service": SERVICE,
        }
        if rule.metric in OWN_METRICS:
            labels["instance"] = self._instance
        annotations = {"summary": rule.title, "description": rule.usually_helps, "runbook_url": rule.link}
        return _Alert(tuple(sorted(labels.items())), tuple(annotations.items()), state.since, rule.link)

    async def _post(self, alerts: list[dict[str, Any]]) -> None:
        """Raises whatever went wrong, for the loop to try again later; the part says that it fails."""
        try:
            answer = await self._client.post("/api/v2/alerts", json=alerts)
            answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            self._health.failed(self.PART, f"refused_{error.response.status_code}")
            raise
        except httpx.HTTPError as error:
            self._health.failed(self.PART, type(error).__name__)
            raise
        self._health.ok(self.PART)
