"""Every Alertmanager of the settings, kept up to date for as long as this process runs."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from contextlib import aclosing
from typing import Any

from adapters.notify.alertmanager import Alertmanager, States
from alerts.auditor import PROBE_RULE
from alerts.model import Rule
from callrouter.settings import Settings, alertmanager_urls
from infra.clock import Clock
from infra.health import Health
from infra.loops import repeat


def open_alertmanagers(
    settings: Settings, rules: Sequence[Rule], states: States, clock: Clock, health: Health
) -> list[Alertmanager]:
    """One for each address; none where none is set. What the auditor's probes raise is for the auditor alone."""
    told = [each for each in rules if each.name != PROBE_RULE]
    instance = f"{settings.host}:{settings.port}"
    return [
        Alertmanager(url, told, states, clock, health, instance=instance)
        for url in alertmanager_urls(settings.alertmanager_url)
    ]


def loops(alertmanagers: Sequence[Alertmanager]) -> list[Coroutine[Any, Any, None]]:
    """What keeps them up to date. No lease: an alarm must not hang on one, and equal labels are one alert there."""
    return [_kept(each) for each in alertmanagers]


async def _kept(alertmanager: Alertmanager) -> None:
    async with aclosing(alertmanager):
        await repeat("alertmanager", alertmanager.step, full=1_000_000)
