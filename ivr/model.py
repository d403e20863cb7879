"""The engine's values: facts, waits, instructions, events, session, sprint. All frozen, all JSON.

A *session* is where a caller is in a flow. A *sprint* is everything that happens between two waits. Sessions
survive a round trip through JSON; nothing else of the engine is kept between two inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from enum import StrEnum
from functools import partial
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter
from pydantic_core import SchemaValidator

from ivr.happenings import CallBackPromised as CallBackPromised
from ivr.happenings import Chose as Chose
from ivr.happenings import Disclosed as Disclosed
from ivr.happenings import Entered as Entered
from ivr.happenings import Failed as Failed
from ivr.happenings import Flagged as Flagged
from ivr.happenings import Happening as Happening
from ivr.happenings import Marked as Marked
from ivr.happenings import Missed as Missed
from ivr.happenings import Needs as Needs
from ivr.happenings import Surveyed as Surveyed
from ivr.happenings import TextAsked as TextAsked
from ivr.values import NAMELESS, value

FactValue: TypeAlias = bool | int | str | None

MAX_NODES = 2000  # in a flow: ten times the largest pathway known; above it a file is not a flow
MAX_STEPS = 100  # nodes in one sprint: a caller hears nothing while we step, so more is a loop
MAX_VISITS = 25  # of one node in one call: counted retries stay far below, a loop does not
LONGEST_PROMPT_S = 60.0  # a prompt still playing after this is a network that lost it
BETWEEN_KEYS_S = 3.0  # after which what was keyed so far counts; also how soon a lone 0 leads to a person
LOOKUP_S = 1.0  # longest wait for an answer about the world; the door answers sooner, within its budget
MAX_SESSION = 64 * 1024  # octets of JSON: it is written at every step of every call

DEFAULT_SERVICE = "111"
DEFAULT_NODE = "default_111"
"""The engine's own node that every flow has: a person of the default 111 service."""

FIRST_WORDS = "emergency_999"
"""The first thing that every caller hears, and they cannot press it away (docs/safety/rules.md, 1)."""

NOTICE = "recording_notice"
"""What comes next, before anything is asked (docs/safety/rules.md, 1)."""

RED_FLAG_NODE = "red_flag"
"""The engine's own node behind every red flag: one short sentence, then the highest band."""


class Band(StrEnum):
    """Who is put through first. A flow can only raise a caller, never lower one."""

    EMERGENCY = "emergency"
    URGENT = "urgent"
    RAISED = "raised"
    NORMAL = "normal"

    @property
    def rank(self) -> int:
        """0 is first."""
        return _RANKS[self]


_RANKS = {band: rank for rank, band in enumerate(Band)}

# ---------------------------------------------------------------- instructions: the closed set


@value
class Answer:
    """Take the call off the hook. Comes right before the first prompt, never earlier."""

    kind: Literal["answer"] = "answer"


@value
class Play:
    """Play prompts by key, in order. ``barge_in``: a key stops them (the adapter does that by itself).

    ``personal``: they read back what the caller gave; the journal keeps that it was done, not the keys.
    """

    prompts: tuple[str, ...]
    barge_in: bool = True
    personal: bool = False
    kind: Literal["play"] = "play"


@value
class StopPlaying:
    """Stop whatever plays."""

    kind: Literal["stop_playing"] = "stop_playing"


@value
class Gather:
    """Take keys and, where ``speech``, words. Silence of ``timeout_s`` after the last prompt is an input.

    Of several ``digits`` the input is complete when all are there, when ``finish_on`` (a key, which is not part of it)
    was pressed, or after ``between_s`` without another key.
    """

    digits: int
    speech: bool
    timeout_s: float
    hints: tuple[str, ...] = ()
    finish_on: str = ""
    between_s: float = BETWEEN_KEYS_S
    kind: Literal["gather"] = "gather"


@value
class Hold:
    """Let the caller wait with ``prompts`` between stretches of music or tone."""

    prompts: tuple[str, ...] = ()
    kind: Literal["hold"] = "hold"


@value
class Unhold:
    """End the waiting sound."""

    kind: Literal["unhold"] = "unhold"


@value
class Connect:
    """Dial the provider ``target`` (its id), for ``ring_s`` at most, and join the two when it answers.

    ``may_leave``: key 0 ends the ringing, where the network hears it then: the leg fails as :data:`LEFT_FOR_111`.
    """

    target: str
    ring_s: float
    may_leave: bool = False
    kind: Literal["connect"] = "connect"


@value
class DisconnectLeg:
    """End the provider's leg."""

    kind: Literal["disconnect_leg"] = "disconnect_leg"


@value
class HandBack:
    """Give the call to the network's own fall-back, which rings the default 111 service without us."""

    reason: str
    kind: Literal["hand_back"] = "hand_back"


@value
class Record:
    """Record the talk. The caller was told."""

    kind: Literal["record"] = "record"


@value
class End:
    """Hang up. Only after a talk, or after the caller chose by key, asked twice, to end."""

    reason: str
    kind: Literal["end"] = "end"


Instruction: TypeAlias = Annotated[
    Answer | Play | StopPlaying | Gather | Hold | Unhold | Connect | DisconnectLeg | HandBack | Record | End,
    Field(discriminator="kind"),
]

# ---------------------------------------------------------------- waits


@value
class Message:
    """A front-end message as a look-up brings it: its ``marker`` for the journal, and the prompts that say it."""

    marker: str
    prompts: tuple[str, ...]


