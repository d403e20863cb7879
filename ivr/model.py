"""The engine's values: facts, waits, instructions, events, session, sprint. All frozen, all JSON.

A *session* is where a caller is in a flow. A *sprint* is everything that happens between two waits. Sessions
survive a round trip through JSON; nothing else of the engine is kept between two inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

from msgspec import field
from msgspec.json import Encoder

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
from ivr.values import Kind, Value, reader

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


class Answer(Kind, tag="answer"):
    """Take the call off the hook. Comes right before the first prompt, never earlier."""


class Play(Kind, tag="play"):
    """Play prompts by key, in order. ``barge_in``: a key stops them (the adapter does that by itself).

    ``personal``: they read back what the caller gave; the journal keeps that it was done, not the keys.
    """

    prompts: tuple[str, ...]
    barge_in: bool = True
    personal: bool = False


class StopPlaying(Kind, tag="stop_playing"):
    """Stop whatever plays."""


class Gather(Kind, tag="gather"):
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


class Hold(Kind, tag="hold"):
    """Let the caller wait with ``prompts`` between stretches of music or tone."""

    prompts: tuple[str, ...] = ()


class Unhold(Kind, tag="unhold"):
    """End the waiting sound."""


class Connect(Kind, tag="connect"):
    """Dial the provider ``target`` (its id), for ``ring_s`` at most, and join the two when it answers.

    ``may_leave``: key 0 ends the ringing, where the network hears it then: the leg fails as :data:`LEFT_FOR_111`.
    """

    target: str
    ring_s: float
    may_leave: bool = False


class DisconnectLeg(Kind, tag="disconnect_leg"):
    """End the provider's leg."""


class HandBack(Kind, tag="hand_back"):
    """Give the call to the network's own fall-back, which rings the default 111 service without us."""

    reason: str


class Record(Kind, tag="record"):
    """Record the talk. The caller was told."""


class End(Kind, tag="end"):
    """Hang up. Only after a talk, or after the caller chose by key, asked twice, to end."""

    reason: str


Instruction: TypeAlias = (
    Answer | Play | StopPlaying | Gather | Hold | Unhold | Connect | DisconnectLeg | HandBack | Record | End
)

# ---------------------------------------------------------------- waits


class Message(Value):
    """A front-end message as a look-up brings it: its ``marker`` for the journal, and the prompts that say it."""

    marker: str
    prompts: tuple[str, ...]


class GatherWait(Kind, tag="gather"):
    """For keys, words or silence. ``stage``: which of the node's questions; ``holding``: what is being read back."""

    UNSAID = frozenset({"holding"})

    node: str
    deadline_s: float
    stage: str = ""
    holding: str = ""


class PlaybackWait(Kind, tag="playback"):
    """For the end of a prompt whose marker counts. ``messages``: the one that plays, and those that come after it."""

    node: str
    deadline_s: float
    messages: tuple[Message, ...] = ()


class LookupWait(Kind, tag="lookup"):
    """For an answer about the world; the door gives it within its budget.

    ``about``: what was said or given, or the service that is asked about; ``area``: where, for messages. ``stage``:
    which of the node's questions is being answered. ``language``: the caller's.
    """

    UNSAID = frozenset({"about", "area"})

    node: str
    what: str
    about: str = ""
    deadline_s: float = LOOKUP_S
    stage: str = ""
    language: str = ""
    area: str = ""


class OfferWait(Kind, tag="offer"):
    """For dispatch to name a provider. ``hold_s`` 0: now or never; else the longest wait."""

    node: str
    services: tuple[str, ...]
    band: Band
    hold_s: float
    deadline_s: float

    @property
    def may_leave(self) -> bool:
        """Whether key 0 leads from here to 111: it is somebody else who is waited for."""
        return DEFAULT_SERVICE not in self.services


class LegWait(Kind, tag="leg"):
    """For the provider to answer."""

    node: str
    target: str
    deadline_s: float


class TalkWait(Kind, tag="talk"):
    """For the end of the talk. No deadline of ours: the network caps it."""

    node: str
    target: str
    deadline_s: float | None = None


class GoneWait(Kind, tag="gone"):
    """For the network to say that the caller has gone, after ``end`` or ``hand_back``."""

    node: str
    deadline_s: float | None = None


Wait: TypeAlias = GatherWait | PlaybackWait | LookupWait | OfferWait | LegWait | TalkWait | GoneWait

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


class Heard(Value):
    """An input as the engine sees it: ``value`` is the digit, the words, the target or the cause.

    ``waited_s``: how long the call has waited for it, as far as a search for somebody has to know.
    """

    UNSAID = frozenset({"value"})

    kind: InputKind
    value: str = ""
    waited_s: float = 0.0


class Answered(Value):
    """The door's answer to a :class:`LookupWait`: an outcome of the declared fact, and what else was learnt.

    ``raises``: the caller goes to a person and up one band (docs/safety/rules.md, 2). ``choice`` and ``red_flag``
    (category) are for ``what == "understand"`` only; ``digits`` (the last of the caller's number) for ``number``,
    ``messages`` for ``messages``. Of a call-back the outcome is ``possible``, ``promised`` or ``not_possible``.
    ``facts``: what else the look-up says, by the names of its outputs.
    """

    UNSAID = frozenset({"words", "digits"})

    outcome: str
    raises: bool = False
    choice: str | None = None
    red_flag: str | None = None
    words: str = ""
    lexicon: str = ""
    digits: str = ""
    facts: dict[str, FactValue] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()


# ---------------------------------------------------------------- what a sprint did


class Session(Value):
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


class Sprint(Value):
    """What one input did: the new session, what to perform, what happened on the way."""

    session: Session
    instructions: tuple[Instruction, ...]
    happenings: tuple[Happening, ...]

    @property
    def wait(self) -> Wait:
        """What the call waits for now."""
        return self.session.wait


written: Callable[[Session], bytes] = Encoder().encode
"""The session as JSON, without what is as it is by default. :data:`read_session` gives the same one back."""

read_session: Callable[[bytes], Session] = reader(Session)
"""A session from JSON, every type checked; raises :class:`ivr.values.Unreadable` (a ``ValueError``)."""
