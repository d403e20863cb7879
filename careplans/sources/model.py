"""The port of all sources, and what the pipeline says of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from careplans.model import RowFault
from careplans.rows import Row

BATCH = 200
"""Records in one transaction: some twenty milliseconds of one core, so that callers hardly wait beside it."""

MOST_WITHDRAWN = 0.05
"""Share of a source's plans in force that a run may withdraw by itself (docs/safety/rules.md, 7)."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A portion of a delivery, and the cursor from which reading goes on once it is stored.

    A delivery has a ``first`` and a ``last`` batch, which may be the same; it is ``whole`` if every plan that the
    source has stands in it, so that what is missing is gone. ``ignored`` counts fields that nobody knows here.
    ``broken`` says why the rest of it cannot be read: nothing is then missing. ``unasked`` says what the source cannot
    be asked for; such a batch is a delivery of its own, without a row. ``answered``: the question (field of
    such a fault) that it was asked now.
    """

    rows: tuple[Row, ...]
    cursor: str = field(repr=False)
    first: bool
    last: bool
    whole: bool = False
    ignored: int = 0
    broken: RowFault | None = None
    unasked: RowFault | None = None
    answered: str = ""

    @property
    def why(self) -> str:
        """What the run's report says of it; empty if all is well."""
        return "broken" if self.broken is not None else "unasked" if self.unasked is not None else ""


class PlanSource(Protocol):
    """Something that plans come from."""

    def read(self, cursor: str) -> AsyncIterator[Batch]:
        """Everything after ``cursor`` (empty: from the start), in order; nothing if nothing is new.

        The cursor of a batch is given again, in this process or another, once the batch is stored. A delivery of
        which some batches are stored goes on with a batch that is not ``first``, or is given up by one that is.
        Raises :class:`careplans.sources.errors.SourceError`; what was yielded before stands.
        """


@dataclass(frozen=True, slots=True)
class Sender:
    """Who delivers, and what it may do. ``system``: the name under which its plans are stored; None: they say it."""

    name: str
    system: str | None = None
    most_withdrawn: float = MOST_WITHDRAWN


BY_HAND = Sender("import")
"""Files that a person names: their rows say themselves of which source they are."""


class RunState(StrEnum):
    """What became of a delivery."""

    RUNNING = "running"
    READ = "read"  # to its end; what it withdraws is still to be judged
    DONE = "done"
    HELD = "held"  # loaded; it would withdraw too much, and a person decides
    REFUSED = "refused"  # a person decided that nothing is withdrawn
    SUPERSEDED = "superseded"  # held, and then a newer full list came


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run. Counts are records, save ``warnings``, and ``ignored``, which counts fields."""

    id: int
    source: str
    state: RunState
    why: str
    whole: bool
    began_at: datetime
    ended_at: datetime | None
    records: int = 0
    imported: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    nameless: int = 0
    warnings: int = 0
    ignored: int = 0
    withdrawn: int = 0
    would_withdraw: int = 0
    in_force: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """A plan in force: ``row`` is our own id of it, ``plan_id`` the source's."""

    row: str
    plan_id: str = field(repr=False)
    version: int


@dataclass(frozen=True, slots=True)
class Freshness:
    """As of ``at``: when a source was last read to its end, when its newest whole delivery began; None: never."""

    source: str
    at: datetime
    read_at: datetime | None
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Delivered:
    """A run of this call, with what was wrong or odd, by line and field; at most :data:`MOST_FAULTS` of each."""

    run: RunReport
    refused: tuple[RowFault, ...] = ()
    odd: tuple[RowFault, ...] = ()


MOST_FAULTS = 1000


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that could not be read. ``faults`` are fields and reasons, without any value.

    ``loaded``: its plan is stored all the same, without what could not be read.
    """

    id: str
    source: str
    run: int
    line: int
    faults: tuple[tuple[str, str], ...]
    first_at: datetime
    last_at: datetime
    times: int
    loaded: bool = False
