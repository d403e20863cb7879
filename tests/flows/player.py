"""A caller for tests: plays a flow to its end, as JSON between every two sprints.

Each step is a word: a key (``1``), what is said (``say tooth``), or what the network tells (``silence``,
``heard``, ``answered``, ``busy``, ``timer``, ``talk_ended``, ``taken_over``). Look-ups and dispatch answer by
themselves from a :class:`World`. Every sprint is worked out twice, and must come out equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from callrouter.flows import unchecked_flow
from ivr import engine
from ivr.flow import Flow, read_flow
from ivr.model import (
    Answered,
    Connect,
    End,
    Happening,
    Heard,
    Hold,
    InputKind,
    Instruction,
    LookupWait,
    OfferWait,
    Play,
    Session,
    Sprint,
    TalkWait,
    read_session,
    written,
)

RED_FLAGS = {"i can't breathe": "breathing", "i want to kill myself": "suicidal"}
KEYS = frozenset("0123456789*#")
TEAMS = frozenset({"frailty", "crisis", "ms_nurse", "palliative"})
EVERYBODY = TEAMS | {"111", "clinician", "mental_health", "dental", "pharmacy"}
_ORDINARY = {
    "birth_date": Answered("none"),
    "hours": Answered("open"),
    "area": Answered("unknown"),
    "service_state": Answered("free"),
    "messages": Answered("none"),
    "number": Answered("mobile", digits="0123"),
    "possible": Answered("possible"),
    "promise": Answered("promised"),
}
"""What look-ups answer where a test says nothing else."""
_TOLD = {
    "silence": Heard(InputKind.SILENCE),
    "heard": Heard(InputKind.PLAYBACK_FINISHED),
    "timer": Heard(InputKind.TIMER),
    "answered": Heard(InputKind.LEG_ANSWERED, "agent"),
    "busy": Heard(InputKind.LEG_FAILED, "busy"),
    "leg_ended": Heard(InputKind.LEG_ENDED, "provider normal"),
    "talk_ended": Heard(InputKind.TALK_ENDED, "caller normal"),
    "taken_over": Heard(InputKind.TAKEN_OVER),
}


def london() -> Flow:
    """The flow that ships for London."""
    return unchecked_flow(Path(engine.__file__).parent / "flows" / "london-111.yaml")


def inline(start: str, facts: Mapping[str, object] | None = None, **nodes: Mapping[str, object]) -> Flow:
    """A small flow, written where it is tested. Not checked: tests of the engine's own limits need that."""
    data = {"flow": "small", "title": "Small", "start": start, "facts": facts or {}, "nodes": nodes}
    return read_flow(data)


@dataclass(frozen=True)
class World:
    """What look-ups find, and which services have a free line; a queue holds for the others."""

    plan: Answered = field(default_factory=lambda: Answered("none"))
    repeat: Answered = field(default_factory=lambda: Answered("NRC"))
    free: frozenset[str] = EVERYBODY
    others: Mapping[str, Answered] = field(default_factory=dict)

    def look_up(self, flow: Flow, wait: LookupWait) -> Answered:
        """What the door would answer."""
        if wait.what == "understand":
            return understand(flow, wait)
        if wait.what in ("plan", "repeat"):
            return self.plan if wait.what == "plan" else self.repeat
        asked = wait.stage if wait.what == "call_back" else wait.what
        return self.others.get(asked, _ORDINARY[asked])

    def offer(self, wait: OfferWait) -> Heard | None:
        """A provider with the name of the service; None: the caller keeps a place."""
        for service in wait.services:
            if service in self.free:
                return Heard(InputKind.OFFERED, service)
        return None if wait.hold_s else Heard(InputKind.OFFERED, "")


def understand(flow: Flow, wait: LookupWait) -> Answered:
    """The choice that names what was said; a red flag wins."""
    if category := RED_FLAGS.get(wait.about):
        return Answered("red_flag", red_flag=category, words=wait.about, lexicon="test")
    words = flow.vocabulary(wait.node).items()
    choice = next((choice for choice, said in words if wait.about in said), None)
    return Answered("understood" if choice else "no_match", choice=choice)


class Player:
    """One call through one flow."""

    def __init__(self, flow: Flow, world: World | None = None) -> None:
        self.flow = flow
        self.world = world or World()
        self.instructions: list[Instruction] = []
        self.happenings: list[Happening] = []
        self._keep(engine.start(flow), engine.start(flow))
        self._settle()

    def play(self, *steps: str) -> Player:
        """Give these inputs, one after the other."""
        for step in steps:
            self.give(as_input(step))
        return self

    def give(self, heard: Heard | Answered) -> Player:
        """Give one input, and answer what the flow asks of the world then."""
        self._step(heard)
        self._settle()
        return self

    @property
    def session(self) -> Session:
        """The session, read from its JSON."""
        return read_session(self._written)

    @property
    def heard(self) -> tuple[str, ...]:
        """Every prompt that the caller heard, in order."""
        kinds = (Play, Hold)
        return tuple(key for each in self.instructions if isinstance(each, kinds) for key in each.prompts)

    @property
    def dialled(self) -> tuple[str, ...]:
        """Every provider that was dialled, in order."""
        return tuple(each.target for each in self.instructions if isinstance(each, Connect))

    @property
    def ended_by_us(self) -> bool:
        """Whether the system hung up."""
        return any(isinstance(each, End) for each in self.instructions)

    @property
    def talked(self) -> bool:
        """Whether the caller is put through now."""
        return isinstance(self.session.wait, TalkWait)

    def _settle(self) -> None:
        while True:
            wait = self.session.wait
            if isinstance(wait, LookupWait):
                self._step(self.world.look_up(self.flow, wait))
            elif isinstance(wait, OfferWait) and (offer := self.world.offer(wait)) is not None:
                self._step(offer)
            else:
                return

    def _step(self, heard: Heard | Answered) -> None:
        once = engine.resume(self.flow, self.session, heard)
        self._keep(once, engine.resume(self.flow, self.session, heard))

    def _keep(self, sprint: Sprint, again: Sprint) -> None:
        assert sprint == again, "the same arguments gave another sprint"
        self._written = written(sprint.session)
        assert self.session == sprint.session, "a session did not survive JSON"
        self.instructions += sprint.instructions
        self.happenings += sprint.happenings


def as_input(step: str) -> Heard:
    """A step in words as the engine's input."""
    if set(step) <= KEYS:
        return Heard(InputKind.DIGIT, step)
    if step.startswith("say "):
        return Heard(InputKind.SPEECH_FINAL, step.removeprefix("say "))
    return _TOLD[step]