@value
class GatherWait:
    """For keys, words or silence. ``stage``: which of the node's questions; ``holding``: what is being read back."""

    node: str
    deadline_s: float
    stage: str = ""
    holding: str = field(default="", repr=False)
    kind: Literal["gather"] = "gather"


@value
class PlaybackWait:
    """For the end of a prompt whose marker counts. ``messages``: the one that plays, and those that come after it."""

    node: str
    deadline_s: float
    messages: tuple[Message, ...] = ()
    kind: Literal["playback"] = "playback"


@value
class LookupWait:
    """For an answer about the world; the door gives it within its budget.

    ``about``: what was said or given, or the service that is asked about; ``area``: where, for messages. ``stage``:
    which of the node's questions is being answered. ``language``: the caller's.
    """

    node: str
    what: str
    about: str = field(default="", repr=False)
    deadline_s: float = LOOKUP_S
    stage: str = ""
    language: str = ""
    area: str = field(default="", repr=False)
    kind: Literal["lookup"] = "lookup"


@value
class OfferWait:
    """For dispatch to name a provider. ``hold_s`` 0: now or never; else the longest wait."""

    node: str
    services: tuple[str, ...]
    band: Band
    hold_s: float
    deadline_s: float
    kind: Literal["offer"] = "offer"

    @property
    def may_leave(self) -> bool:
        """Whether key 0 leads from here to 111: it is somebody else who is waited for."""
        return DEFAULT_SERVICE not in self.services


@value
class LegWait:
    """For the provider to answer."""

    node: str
    target: str
    deadline_s: float
    kind: Literal["leg"] = "leg"


@value
class TalkWait:
    """For the end of the talk. No deadline of ours: the network caps it."""

    node: str
    target: str
    deadline_s: float | None = None
    kind: Literal["talk"] = "talk"


@value
class GoneWait:
    """For the network to say that the caller has gone, after ``end`` or ``hand_back``."""

    node: str
    deadline_s: float | None = None
    kind: Literal["gone"] = "gone"


Wait: TypeAlias = Annotated[
    GatherWait | PlaybackWait | LookupWait | OfferWait | LegWait | TalkWait | GoneWait,
    Field(discriminator="kind"),
]

# ---------------------------------------------------------------- inputs


class InputKind(StrEnum):
    """What can happen to a call (docs/architecture.md, the contract of the door)."""

    STARTED = "started"
    TAKEN_OVER = "taken_over"
    DIGIT = "digit"
    SPEECH_PARTIAL = "speech_partial"
    SPEECH_FINAL = "speech_final"
    PLAYBACK_FINISHED = "playback_finished"
    SILENCE = "silence"
    TIMER = "timer"
    LEG_RINGING = "leg_ringing"
    LEG_ANSWERED = "leg_answered"
    LEG_FAILED = "leg_failed"
    LEG_ENDED = "leg_ended"
    TALK_ENDED = "talk_ended"
    OFFERED = "offered"
    HUNG_UP = "hung_up"


LEFT_FOR_111 = "left_for_111"
"""Why a leg failed: the caller pressed 0 while it rang."""


@value
class Heard:
    """An input as the engine sees it: ``value`` is the digit, the words, the target or the cause.

    ``waited_s``: how long the call has waited for it, as far as a search for somebody has to know.
    """

    kind: InputKind
    value: str = field(default="", repr=False)
    waited_s: float = 0.0


@value
class Answered:
    """The door's answer to a :class:`LookupWait`: an outcome of the declared fact, and what else was learnt.

    ``raises``: the caller goes to a person and up one band (docs/safety/rules.md, 2). ``choice`` and ``red_flag``
    (category) are for ``what == "understand"`` only; ``digits`` (the last of the caller's number) for ``number``,
    ``messages`` for ``messages``. Of a call-back the outcome is ``possible``, ``promised`` or ``not_possible``.
    ``facts``: what else the look-up says, by the names of its outputs.
    """

    outcome: str
    raises: bool = False
    choice: str | None = None
    red_flag: str | None = None
    words: str = field(default="", repr=False)
    lexicon: str = ""
    digits: str = field(default="", repr=False)
    facts: dict[str, FactValue] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()


# ---------------------------------------------------------------- what a sprint did


@value
class Session:
    """Where one caller is in one flow. ``present`` are the instructions of the present wait.

    ``record``: a talk that begins is recorded.
    """

    flow: str
    version: str
    node: str
    facts: dict[str, FactValue]
    counts: dict[str, int]
    visits: dict[str, int]
    wait: Wait
    present: tuple[Instruction, ...]
    band: Band = Band.NORMAL
    record: bool = False


@value
class Sprint:
    """What one input did: the new session, what to perform, what happened on the way."""

    session: Session
    instructions: tuple[Instruction, ...]
    happenings: tuple[Happening, ...]

    @property
    def wait(self) -> Wait:
        """What the call waits for now."""
        return self.session.wait


_SESSION: TypeAdapter[Session] = TypeAdapter(Session)

written: Callable[[Session], bytes] = partial(_SESSION.serializer.to_json, exclude_defaults=True)
"""The session as JSON, without what is as it is by default. :data:`read_session` gives the same one back."""

read_session: Callable[[bytes], Session] = SchemaValidator(_SESSION.core_schema, NAMELESS).validate_json
"""A session from JSON, every type checked; raises :class:`pydantic.ValidationError` (a ``ValueError``)."""
