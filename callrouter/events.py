"""The journal's vocabulary: every event of a call, typed.

A field marked :func:`personal` is health data or identifies somebody: it is encrypted with the key of the
call and never leaves the journal in clear. Everything else (times, node ids, classes of input, opaque ids) may
be read by KPIs and alerts. Standard library only, so that every package may import it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, TypeAlias

from callrouter.call_back_events import CallBackEnded as CallBackEnded
from callrouter.call_back_events import CallBackOpened as CallBackOpened
from callrouter.call_back_events import CallBackPromised as CallBackPromised
from callrouter.call_back_events import CallBackTried as CallBackTried
from callrouter.caller_events import AgeBandKnown as AgeBandKnown
from callrouter.caller_events import ReasonsHeard as ReasonsHeard
from callrouter.leg_events import LegAnswered as LegAnswered
from callrouter.leg_events import LegFailed as LegFailed
from callrouter.leg_events import LegRinging as LegRinging
from callrouter.leg_events import LegStarted as LegStarted
from callrouter.leg_events import RecordingReported as RecordingReported
from callrouter.leg_events import TalkEnded as TalkEnded


def personal(default: Any = None) -> Any:
    """A field whose value must be sealed."""
    return field(default=default, repr=False, metadata={"personal": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """The call is connected to the service's telephony; the ``offered`` clock starts.

    ``resumes``: the first call of this one contact, of a caller whom we cut off and who rang back within minutes, or
    whose call began again under another name, since its state could not be read.
    """

    kind: ClassVar[str] = "offered"
    network: str
    dialled: str
    cli_class: str
    flow: str
    flow_version: str
    context: str
    resumes: str | None = None
    number: str | None = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaKnown:
    """The one area, the narrowest certain, in which the caller may be, ``by`` number or postcode; the newest counts.

    ``area`` is a borough, an integrated care board or the region (``infra.areas``), never what it was found from.
    """

    kind: ClassVar[str] = "area_known"
    area: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEntered:
    """The caller moved to a node of the flow."""

    kind: ClassVar[str] = "node_entered"
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptsPlayed:
    """Prompts were handed to the network, in this order, before the wait ``wait_id``."""

    kind: ClassVar[str] = "prompts_played"
    prompts: tuple[str, ...]
    wait_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputTaken:
    """An input moved the call. ``value`` is what the caller pressed or said."""

    kind: ClassVar[str] = "input_taken"
    wait_id: str
    input: str
    value: str | None = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class LateInput:
    """An input named a wait that is over; it changed nothing."""

    kind: ClassVar[str] = "late_input"
    wait_id: str
    input: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceMade:
    """The caller chose at a menu. ``choice`` is the author's name for it; ``by`` is key or speech."""

    kind: ClassVar[str] = "choice_made"
    node: str
    choice: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoInput:
    """Silence at a menu, for the ``count``-th time."""

    kind: ClassVar[str] = "no_input"
    node: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoMatch:
    """A key or words that mean nothing here, for the ``count``-th time."""

    kind: ClassVar[str] = "no_match"
    node: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RedFlagHeard:
    """Words of the red-flag lexicon; the call goes to a person in the highest band."""

    kind: ClassVar[str] = "red_flag_heard"
    node: str
    lexicon: str
    category: str = personal("")
    words: str | None = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageHeard:
    """A message that tells callers where else to go was played to its marker."""

    kind: ClassVar[str] = "message_heard"
    node: str
    marker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedUp:
    """A look-up ended. ``gap`` says why there is no answer: timed_out, failed, or skipped (others just
    had none, so nobody was asked); empty if there is one.

    ``raises``: whether it lifted the caller's band.
    ``detail`` is what it found: ``candidates`` (opaque plan ids) and ``people``, or ``earlier`` (times).
    """

    kind: ClassVar[str] = "looked_up"
    what: str
    gap: str
    took_ms: float
    outcome: str = personal("")
    reason: str = personal("")
    raises: bool | None = personal()
    detail: dict[str, Any] | None = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRequested:
    """The caller wants the text ``text`` (a key) sent to the mobile number that they confirmed by key."""

    kind: ClassVar[str] = "text_requested"
    node: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReported:
    """What became of the text ``text``: sent (taken by a provider), delivered, failed or given_up."""

    kind: ClassVar[str] = "text_reported"
    text: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AmbulanceRequested:
    """An ambulance was requested for the patient confirmed in this call; the crew with ``device`` is told of a plan."""

    kind: ClassVar[str] = "ambulance_requested"
    device: str
    incident: str | None = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewTold:
    """What became of a text to the crew: ``what`` is crew (the notice) or correction; ``outcome`` as of texts."""

    kind: ClassVar[str] = "crew_told"
    what: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyAnswered:
    """The caller answered the survey's ``question`` with a key."""

    kind: ClassVar[str] = "survey_answered"
    node: str
    question: str
    answer: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDisclosed:
    """From here on the caller may hear that a plan exists: it was checked to ``level``."""

    kind: ClassVar[str] = "plan_disclosed"
    node: str
    level: str = personal("")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChecked:
    """A signed-in person checked with the caller whose plan it is, by ``birth_date`` or as somebody who ``said`` so.

    ``outcome``: ``confirmed``, or ``candidates`` where it fitted nobody; ``plans``: opaque ids of those that opened.
    """

    kind: ClassVar[str] = "plan_checked"
    role: str
    by: str
    outcome: str = personal("")
    raises: bool | None = personal()
    plans: list[str] | None = personal()
    user: str | None = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedStated:
    """The caller needs an ``interpreter`` (of ``language``), or came by ``text_relay``."""

    kind: ClassVar[str] = "need_stated"
    node: str
    need: str = personal("")
    language: str = personal("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """Messages are over and the caller now waits for a person (the ``message_end`` clock starts)."""

    kind: ClassVar[str] = "queued"
    services: tuple[str, ...]
    band: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextOpened:
    """A signed-in person opened the call's page."""

    kind: ClassVar[str] = "context_opened"
    role: str
    user: str | None = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatAnswered:
    """The caller was asked whether they called twice in four days; ``answer``: yes, no or not_known."""

    kind: ClassVar[str] = "repeat_answered"
    role: str
    answer: str = personal("")
    user: str | None = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatChecked:
    """Earlier calls were looked for again, with the patient's details; ``earlier``: starts of those that count."""

    kind: ClassVar[str] = "repeat_checked"
    role: str
    outcome: str = personal("")
    reason: str = personal("")
    earlier: list[str] | None = personal()
    user: str | None = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver:
    """Another worker owns the call from here on."""

    kind: ClassVar[str] = "taken_over"
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFailed:
    """The flow could not go on; the caller goes to the default 111 service."""

    kind: ClassVar[str] = "session_failed"
    node: str
    error_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedBack:
    """The network's own fall-back takes the call: it rings the default 111 service without us."""

    kind: ClassVar[str] = "handed_back"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The call is over. ``end_class`` is one of :data:`END_CLASSES`; exactly one for each call."""

    kind: ClassVar[str] = "ended"
    end_class: str
    reason: str
    by: str


END_CLASSES = (
    "answered",
    "answer_unknown",
    "abandoned",
    "left_in_message",
    "deflected",
    "self_served",
    "served_elsewhere",
    "call_back",
    "dropped_by_us",
)
"""docs/safety/rules.md, 8; a call without an ``ended`` event is in progress."""

Event: TypeAlias = (
    Offered | NodeEntered | PromptsPlayed | InputTaken | LateInput | ChoiceMade | NoInput | NoMatch | RedFlagHeard
    | MessageHeard | LookedUp | Queued | LegStarted | LegRinging | LegAnswered | LegFailed | TextRequested
    | TextReported | AmbulanceRequested | CrewTold | CallBackPromised | CallBackOpened | CallBackTried
    | CallBackEnded | SurveyAnswered | PlanDisclosed | PlanChecked | NeedStated | TalkEnded | AreaKnown
    | AgeBandKnown | ReasonsHeard
    | ContextOpened | RepeatAnswered | RepeatChecked | RecordingReported | TakenOver | SessionFailed | HandedBack
    | Ended
)  # fmt: skip

AGENT_ROLES = frozenset({"handler", "clinician"})
"""Who takes calls. A commissioner who looks at a call's page has not answered it."""


def is_agent_there(event: Event) -> bool:
    """Whether the event shows that a person who takes calls has this one in front of them."""
    return isinstance(event, ContextOpened) and event.role in AGENT_ROLES


KINDS: dict[str, type[Any]] = {cls.kind: cls for cls in Event.__args__}


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its place in the journal: ``seq`` counts from 1 within the call, ``at`` is UTC."""

    call_ref: str
    seq: int
    at: datetime
    event: Event


def split(event: Event) -> tuple[dict[str, Any], bytes | None]:
    """The event's fields as clear facts, and the personal ones as JSON still to be sealed (None if empty)."""
    clear_names, secret_names = _names(event.kind)
    clear: dict[str, Any] = {}
    for name in clear_names:
        value = getattr(event, name)
        clear[name] = list(value) if isinstance(value, tuple) else value
    secret = {name: value for name in secret_names if (value := getattr(event, name)) is not None}
    return clear, json.dumps(secret).encode() if secret else None


@cache
def _names(kind: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The fields of such an event that are in clear, and the personal ones."""
    is_personal = {each.name: bool(each.metadata.get("personal")) for each in dataclasses.fields(KINDS[kind])}
    clear = tuple(name for name, hidden in is_personal.items() if not hidden)
    return clear, tuple(name for name, hidden in is_personal.items() if hidden)


def join(kind: str, clear: Mapping[str, Any], secret: bytes | None = None) -> Event:
    """The event again; personal fields stay None where ``secret`` is not given."""
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in clear.items()}
    if secret is not None:
        values.update(json.loads(secret))
    event: Event = KINDS[kind](**values)
    return event
