"""What the pages of figures read, put together: live figures, the past, and the alerts that fire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.life.service import AlertService
from alerts.model import AlertState, page_of
from callrouter.wiring import Service
from console.routes import Figures


def figures_of(service: Service) -> Figures:
    """For the console of this service."""
    return Figures(live=service.board, past=service.counting.history, alerts=FiringNow(service.alerts))


@dataclass(frozen=True, slots=True)
class FiringLine:
    """:class:`console.ports.FiringAlert`."""

    title: str
    where: str
    scope: str
    severity: str
    since: datetime
    acknowledged: bool
    link: str


class FiringNow:
    """:class:`console.ports.Alerts`."""

    def __init__(self, alerts: AlertService) -> None:
        self._alerts = alerts

    async def firing(self) -> Sequence[FiringLine]:
        states = [each.state for each in await self._alerts.shown() if each.state.is_open]
        return [_line(each, each.since) for each in states if each.since is not None]


def _line(state: AlertState, since: datetime) -> FiringLine:
    return FiringLine(
        title=state.what,
        where=state.where,
        scope=state.scope,
        severity=state.severity,
        since=since,
        acknowledged=state.phase == "acknowledged",
        link=f"/alerts/{page_of(state.rule)}",
    )
