"""What the person who answers sees: the call's page, and the check that opens a plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

from infra.roles import Role as Role

if TYPE_CHECKING:
    from callrouter.view import CallView


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person with a signed session. ``session`` is its random id: two names in one session are one person.

    ``organisation``: whom they work for, as the sign-in says; what was passed to it is theirs to open.
    ``user`` alone says who somebody is: it is what is compared, hashed and counted. ``name`` may change from one
    sign-in to the next, and two people may bear one: it is only shown.
    """

    user: str
    role: Role
    session: str = field(default="", repr=False, compare=False)
    organisation: str = ""
    name: str = field(default="", repr=False, compare=False)

    @property
    def shown(self) -> str:
        """Name and user as people read them."""
        return shown_as(self.user, self.name)


def shown_as(user: str, name: str) -> str:
    """Whoever has this ``user`` and bore this ``name``, as people read it: ``Sam Example (u-1001)``."""
    return f"{name} ({user})" if name and name != user else user


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One line of the call's history in plain words; nothing of a plan's content."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class PlanNotice:
    """What may be said of plans before the check: of how many people (``count``), never whose or what.

    ``outcome`` is the match level; once somebody has checked it is ``confirmed``, and ``reason`` says how.
    ``unmatched_at``: when the newest check was, if it fitted nobody.
    """

    outcome: str
    reason: str
    count: int
    confirmed_at: datetime | None = None
    unmatched_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OpenedPlan:
    """A plan after its person was checked. ``detail`` is only for roles that may read it.

    ``restricted``: nobody may be told where this patient is or how to reach them.
    """

    person: str
    kind: str
    source: str
    author_org: str
    valid_from: date | None
    review_by: date | None
    stale: bool
    handler_line: str
    detail: str | None
    restricted: bool = False
    also_in: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallPage:
    """Everything that the page of one call shows. ``provider``: the name of whoever has the caller, for people."""

    call: CallView
    plan: PlanNotice
    repeat: str
    timeline: tuple[TimelineRow, ...]
    provider: str = ""


class CallPages(Protocol):
    """What the console needs of the hand-over."""

    async def page(self, context: str, who: SignedIn) -> CallPage | None:
        """The page of the call with this context id, recorded as opened by ``who``; None if there is none.

        Raises :class:`callrouter.approvals.Refused` for a call that came to another organisation.
        """

    async def check_birth_date(self, context: str, born: date, who: SignedIn) -> tuple[OpenedPlan, ...]:
        """The plans of the one person on this line who was born on that day; empty where none matches.

        Every try is recorded. Raises ``TooManyTries`` once the limit for this person and call is reached,
        ``PlanClosed`` when plans cannot be opened from this page at all; its text says why.
        """

    async def open_checked(self, context: str, who: SignedIn) -> tuple[OpenedPlan, ...]:
        """The plans of the one person on this line, for a clinician who has checked whom they speak with.

        Recorded. Raises ``PlanClosed``, also on a line of several people.
        """
