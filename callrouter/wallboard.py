"""What the pages of figures read, put together: live figures, the past, and the alerts that fire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from alerts.items import Clock, Kpis, ScopeKind
from callrouter.wiring import Service
from console.ports import FiringAlert
from console.routes import Figures


def figures_of(service: Service) -> Figures:
    """For the console of this service."""
    return Figures(live=service.board, past=NoPast(), alerts=NoAlerts())


class NoPast:
    """:class:`console.ports.Past` while no day is kept."""

    async def hours(self, _first: date, _last: date, _kind: ScopeKind, _clock: Clock = "offered") -> Sequence[Kpis]:
        return ()

    days = hours


class NoAlerts:
    """:class:`console.ports.Alerts` while nobody can be asked."""

    async def firing(self) -> Sequence[FiringAlert]:
        raise OSError
