"""Figures by item code as a table: both clocks beside each other, and how far each definition can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.figures.items import ITEMS, OF_CALL_BACKS, Kpis
from console.measures import told

MARKS = {
    "V": "",
    "S": "secondary source",
    "U": "not verified",
    "": "our own",
}
"""What a definition rests on (docs/domain.md): V was read in a primary source, which goes without saying."""

RECONTACT = "RECONTACT"
"""Of messages and versions, not of a provider: not in this table."""


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One item under both clocks, in words."""

    code: str
    title: str
    mark: str
    offered: str
    message_end: str


def item_rows(offered: Kpis | None, message_end: Kpis | None, *, live: bool = False) -> tuple[ItemRow, ...]:
    """Every item, under both clocks; what is not known is not 0.

    ``live``: the figures are from memory, which times those who still wait; the history does not, and its rows say so.
    """
    return tuple(
        ItemRow(
            code="–" if not item.mark else code,
            title=item.title if live else item.of_the_past or item.title,
            mark=MARKS[item.mark],
            offered=told(offered, code),
            message_end=told(message_end, code),
        )
        for code, item in ITEMS.items()
        if not code.startswith(RECONTACT) and _is_told(offered, code)
    )


def _is_told(kpis: Kpis | None, code: str) -> bool:
    """Items of call-backs only where any was promised through us."""
    if code not in OF_CALL_BACKS:
        return True
    return kpis is not None and (kpis.values.get(code) is not None or code in (kpis.held or ()))
