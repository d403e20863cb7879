"""What counts calls, put together."""

from __future__ import annotations

from collections.abc import Mapping

from alerts.items import Scope
from alerts.kpi import LiveFigures
from infra.areas import london


def live_figures(providers: Mapping[str, str]) -> LiveFigures:
    """Figures that name providers (names by id) and the areas of London."""
    return LiveFigures(providers, {Scope("area", each.id): each.name for each in london()})
