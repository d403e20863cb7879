"""Room: whether a session is small enough to be written at every step of every call.

Nearly every session is far below the limit. That is seen by counting what it holds, so that it need not be written
once more only to be measured.
"""

from __future__ import annotations

from collections.abc import Iterator

from ivr.model import MAX_SESSION, SESSION, Gather, GatherWait, Hold, LookupWait, OfferWait, Play, PlaybackWait, Session

ENTRY = 320  # octets: more than a name with dots (244), what is counted there, and a number take
INSTRUCTION = 320  # octets of an instruction or the wait, its names among them, without the texts below
ESCAPED = 6  # octets of one character that JSON must escape; the longest in UTF-8 has four
BETWEEN = 3  # quotes and comma


def fits(session: Session) -> bool:
    """Whether its JSON has at most :data:`ivr.model.MAX_SESSION` octets."""
    return at_most(session) <= MAX_SESSION or len(SESSION.dump_json(session)) <= MAX_SESSION


def at_most(session: Session) -> int:
    """A number of octets that its JSON does not exceed."""
    entries = len(session.facts) + len(session.counts) + len(session.visits)
    texts = sum(BETWEEN + len(text) * ESCAPED for text in _texts(session))
    return (entries + 2) * ENTRY + (len(session.present) + 1) * INSTRUCTION + texts


def _texts(session: Session) -> Iterator[str]:
    """What may be of any length and number."""
    for value in session.facts.values():
        if isinstance(value, str):
            yield value
    for each in session.present:
        if isinstance(each, Play | Hold):
            yield from each.prompts
        elif isinstance(each, Gather):
            yield from each.hints
    match session.wait:
        case GatherWait(holding=text) | LookupWait(about=text):
            yield text
        case OfferWait(services=services):
            yield from services
        case PlaybackWait(messages=messages):
            for message in messages:
                yield message.marker
                yield from message.prompts
