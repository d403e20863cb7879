"""Every call that a flow can have: the real engine, played with all inputs, look-ups and failures.

What the check says of a flow is held against this. It knows nothing of moves, graphs or labels: it gives inputs to the
engine and looks at what callers meet. Calls are followed to :data:`DEPTH` inputs of the caller and of look-ups; what
services do besides is always followed to its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from ivr import engine
from ivr.actions.ask_yes_no import AskYesNo
from ivr.actions.connect import Connect as ConnectNode
from ivr.actions.lookup import LABELS, OUTCOMES, OUTPUTS, Lookup
from ivr.actions.menu import Menu
from ivr.actions.move import Label
from ivr.actions.offer import Offer
from ivr.actions.seek import MOST_TRIES, Seek
from ivr.flow import RED_FLAG_NODE, Flow
from ivr.model import (
    DEFAULT_NODE,
    LEFT_FOR_111,
    LOOKUP_S,
    Answered,
    Band,
    CallBackPromised,
    Chose,
    Connect,
    End,
    Entered,
    Failed,
    Flagged,
    Gather,
    GatherWait,
    Heard,
    InputKind,
    LegWait,
    LookupWait,
    Message,
    Missed,
    OfferWait,
    Play,
    PlaybackWait,
    Session,
    Sprint,
    Surveyed,
    TextAsked,
)

DEPTH = 14
MOST_PLACES = 20_000  # beyond, the rest is not played: what is said of the flow is about what was seen
PROMPT_S = 2.0  # every prompt; the pause between two is in it
MESSAGE_S = 20.0
MOST_COUNTED = 7  # a counter beyond this changes nothing any more: the engine's own limits lie below
SAID = ("the twenty seventh of december nineteen eighty", "one two three", "n w one two a b", "blah")
ONE_KEY, MANY_KEYS = ("0", "1", "2", "3", "9", "*"), ("0", "27121980", "1234", "9")
SILENT, UNASKED, ANY = "silent", "unasked", "any"
CLASSES = (SILENT, UNASKED, ANY)
CHOSEN = {Chose, Flagged, Surveyed, TextAsked, CallBackPromised}


@dataclass(frozen=True)
class Given:
    """An input, who may meet it, and how long the caller waited before it."""

    heard: Heard | Answered
    seconds: float
    caller: bool = False


@dataclass
class Found:
    """What callers of each class go through before they are offered to a person (seconds, prompts)."""

    cost: dict[str, tuple[float, float]] = field(default_factory=lambda: dict.fromkeys(CLASSES, (0.0, 0.0)))
    astray: bool = False

    def reach(self, kind: str, seconds: float, prompts: float, then: Found) -> None:
        old, ahead = self.cost[kind], then.cost[kind]
        self.cost[kind] = (max(old[0], seconds + ahead[0]), max(old[1], prompts + ahead[1]))


@dataclass(frozen=True)
class Place:
    """A session, and what of its past matters to the rules."""

    session: Session
    keys: int = 0
    sent_back: bool = False

    def key(self) -> tuple[object, ...]:
        session = self.session
        counts = tuple(
            sorted(
                (name, count if name.endswith("_s") else min(count, MOST_COUNTED))
                for name, count in session.counts.items()
            )
        )
        return (session.node, tuple(sorted(session.facts.items())), counts, session.wait, session.band,
                self.keys, self.sent_back)  # fmt: skip


class Explorer:
    """Plays a flow. ``breaks``: what no accepted flow may do; ``complete``: no call was longer than the depth.

    ``key_0_s``: how long who presses 0 is spoken to before they are offered to a person, at most.
    """

    def __init__(self, flow: Flow, depth: int = DEPTH, most: int = MOST_PLACES) -> None:
        self.flow = flow
        self._most = most
        self.breaks: set[str] = set()
        self.entered: set[str] = set()
        self.complete = True
        self.key_0_s = 0.0
        self.places = 0
        self._known: dict[tuple[object, ...], tuple[int, Found]] = {}
        self._open: set[tuple[object, ...]] = set()
        first = engine.start(flow)
        self.cost = {kind: self._told(first) for kind in CLASSES}
        found = self._follow(self._after(Place(first.session), first, None), first, depth)
        for kind in CLASSES:
            told, ahead = self._told(first), found.cost[kind]
            self.cost[kind] = (told[0] + ahead[0], told[1] + ahead[1])
        if found.astray:
            self.breaks.add("silence")

    def _follow(self, place: Place, sprint: Sprint, depth: int) -> Found:
        self._look_at(place, sprint)
        wait, key = place.session.wait, place.key()
        if key in self._open:
            self.breaks.add("loop")
            return Found()
        known = self._known.get(key)
        if known and known[0] >= depth:
            return known[1]
        found = Found()
        if isinstance(wait, OfferWait) and self._diverts(place.session.node):
            found.astray = True
        self._open.add(key)
        self.places += 1
        self._cut_off(place, depth)
        if self.places < self._most:
            for given in inputs(self.flow, place.session):
                self._try(place, given, depth, found)
        else:
            self.complete = False
        self._open.discard(key)
        self._known[key] = (depth, found)
        return found

    def _cut_off(self, place: Place, depth: int) -> None:
        """We lose the caller here, and they ring back: on at the same node, in a raised band."""
        session = place.session
        if session.band is Band.NORMAL and isinstance(session.wait, GatherWait | PlaybackWait):
            sprint = engine.come_back(self.flow, session)
            self._follow(self._after(Place(sprint.session), sprint, None), sprint, depth)

    def _try(self, place: Place, given: Given, depth: int, found: Found) -> None:
        sprint = engine.resume(self.flow, place.session, given.heard)
        if sprint.session == place.session:
            return
        counts = not isinstance(place.session.wait, OfferWait | LegWait)
        if counts and depth == 0:
            self.complete = False
            return
        then = self._follow(self._after(place, sprint, given), sprint, depth - counts)
        offered = isinstance(place.session.wait, OfferWait) and not self._diverts(place.session.node)
        if offered:
            return
        told = self._told(sprint)
        for kind in self._who(place, given, sprint):
            found.reach(kind, given.seconds + told[0], told[1], then)
            if kind == UNASKED and then.astray:
                found.astray = True
                if isinstance(place.session.wait, GatherWait | PlaybackWait):
                    self.breaks.add("silence")

    def _who(self, place: Place, given: Given, sprint: Sprint) -> tuple[str, ...]:
        """Which callers may meet an input."""
        if not given.caller:
            return CLASSES
        kinds = tuple(map(type, sprint.happenings))
        missed = [each.what for each in sprint.happenings if isinstance(each, Missed)]
        gave = isinstance(sprint.session.wait, LookupWait | GatherWait) and sprint.session.node == place.session.node
        if set(kinds) & CHOSEN or missed == ["help"] or (gave and not missed):
            # words are understood, or not, by the look-up that follows: both kinds of callers may say them
            return CLASSES[1:] if isinstance(sprint.session.wait, LookupWait) and not kinds else (ANY,)
        return CLASSES[1:]

    def _after(self, place: Place, sprint: Sprint, given: Given | None) -> Place:
        """The place that follows, with the caller's keys in a row and whether somebody just sent them back."""
        keys, left = place.keys, place.session.node != sprint.session.node
        if given and given.caller:
            by_key = any(isinstance(each, Chose) and self._is_choice(each) for each in sprint.happenings)
            # asked again, since they were not understood: the same question still
            keys = min(keys + 1, 2) if by_key else 0 if left else keys
        failed = given is not None and isinstance(place.session.wait, OfferWait | LegWait) and left
        sent_back = failed or place.sent_back or self._was_raised(sprint)
        return Place(replace(sprint.session, visits={}), keys, sent_back and not isinstance(sprint.wait, OfferWait))

    def _is_choice(self, chose: Chose) -> bool:
        """By key, between ways to go on: who accepts a date of birth has not said how the call should end."""
        return chose.by == "key" and isinstance(self.flow.node(chose.node), AskYesNo | Menu)

    def _was_raised(self, sprint: Sprint) -> bool:
        passed = [each.node for each in sprint.happenings if isinstance(each, Entered)][:-1]
        raised = sprint.session.band is not Band.NORMAL
        return raised and any(self._diverts(name) or isinstance(self.flow.node(name), Offer) for name in passed)

    def _look_at(self, place: Place, sprint: Sprint) -> None:
        self.entered |= {each.node for each in sprint.happenings if isinstance(each, Entered)}
        if any(isinstance(each, Failed) for each in sprint.happenings):
            self.breaks.add("loop")
        if any(isinstance(each, End) for each in sprint.instructions) and place.keys < 2:
            self.breaks.add("ends_without_a_person")
        wait = place.session.wait
        if place.sent_back and isinstance(wait, GatherWait | PlaybackWait):
            self.breaks.add("menu_after_service")
        if (zero := key_0(self.flow, place.session)) is not None:
            pressed = engine.resume(self.flow, place.session, zero)
            if not (isinstance(pressed.wait, OfferWait) and pressed.session.node == DEFAULT_NODE):
                self.breaks.add("no_escape")
            self.key_0_s = max(self.key_0_s, self._told(pressed)[0])

    def _diverts(self, name: str) -> bool:
        node = self.flow.node(name)
        return isinstance(node, ConnectNode) and node.diverts

    def _told(self, sprint: Sprint) -> tuple[float, float]:
        """How long a sprint speaks, and in how many prompts; not what is said to who is offered already."""
        plays = [each for each in sprint.instructions if isinstance(each, Play)]
        if sprint.session.node == RED_FLAG_NODE and plays:
            plays.pop()
        prompts = [key for each in plays for key in each.prompts]
        return sum(MESSAGE_S if key.startswith("m-") else PROMPT_S for key in prompts), len(prompts)


