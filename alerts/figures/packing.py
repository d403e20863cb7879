"""The events of a call that is over, as one piece of bytes: a small part of what they take as objects.

Only this process reads it again. What is in it is what :mod:`alerts.figures.calls` keeps of events: nothing personal.
"""

from __future__ import annotations

import marshal
from collections.abc import Sequence
from datetime import UTC, datetime

from alerts.figures.calls import Told, said, values_of


def pack(seen: int, told: Sequence[Told]) -> bytes:
    """What was told, after ``seen``: the bits of the events that are known."""
    events = [(seq, at.timestamp(), kind, *values_of(kind, facts)) for seq, at, kind, facts in told]
    return marshal.dumps(seen) + marshal.dumps(events)


def seen_of(packed: bytes) -> int:
    """The bits alone, without the cost of the rest."""
    seen: int = marshal.loads(packed)  # noqa: S302 - our own bytes; what follows its first value it does not look at
    return seen


def told_of(packed: bytes) -> list[Told]:
    """What was told, as it was: a float tells the microseconds of our times exactly."""
    events = marshal.loads(packed[len(marshal.dumps(seen_of(packed))) :])  # noqa: S302
    return [
        (seq, datetime.fromtimestamp(at, UTC), kind, said(kind, tuple(values))) for seq, at, kind, *values in events
    ]
