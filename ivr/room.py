"""Room: whether a session is small enough to be written at every step of every call.

Nearly every session is far below the limit. That is seen by counting what it holds, so that it need not be written
once more only to be measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from ivr.model import (
    MAX_SESSION,
    Gather,
    GatherWait,
    Hold,
    LookupWait,
    OfferWait,
    Play,
    PlaybackWait,
    Session,
    written,
)

ENTRY = 320  # octets: more than a name with dots (244), what is counted there, and a number take
INSTRUCTION = 320  # octets of an instruction or the wait, its names among them, without the texts below
ESCAPED = 6  # octets of one character that JSON must escape; the longest in UTF-8 has four
BETWEEN = 3  # quotes and comma

_TEXTS: Mapping[type, Callable[[Any], Sequence[str]]] = {
    Play: attrgetter("prompts"),
    Hold: attrgetter("prompts"),
    Gather: attrgetter("hints"),
    OfferWait: attrgetter("services"),
    GatherWait: lambda wait: (wait.holding,),
    LookupWait: lambda wait: (wait.about,),
    PlaybackWait: lambda wait: [text for each in wait.messages for text in (each.marker, *each.prompts)],
}
"""What may be of any length and number in an instruction or a wait."""


def fits(session: Session) -> bool:
    """Whether its JSON has at most :data:`ivr.model.MAX_SESSION` octets."""
    return at_most(session) <= MAX_SESSION or len(written(session)) <= MAX_SESSION


def at_most(session: Session) -> int:
    """A number of octets that its JSON does not exceed."""
    entries = len(session.facts) + len(session.counts) + len(session.visits)
    texts = [value for value in session.facts.values() if isinstance(value, str)] if session.facts else []
    for each in (session.wait, *session.present):
        if texts_of := _TEXTS.get(type(each)):
            texts += texts_of(each)
    things = (entries + 2) * ENTRY + (len(session.present) + 1) * INSTRUCTION
    return things + len(texts) * BETWEEN + len("".join(texts)) * ESCAPED
