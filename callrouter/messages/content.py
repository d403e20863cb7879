"""What people write, read and judged: plain data into :class:`Content`, with every problem named by its field."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from callrouter.approvals import hash_of
from callrouter.messages.errors import ContentRefused
from callrouter.messages.model import LONGEST_NIGHT, Content, Places, Wording
from callrouter.ports import MOST_MESSAGES_S
from infra.areas import Areas
from infra.plain_text import HIDDEN

LONGEST_LIFE = timedelta(days=92)
"""A quarter: a message that is needed for longer belongs into the flow. A proposal (unverified)."""

WORDS_A_SECOND = 2.4
"""Words of a slow voice. Where audio was made, its own length counts."""

PRIORITIES = range(1, 6)
_LONGEST_PART = 400  # characters; more is over the time allowed in any voice
_LONGEST_NAME = 80
_MARKER = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_SERVICE = re.compile(r"[a-z0-9_]{1,40}")
_PREFIX = re.compile(r"\+44[1-9][0-9]{0,5}")  # no more digits: a prefix finds a district, never a person
_DIALLED = re.compile(r"\+[1-9][0-9]{5,14}|[0-9]{3,6}")
_PLAIN_TEXT = re.compile(r"[^<>&\x00-\x1f\x7f]*")  # SSML and XML have no place in what is read out

_CONTENT: TypeAdapter[Content] = TypeAdapter(Content)


@dataclass(frozen=True, slots=True)
class Known:
    """What a message may name: languages, services, areas."""

    languages: Collection[str]
    services: Collection[str]
    areas: Areas


def plain(content: Content) -> dict[str, Any]:
    """As JSON data; :func:`read` is its inverse."""
    data: dict[str, Any] = _CONTENT.dump_python(content, mode="json")
    return data


def read(data: Any) -> Content:
    """The content that plain data describe. Raises :class:`ContentRefused` for another shape."""
    try:
        return _CONTENT.validate_python(data, strict=False)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise ContentRefused({".".join(str(p) for p in each["loc"]): each["msg"] for each in found}) from None


def digest_of(content: Content, audio: Mapping[str, str]) -> str:
    """The hash that people approve: of everything that a caller can meet. ``audio``: SHA-256 by prompt key."""
    return hash_of({"content": plain(content), "audio": dict(audio)})


def require_fit(content: Content, known: Known, now: datetime) -> None:
    """Raise :class:`ContentRefused`, naming every problem, unless this may become a message."""
    problems: dict[str, str] = {}
    for field, text in _problems(content, known, now):
        problems.setdefault(field, text)
    if problems:
        raise ContentRefused(problems)


def seconds_of(wording: Wording) -> float:
    """About how long a caller listens."""
    return sum(len(part.split()) for part in wording.parts()) / WORDS_A_SECOND


def _problems(content: Content, known: Known, now: datetime) -> Iterator[tuple[str, str]]:
    if not 0 < len(content.title.strip()) <= _LONGEST_NAME:
        yield "title", f"Enter a name of 1 to {_LONGEST_NAME} characters"
    if not _MARKER.fullmatch(content.marker):
        yield "marker", "Marker must be small letters, digits and hyphens, 40 at most"
    if content.priority not in PRIORITIES:
        yield "priority", "Priority must be 1 to 5"
    if content.offer and not 0 < len(content.offer.clinical_owner.strip()) <= _LONGEST_NAME:
        yield "clinical_owner", "Enter the clinician who answers for this offer"
    if unknown := set(content.services) - set(known.services):
        yield "services", f"There is no service {', '.join(sorted(unknown))}"
    yield from _wordings(content, known)
    yield from _places(content.places, known.areas)
    yield from _night(content) if content.is_template else _times(content, now)


def _wordings(content: Content, known: Known) -> Iterator[tuple[str, str]]:
    if "en" not in content.wordings:
        yield "text_en", "Enter the words in English"
    for language, wording in content.wordings.items():
        if language not in known.languages:
            yield f"text_{language}", f"There is no language {language}"
        if not wording.text.strip():
            yield f"text_{language}", "Enter what callers hear"
        if content.offer and not wording.who_should_stay.strip():
            yield f"who_should_stay_{language}", "Say who should stay on the line"
        if content.offer and not wording.safety_net.strip():
            yield f"safety_net_{language}", "Say what to do if it gets worse"
        for name in ("text", "who_should_stay", "safety_net"):
            part = getattr(wording, name)
            if len(part) > _LONGEST_PART or not _PLAIN_TEXT.fullmatch(part) or HIDDEN.search(part):
                yield f"{name}_{language}", f"Plain words only, {_LONGEST_PART} characters at most"
        if seconds_of(wording) > MOST_MESSAGES_S:
            most = int(MOST_MESSAGES_S * WORDS_A_SECOND)
            yield f"text_{language}", f"Too long: {most} words at most in all, so that nobody waits over 20 seconds"


def _places(places: Places, areas: Areas) -> Iterator[tuple[str, str]]:
    if not (places.everywhere or places.areas or places.cli_prefixes or places.dialled):
        yield "areas", "Choose where it is heard"
    if unknown := [each for each in places.areas if each not in areas]:
        yield "areas", f"There is no area {', '.join(unknown)}"
    if not all(_PREFIX.fullmatch(each) for each in places.cli_prefixes):
        yield "cli_prefixes", "Beginnings of numbers must look like +441689, at most six digits after +44"
    if not all(_DIALLED.fullmatch(each) for each in places.dialled):
        yield "dialled", "Dialled numbers must look like 111 or +442079460111"


def _times(content: Content, now: datetime) -> Iterator[tuple[str, str]]:
    start, end = content.starts_at, content.expires_at
    if start is None or start.tzinfo is None:
        yield "starts_at", "Enter when it starts"
    if end is None or end.tzinfo is None:
        yield "expires_at", "Enter when it ends: every message has an end"
    if start is None or end is None or start.tzinfo is None or end.tzinfo is None:
        return
    if end <= max(start, now):
        yield "expires_at", "The end must be after the start, and in the future"
    elif end - start > LONGEST_LIFE:
        yield "expires_at", f"A message lasts {LONGEST_LIFE.days} days at most"


def _night(content: Content) -> Iterator[tuple[str, str]]:
    if content.longest_life is None or not timedelta(0) < content.longest_life <= LONGEST_NIGHT:
        yield "longest_life", "At night a message lasts 12 hours at most"
    if content.starts_at or content.expires_at:
        yield "starts_at", "A template has no times: whoever starts it chooses its end"
