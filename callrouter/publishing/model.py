"""A version's life in values, and who may do what with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from callrouter.approvals import Approval, Author
from callrouter.handover import Role, shown_as


class State(StrEnum):
    """Where a version is in its life."""

    DRAFT = "draft"
    CHECKED = "checked"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    STAGED = "staged"
    LIVE = "live"
    RETIRED = "retired"
    """Another followed it. It is what a roll-back or a recall goes back to."""
    ROLLED_BACK = "rolled_back"
    """Taken back as a matter of routine: calls finish in it."""
    RECALLED = "recalled"
    """Unsafe: calls in progress go to 111 at their next wait. For ever."""
    WITHDRAWN = "withdrawn"
    """Given up before any caller met it."""


MET = (State.LIVE, State.RETIRED, State.ROLLED_BACK, State.RECALLED, State.STAGED)
"""States of versions that callers have met."""

READERS = frozenset(Role) - {Role.HANDLER, Role.AMBULANCE}
WRITERS = frozenset({Role.COMMISSIONER, Role.CLINICAL_SAFETY, Role.PUBLIC_HEALTH})
APPROVERS = frozenset({Role.COMMISSIONER, Role.CLINICAL_SAFETY})
RELEASERS = APPROVERS
STOPPERS = frozenset({*WRITERS, Role.ADMINISTRATOR})
"""One of them, alone, at any hour: what only stops, takes back or recalls never waits for a second person."""

THE_SERVICE = "service"
"""Who does what happens by itself; nobody's role stands beside it."""

SMALLEST_SHARE, LARGEST_SHARE = 0.01, 0.5
"""Of calls in a staged release: below, the test would take weeks; above, most callers would be the ones tried on."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that somebody did with a version."""

    at: datetime
    version: str
    step: str
    by: str
    role: str
    note: str
    name: str = ""

    @property
    def who(self) -> str:
        """Who it was, as people read it."""
        return "the service" if self.by == THE_SERVICE else shown_as(self.by, self.name)


@dataclass(frozen=True, slots=True)
class Row:
    """A version as it is kept. ``live_from``: since when callers meet it, or will; ``share`` of calls, if staged."""

    version: str
    flow: str
    content_hash: str
    note: str
    author: Author
    written_at: datetime
    state: State
    problems: tuple[str, ...]
    live_from: datetime | None
    share: float | None


@dataclass(frozen=True, slots=True)
class Version:
    """A version as pages show it.

    ``touches``: the kinds of steps that its difference from the live version touches and that clinical safety must
    approve. ``needs``: the error id of what still stands against publishing it, empty if nothing does.
    """

    row: Row
    approvals: tuple[Approval, ...]
    touches: tuple[str, ...]
    needs: str