def key_0(flow: Flow, session: Session) -> Heard | None:
    """How key 0 comes to the engine here; None where it is not heard: 111 itself is sought, or the world is asked."""
    if isinstance(session.wait, GatherWait | PlaybackWait):
        return Heard(InputKind.DIGIT, "0")
    node = flow.node(session.node)
    if not isinstance(node, Seek) or "111" in node.services:
        return None
    match session.wait:
        case OfferWait():
            return Heard(InputKind.DIGIT, "0")
        case LegWait():
            return Heard(InputKind.LEG_FAILED, LEFT_FOR_111)
        case _:
            return None


def inputs(flow: Flow, session: Session) -> Iterator[Given]:
    """Everything that can happen to a call here. Our own deadline takes no longer than what it stands in for: that is
    what the check takes for granted of networks."""
    match session.wait:
        case GatherWait():
            gather = next(each for each in session.present if isinstance(each, Gather))
            yield Given(Heard(InputKind.SILENCE), gather.timeout_s, caller=False)
            yield Given(Heard(InputKind.TIMER), gather.timeout_s, caller=False)
            typing_s = gather.timeout_s + gather.between_s * (gather.digits - 1)
            for key in ONE_KEY if gather.digits == 1 else MANY_KEYS:
                yield Given(Heard(InputKind.DIGIT, key), typing_s, caller=True)
            for words in SAID if gather.speech else ():
                yield Given(Heard(InputKind.SPEECH_FINAL, words), gather.timeout_s, caller=True)
        case PlaybackWait():
            yield Given(Heard(InputKind.PLAYBACK_FINISHED), 0.0)
            yield Given(Heard(InputKind.TIMER), 0.0)
            yield Given(Heard(InputKind.DIGIT, "0"), 0.0, caller=True)
        case LookupWait(what="understand", node=node):
            for choice in flow.vocabulary(node):
                yield Given(Answered("understood", choice=choice), LOOKUP_S, caller=True)
            yield Given(Answered("no_match"), LOOKUP_S, caller=True)
            yield Given(Answered("red_flag", red_flag="breathing", words="x"), LOOKUP_S, caller=True)
            yield Given(Heard(InputKind.TIMER), LOOKUP_S, caller=True)
        case LookupWait() as wait:
            yield Given(Heard(InputKind.TIMER), LOOKUP_S)
            for answer in answers(flow, wait):
                yield Given(answer, LOOKUP_S)
        case OfferWait(services=services):
            yield Given(Heard(InputKind.OFFERED, services[0]), 0.0)
            yield Given(Heard(InputKind.TIMER), 0.0)
            if (zero := key_0(flow, session)) is not None:
                yield Given(zero, 0.0, caller=True)
        case LegWait():
            ring_s = next(each.ring_s for each in session.present if isinstance(each, Connect))
            yield Given(Heard(InputKind.LEG_ANSWERED), ring_s)
            yield Given(Heard(InputKind.TIMER, waited_s=ring_s), ring_s)
            for rung_s in _rings(flow, session.node, ring_s):
                yield Given(Heard(InputKind.LEG_FAILED, "busy", rung_s), rung_s)
            if (zero := key_0(flow, session)) is not None:
                yield Given(zero, ring_s, caller=True)


