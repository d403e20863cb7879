"""What the pages of figures read, put together: live figures, the past, and the alerts that fire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.life.service import AlertService
from alerts.model import AlertState, page_of
from callrouter.retention import kept_for
from callrouter.wiring import Service
from careplans.retention import Kept, Record
from console.routes import Figures
from console.rows_kept import RowsKept


def figures_of(service: Service) -> Figures:
    """For the console of this service."""
    return Figures(
        live=service.board,
        past=service.counting.history,
        alerts=FiringNow(service.alerts),
        kept=rows_kept(kept_for(service.settings)),
    )


def rows_kept(table: Iterable[Kept]) -> RowsKept:
    """Of the table of the retention: until when a day's call-backs and re-contact are known."""
    ends = {each.record: each.keep_for for each in table if each.verified}

    def shortest(*records: Record) -> timedelta | None:
        return min((ends[each] for each in records if each in ends), default=None)

    return RowsKept(
        recontact=shortest(Record.KPI_RECONTACT, Record.KPI_CALL),
        call_backs=shortest(Record.KPI_CALL_BACK, Record.KPI_CALL),
    )


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
