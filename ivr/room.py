"""Room: whether a session is small enough to be written at every step of every call.

Nearly every session is far below the limit. That is seen by counting what it holds, so that it need not be written
once more only to be measured.
"""

from __future__ import annotations

from collections.abc import Iterable

from ivr.model import MAX_SESSION, Gather, GatherWait, Hold, LookupWait, OfferWait, Play, PlaybackWait, Session, written

ENTRY = 320  # octets: more than a name with dots (244), what is counted there, and a number take
INSTRUCTION = 320  # octets of an instruction or the wait, its names among them, without the texts below
ESCAPED = 6  # octets of one character that JSON must escape; the longest in UTF-8 has four
BETWEEN = 3  # quotes and comma


def fits(session: Session) -> bool:
    """Whether its JSON has at most :data:`ivr.model.MAX_SESSION` octets."""
    return at_most(session) <= MAX_SESSION or len(written(session)) <= MAX_SESSION


def at_most(session: Session) -> int:
    """A number of octets that its JSON does not exceed."""
    entries = len(session.facts) + len(session.counts) + len(session.visits)
    octets = (entries + 2) * ENTRY + (len(session.present) + 1) * INSTRUCTION
    for value in session.facts.values():
        if isinstance(value, str):
            octets += _octets(value)
    for each in session.present:
        if isinstance(each, Play | Hold):
            octets += sum(map(_octets, each.prompts))
        elif isinstance(each, Gather):
            octets += sum(map(_octets, each.hints))
    return octets + sum(map(_octets, _awaited(session)))


def _octets(text: str) -> int:
    return BETWEEN + len(text) * ESCAPED


def _awaited(session: Session) -> Iterable[str]:
    """What may be of any length and number in the wait."""
    match session.wait:
        case GatherWait(holding=text) | LookupWait(about=text):
            return (text,)
        case OfferWait(services=services):
            return services
        case PlaybackWait(messages=messages):
            return [text for each in messages for text in (each.marker, *each.prompts)]
    return ()
