"""What access to plans needs from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from careplans.model import Viewer


@dataclass(frozen=True, slots=True)
class MatchedCall:
    """A call, the ids of the plans that its number matched, and when it ended (None: the caller is there).

    ``organisations``: those that it was put through to; None where that is not known, or they are not named.
    ``taken_on_by``: who has taken on its welfare task, as people read them. ``taken_back_by``: the users who have taken
    on the call that the caller is owed.
    """

    call_ref: str
    plans: tuple[str, ...]
    ended_at: datetime | None
    organisations: frozenset[str] | None = None
    taken_on_by: frozenset[str] = frozenset()
    taken_back_by: frozenset[str] = frozenset()

    def is_of(self, viewer: Viewer) -> bool:
        """Whether it came to this person: to their organisation, or as a caller to look after."""
        if self.organisations is None or viewer.organisation in self.organisations:
            return True
        return viewer.user in self.taken_back_by or (bool(viewer.name) and viewer.name in self.taken_on_by)


class MatchedCalls(Protocol):
    """The calls that plans were matched to."""

    async def by_context(self, context: str) -> MatchedCall | None:
        """The call that was handed over under this random id; None if there is none.

        Who knows the id was handed the call, or has taken on its welfare task or the
        call back, which is recorded: it stands in no other list, and in no address but the call's own. Raises
        :class:`careplans.errors.PlanStoreFailed` if that cannot be known now.
        """


@dataclass(frozen=True, slots=True)
class GovernanceNotice:
    """What information governance is told at once; ``id`` is opaque. Nothing says whose plan, or by whom."""

    kind: Literal["broke_glass", "audit_late"]
    id: str
    at: datetime


class Governance(Protocol):
    """Information governance, told."""

    async def tell(self, notice: GovernanceNotice) -> bool:
        """Queue the notice, once for each kind and id, however often it is told; False if nobody is named."""
