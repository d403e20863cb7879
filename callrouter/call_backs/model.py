"""The values of call-backs, and the rules in time. No I/O.

::

    Refused                 (callrouter.approvals) nothing was changed; the text says what to do
    ├── NoSuchCallBack      there is no such call-back
    ├── NotYours            somebody else has it, or nobody: take it on first
    └── NotNow              it is over, the caller is still on the line, or the next try is not due yet
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, get_args

from callrouter.approvals import Refused

KEPT_WITHIN = timedelta(minutes=20)
"""By when a caller is rung who was promised it (item D14; a proposal for the clinical safety officer)."""

BETWEEN_TRIES = timedelta(minutes=10)
MOST_TRIES = 3
"""Tries in vain until a clinician has the caller as a welfare task."""

HELD_FOR = timedelta(minutes=15)
"""After so long whoever took a call-back on may have left the desk: another may take it over."""

ON_THE_LINE = timedelta(hours=1)
"""No queue holds longer: after that a caller whose end we never saw is owed the call all the same."""

SHOWN_AFTER = timedelta(hours=2)
"""How long one that is over stays on the list."""

TryOutcome = Literal["answered", "no_answer", "busy", "failed"]
TRY_OUTCOMES: tuple[TryOutcome, ...] = get_args(TryOutcome)
EndOutcome = Literal["reached", "gave_up", "rang_again", "withdrawn"]


class NoSuchCallBack(Refused):
    """There is no such call-back."""

    error_id = "no_such_call_back"
    status = 404


class NotYours(Refused):
    """Somebody else has it, or nobody: take it on first."""

    error_id = "not_yours"


class NotNow(Refused):
    """It is over, or the next try is not due yet. The text says which."""

    error_id = "call_back_not_now"


@dataclass(frozen=True, slots=True)
class CallBack:
    """One promise. ``number`` and ``context``, which opens the call, are told to who has taken it on, else empty.

    ``owed_at``: by when the caller is to be rung next. ``left_at``: when they hung up; None while they may be on the
    line. ``taken_user`` has it, by name ``taken_by``; empty: nobody. ``outcome``: how it ended, empty while it is open.
    """

    id: str
    call_ref: str = field(repr=False)
    context: str
    service: str
    arrived_at: datetime
    promised_at: datetime
    owed_at: datetime
    left_at: datetime | None = None
    taken_at: datetime | None = None
    taken_by: str = ""
    taken_user: str = ""
    tries: int = 0
    tried_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str = ""
    number: str = field(default="", repr=False)

    @property
    def is_open(self) -> bool:
        """Whether the caller is still owed a call."""
        return self.ended_at is None

    def is_on_the_line(self, now: datetime) -> bool:
        """Whether the caller has not hung up yet, as far as we know: nobody is rung who waits in the queue."""
        return self.is_open and self.left_at is None and now < self.promised_at + ON_THE_LINE

    def is_late(self, now: datetime) -> bool:
        """Whether the caller should have been rung by now."""
        return self.is_open and not self.is_on_the_line(now) and self.owed_at < now

    @property
    def next_try(self) -> datetime | None:
        """Before then nobody rings again; None before the first try."""
        return None if self.tried_at is None else self.tried_at + BETWEEN_TRIES
