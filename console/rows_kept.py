"""Until when it is known of a day who rang again and was promised a call back: single calls are not kept for ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from alerts.figures.history_rows import midnight
from alerts.figures.items import ITEMS, OF_CALL_BACKS
from console.item_table import RECONTACT

OF_RECONTACT = frozenset(code for code in ITEMS if code.startswith(RECONTACT))


@dataclass(frozen=True, slots=True)
class RowsKept:
    """How long the rows are kept of which these items are counted at each look; None: for ever.

    What hours and days add up to stays longer.
    """

    recontact: timedelta | None = None
    call_backs: timedelta | None = None

    def unknown(self, day: date, now: datetime) -> frozenset[str]:
        """The items that cannot be told at ``now`` (UTC) of a London day: some of its rows may be gone."""
        age = now - midnight(day)
        gone = frozenset[str]()
        if self.recontact is not None and age > self.recontact:
            gone |= OF_RECONTACT
        if self.call_backs is not None and age > self.call_backs:
            gone |= OF_CALL_BACKS
        return gone