def _rings(flow: Flow, name: str, ring_s: float) -> tuple[float, ...]:
    """How long somebody rings who does not answer: to the end; where the search has no time for all, or not at all."""
    node = flow.node(name)
    assert isinstance(node, Seek)
    return (ring_s,) if node.search_s >= MOST_TRIES * node.ring_s else (0.0, ring_s)


def answers(flow: Flow, wait: LookupWait) -> Iterator[Answered]:
    """Everything that a look-up of the world can say."""
    if wait.what == "messages":
        one, two = Message("one", ("m-one",)), Message("two", ("m-two",))
        for messages in ((), (one,), (one, two)):
            yield Answered("found", messages=messages)
    elif wait.what == "call_back":
        said = ("possible",) if wait.stage == "possible" else ("promised",)
        yield from (Answered(each) for each in (*said, "not_possible"))
        if wait.stage == "possible":
            yield Answered("not_possible", raises=True)
    elif wait.what == "number":
        yield from (Answered("mobile", digits="0123"), Answered("other", digits="0123"), Answered("none"))
    else:
        node = flow.node(wait.node)
        also = node.also if isinstance(node, Lookup) else {}
        for outcome in OUTCOMES[wait.what]:
            for raises in (False, True) if LABELS.get(wait.what) is Label.PLAN else (False,):
                yield Answered(outcome, raises=raises)
                known = outcome in ("asserted", "confirmed")
                for output in also if known else ():
                    for value in OUTPUTS[wait.what][output]:
                        yield Answered(outcome, raises=raises, facts={output: value})
