"""What a text is on its way out, and where it stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

PLACEHOLDER = re.compile(r"\(\(([a-z_]+)\)\)")
"""GOV.UK Notify's own notation for what differs from one text to the next."""


class Purpose(StrEnum):
    """Whom a text is for: a caller who asked for it, the crew on its way to a patient, or staff (an alert's notice).

    Alerts keep and try their own notices: those never stand in the outbox.
    """

    CALLER = "caller"
    CREW = "crew"
    CORRECTION = "correction"
    ALERT = "alert"


LATEST = {
    Purpose.CALLER: timedelta(minutes=30),
    Purpose.CREW: timedelta(minutes=30),
    Purpose.CORRECTION: timedelta(hours=12),
}
"""After this a text is given up. A crew has long arrived; a correction is worth sending while its reference opens."""


class State(StrEnum):
    """``waiting``: for a try; ``sending``: given to a provider now; ``unsure``: perhaps taken, to be asked for.

    ``sent``: taken by the provider; ``delivered`` or ``failed``: as its receipt says; ``given_up``: never taken, or
    nobody can say.
    """

    WAITING = "waiting"
    SENDING = "sending"
    UNSURE = "unsure"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    GIVEN_UP = "given_up"


OPEN = (State.WAITING, State.SENDING, State.UNSURE)
"""What still needs its number. Once none of these, the key of number and values is destroyed."""


@dataclass(frozen=True, slots=True)
class Template:
    """Words with placeholders, and the id of the same words at GOV.UK Notify (empty: not there)."""

    key: str
    words: str
    govuk_notify: str = ""

    @property
    def placeholders(self) -> frozenset[str]:
        """Names of what differs from one text to the next; none for a text to callers."""
        return frozenset(PLACEHOLDER.findall(self.words))

    def fill(self, values: Mapping[str, str]) -> str:
        """The words as they are read; raises KeyError for a value that is missing."""
        return PLACEHOLDER.sub(lambda found: values[found[1]], self.words)


@dataclass(frozen=True, slots=True)
class Text:
    """One text. ``reference`` is random to others and the same at every try; ``to`` is E.164."""

    reference: str
    purpose: Purpose
    template: Template
    to: str = field(repr=False)
    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def words(self) -> str:
        """As it is read."""
        return self.template.fill(self.values)


@dataclass(frozen=True, slots=True)
class Kept:
    """A text in the outbox, and how far it came. ``reason``: a stable word of the last thing that went wrong."""

    reference: str
    purpose: Purpose
    template: str
    call_ref: str
    state: State
    provider: str
    tries: int
    made_at: datetime
    reason: str = ""

    def is_late(self, now: datetime) -> bool:
        """Whether it is not worth sending any more."""
        return now - self.made_at >= LATEST[self.purpose]
