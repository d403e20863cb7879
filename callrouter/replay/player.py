"""A tape through a flow, to the first person or service: where the caller comes, and after how many seconds.

Nothing is guessed: where the flow asks what the tape does not know, the call is undetermined, and the reason says why.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from callrouter.replay.tape import Answer, Tape, Visit, about, choice_intent, intent
from ivr import engine
from ivr.actions.lookup import Lookup
from ivr.actions.menu import Menu
from ivr.flow import Flow
from ivr.model import (
    Answered,
    GatherWait,
    GoneWait,
    HandBack,
    Heard,
    InputKind,
    LookupWait,
    Message,
    OfferWait,
    Play,
    PlaybackWait,
    Sprint,
)
from ivr.proof.lengths import Lengths

MOST_STEPS = 300  # of one call: the engine's own limits come first


class Undetermined(Exception):
    """The tape does not say how the call would have gone on. The text is the reason, as counted."""


@dataclass(frozen=True, slots=True)
class Course:
    """``where`` the caller came first: services, and the band if it is raised; or how the call ended before.

    ``seconds``: prompts to their end, and silences, by the same rule for every version; nobody's real time.
    """

    where: str
    seconds: float


class Player:
    """Plays tapes that were recorded in ``recorded`` through ``flow``."""

    def __init__(self, flow: Flow, recorded: Flow, lengths: Lengths) -> None:
        self._flow = flow
        self._recorded = recorded
        self._lengths = lengths

    def play(self, tape: Tape) -> Course:
        """Raises :class:`Undetermined`."""
        return _Play(self._flow, self._recorded, self._lengths, tape).run()


class _Play:
    def __init__(self, flow: Flow, recorded: Flow, lengths: Lengths, tape: Tape) -> None:
        self._flow = flow
        self._recorded = recorded
        self._lengths = lengths
        self._visits: dict[str, deque[Visit]] = {}
        for visit in tape.visits:
            heard = Visit(visit.node, deque(visit.answers))
            self._visits.setdefault(intent(recorded, visit.node), deque()).append(heard)
        self._last = tape.visits[-1].node if tape.visits else ""
        self._found = {asked: deque(found) for asked, found in tape.found.items()}
        self._visit: Visit | None = None
        self._at: tuple[str, int] = ("", 0)
        self._seconds = 0.0

    def run(self) -> Course:
        sprint = engine.start(self._flow)
        for _ in range(MOST_STEPS):
            self._seconds += self._lengths.of(_heard(sprint))
            wait = sprint.wait
            if isinstance(wait, OfferWait):
                band = "" if sprint.session.band == "normal" else f" ({sprint.session.band})"
                return Course(" or ".join(wait.services) + band, self._seconds)
            if isinstance(wait, GoneWait):
                handed = any(isinstance(each, HandBack) for each in sprint.instructions)
                return Course("fall-back" if handed else "ended by the caller's choice", self._seconds)
            if isinstance(wait, LookupWait):
                sprint = engine.resume(self._flow, sprint.session, self._look_up(sprint, wait))
                continue
            answer = self._next_answer(sprint)
            if answer is None:
                return Course(f"hung up at {intent(self._flow, sprint.session.node)}", self._seconds)
            sprint = self._give(sprint, answer)
        raise Undetermined("too many steps")

    # ------------------------------------------------------------------ what the caller does

    def _next_answer(self, sprint: Sprint) -> Answer | None:
        """What the caller answered at this question; None for a caller who hung up here."""
        node_id = sprint.session.node
        place = (node_id, sprint.session.visits.get(node_id, 0))
        if place != self._at:
            waiting = self._visits.get(intent(self._flow, node_id))
            if not waiting:
                raise Undetermined(f"never asked: {intent(self._flow, node_id)}")
            self._visit, self._at = waiting.popleft(), place
        assert self._visit is not None
        if self._visit.answers:
            return self._visit.answers.popleft()
        if self._visit.node == self._last:
            return None
        raise Undetermined(f"asked again: {intent(self._flow, node_id)}")

    def _give(self, sprint: Sprint, answer: Answer) -> Sprint:
        if answer.kind is InputKind.SILENCE or answer.meaning == "no_input":
            self._seconds += _patience(sprint)
        heard, understood = self._as_input(sprint, answer)
        after = engine.resume(self._flow, sprint.session, heard)
        if isinstance(after.wait, LookupWait) and after.wait.what == "understand":
            if understood is None:
                raise Undetermined("words that nobody understood then")
            after = engine.resume(self._flow, after.session, understood)
        return after

    def _as_input(self, sprint: Sprint, answer: Answer) -> tuple[Heard, Answered | None]:
        """The input that means the same here, and what words in it would be understood as."""
        node_id, said = sprint.session.node, Heard(InputKind.SPEECH_FINAL, answer.value)
        node = self._flow.node(node_id)
        match answer.meaning:
            case "person":
                return Heard(InputKind.DIGIT, "0"), None
            case "no_input":
                return Heard(InputKind.SILENCE), None
            case "red_flag":
                if not self._flow.vocabulary(node_id):
                    raise Undetermined(f"words are not taken any more: {intent(self._flow, node_id)}")
                return said, Answered("red_flag", red_flag=answer.category)
            case "choice" if isinstance(node, Menu):
                return self._choose(node_id, node, answer)
            case "no_match" if isinstance(node, Menu):
                return self._misunderstood(node_id, node)
        self._require_unchanged(node_id)
        if isinstance(sprint.wait, PlaybackWait) and answer.meaning == "heard":
            return Heard(InputKind.PLAYBACK_FINISHED), None
        if isinstance(sprint.wait, PlaybackWait) and answer.kind is not None and not answer.meaning:
            return Heard(answer.kind, answer.value), None  # a key that means nothing in the middle of a message
        if answer.kind is None or not isinstance(sprint.wait, GatherWait):
            raise Undetermined(f"not known any more: {intent(self._flow, node_id)}")
        understood = Answered("understood", choice=answer.choice) if answer.choice else Answered("no_match")
        return Heard(answer.kind, answer.value), understood

    def _choose(self, node_id: str, node: Menu, answer: Answer) -> tuple[Heard, Answered | None]:
        assert self._visit is not None
        meant = choice_intent(self._recorded, self._visit.node, answer.choice)
        same = [choice for choice in sorted(node.choices) if choice_intent(self._flow, node_id, choice) == meant]
        if len(same) != 1:
            raise Undetermined(f"{'not offered' if not same else 'offered twice'}: {meant}")
        key = next((key for key, choice in node.keys.items() if choice == same[0]), None)
        if key is not None:
            return Heard(InputKind.DIGIT, key), None
        return Heard(InputKind.SPEECH_FINAL), Answered("understood", choice=same[0])

    def _misunderstood(self, node_id: str, node: Menu) -> tuple[Heard, Answered | None]:
        free = next((key for key in "987654321*#" if key not in node.keys and key != node.help_key), None)
        if free is not None:
            return Heard(InputKind.DIGIT, free), None
        if self._flow.vocabulary(node_id):
            return Heard(InputKind.SPEECH_FINAL), Answered("no_match")
        raise Undetermined(f"every key means something: {intent(self._flow, node_id)}")

    def _require_unchanged(self, node_id: str) -> None:
        """Other questions than menus are carried as they were given, so they must be the same questions."""
        assert self._visit is not None
        here, then = (_asked(self._flow, node_id), _asked(self._recorded, self._visit.node))
        if here != then:
            raise Undetermined(f"asked differently: {intent(self._flow, node_id)}")

    # ------------------------------------------------------------------ what the world says

    def _look_up(self, sprint: Sprint, wait: LookupWait) -> Answered:
        asked = about(self._flow, sprint.session.node, wait.what)
        found = self._found.get(asked)
        if not found:
            raise Undetermined(f"never looked up: {' '.join(filter(None, asked))}")
        event = found.popleft() if len(found) > 1 else found[0]  # the world is asked again and says the same
        node = self._flow.node(sprint.session.node)
        if wait.what == "messages":
            # their words are not the flow's: as many as there were, in both versions without length
            count = int(event.outcome) if event.outcome.isdecimal() else 0
            return Answered(event.outcome, messages=tuple(Message(f"m-{n}", (f"m-{n}",)) for n in range(count)))
        if isinstance(node, Lookup) and node.also and event.outcome in ("asserted", "confirmed"):
            raise Undetermined("a plan was asserted")
        return Answered(event.outcome, raises=_raises(event))


def _raises(event: object) -> bool:
    outcome, raises = getattr(event, "outcome", ""), getattr(event, "raises", None)
    if raises is not None:
        return bool(raises)
    if outcome in ("candidates", "asserted", "confirmed"):
        raise Undetermined("whether a plan raised the caller is not recorded")
    return outcome in ("RC", "PRC")


def _asked(flow: Flow, node_id: str) -> object:
    node = flow.node(node_id)
    return node.model_dump(exclude={"exits", "note", "intent"}) if node is not None else None


def _heard(sprint: Sprint) -> Sequence[str]:
    return [key for each in sprint.instructions if isinstance(each, Play) for key in each.prompts]


def _patience(sprint: Sprint) -> float:
    timeouts = [getattr(each, "timeout_s", 0.0) for each in sprint.session.present]
    return max(timeouts, default=0.0)
