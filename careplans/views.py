"""The record of every view of a plan and of every try: appended to, never changed, without a name.

The viewer stands in it as a keyed hash and the plan by its opaque id. This table is a record of its own: a
plan that is erased later leaves its entries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from sqlalchemy import Connection, distinct, func, insert, select

from careplans.tables import lock_for_writing, plan_views

_log = structlog.get_logger(__name__)


class What(StrEnum):
    """What was done: a birth date that was right or wrong, a plan opened by a clinician, or a refusal."""

    CHECKED_RIGHT = "checked_right"
    CHECKED_WRONG = "checked_wrong"
    OPENED = "opened"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ViewEntry:
    """One line of the record."""

    at: datetime
    viewer: str
    role: str
    call_ref: str
    attempt: str
    plan: str | None
    what: What


def append(connection: Connection, entries: Sequence[ViewEntry]) -> None:
    """Add ``entries`` in the transaction of ``connection``."""
    connection.execute(insert(plan_views), [asdict(entry) for entry in entries])


A_DAY = timedelta(days=1)


def append_within(connection: Connection, entries: Sequence[ViewEntry], most_wrong: int) -> bool:
    """Add the ``entries`` of one try; False if its viewer has been wrong ``most_wrong`` times within a day before."""
    lock_for_writing(connection, plan_views)
    wrong = select(func.count(distinct(plan_views.c.attempt))).where(
        plan_views.c.viewer == entries[0].viewer,
        plan_views.c.what == What.CHECKED_WRONG,
        plan_views.c.at > entries[0].at - A_DAY,
    )
    left = int(connection.execute(wrong).scalar_one()) < most_wrong
    append(connection, entries)
    return left


def wrong_tries(connection: Connection, viewer: str, call_ref: str) -> int:
    """How many birth dates this viewer has got wrong in this call."""
    query = select(func.count(distinct(plan_views.c.attempt))).where(
        plan_views.c.viewer == viewer,
        plan_views.c.call_ref == call_ref,
        plan_views.c.what == What.CHECKED_WRONG,
    )
    return int(connection.execute(query).scalar_one())


class LogSpool:
    """The spool of a small installation: each entry is one error line of the log, which raises the alert.

    Nothing in an entry is personal, so the line may stand in a log.
    """

    def __init__(self) -> None:
        self._wrong: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def keep(self, entry: ViewEntry) -> None:
        if entry.what is What.CHECKED_WRONG:
            self._wrong[entry.viewer, entry.call_ref].add(entry.attempt)
        fields = asdict(entry) | {"at": entry.at.isoformat(), "what": str(entry.what)}
        _log.error("plan_view_unrecorded", **fields)

    def kept(self, viewer_key: str, call_ref: str) -> int:
        return len(self._wrong.get((viewer_key, call_ref), ()))
