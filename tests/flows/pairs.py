"""Pairs of calls that differ in plans and earlier calls alone: what does the one caller hear that the other does not?

Two sessions of the real engine go side by side. Everything that the caller does, and that services, hours and messages
say, is the same for both; look-ups of plans and earlier calls answer each of them anything. Up to the first
``disclose``, and to where a raised band takes something away from one of them, both hear the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from flows.exhaustive import Place, answers, inputs, key_0
from ivr import engine
from ivr.actions.lookup import LABELS
from ivr.actions.move import RAISE_ONLY, Label
from ivr.flow import Flow
from ivr.model import (
    Answered,
    Band,
    Connect,
    Disclosed,
    Entered,
    GatherWait,
    GoneWait,
    Heard,
    InputKind,
    Instruction,
    LegWait,
    LookupWait,
    OfferWait,
    PlaybackWait,
    Record,
    Session,
    Sprint,
    TalkWait,
)

DEPTH = 8
MOST_PAIRS = 2_000


@dataclass(frozen=True)
class Run:
    """One of the two calls: where it is, and what it let its caller hear since the last input of both.

    ``kept_from``: nodes that would have offered a message or a service, and did not, since the caller was raised.
    """

    session: Session
    heard: tuple[Instruction, ...]
    disclosed: bool
    kept_from: frozenset[str]


def differences(flow: Flow, depth: int = DEPTH, most: int = MOST_PAIRS) -> list[str]:
    """What two such calls hear differently, in words; empty if nothing."""
    return Pairs(flow, depth, most).found


class Pairs:
    """All pairs of calls of a flow. ``ways_in``: what both callers do first.

    ``found``: what is heard differently; ``disclosed``: pairs that came to a ``disclose``; ``compared``: places.
    """

    def __init__(self, flow: Flow, depth: int = DEPTH, most: int = MOST_PAIRS, ways_in: tuple[Heard, ...] = ()) -> None:
        self._flow, self._most, self._ways_in, self._depth = flow, most, ways_in, depth + len(ways_in)
        self._seen: set[object] = set()
        self.found: list[str] = []
        self.disclosed = self.compared = 0
        first = self._run(engine.start(flow), Band.NORMAL, None)
        self._both(first, first, {}, self._depth)

    def _both(self, one: Run, other: Run, world: Mapping[str, Answered], depth: int) -> None:
        for first, said in self._settled(one, world):
            for second, agreed in self._settled(other, said):
                self._compare(first, second, agreed, depth)

    def _compare(self, one: Run, other: Run, world: Mapping[str, Answered], depth: int) -> None:
        if one.disclosed or other.disclosed:
            self.disclosed += 1
            return
        if one.kept_from != other.kept_from:
            return
        if one.heard != other.heard or _audible(one.session) != _audible(other.session):
            self.found.append(f"{one.session.node}: {one.heard} / {other.session.node}: {other.heard}")
            return
        key = (Place(one.session).key(), Place(other.session).key(), tuple(sorted(world)), str(world))
        over = isinstance(one.session.wait, TalkWait | GoneWait) or depth == 0
        if self.found or over or key in self._seen or len(self._seen) >= self._most:
            return
        self._seen.add(key)
        self.compared += 1
        given_first = self._ways_in[self._depth - depth : self._depth - depth + 1]
        for given in given_first or self._given(one.session):
            first, second = (
                self._run(engine.resume(self._flow, each.session, given), each.session.band, None)
                for each in (one, other)
            )
            self._both(first, second, world, depth - 1)

    def _given(self, session: Session) -> Iterator[Heard | Answered]:
        if isinstance(session.wait, OfferWait):
            yield Heard(InputKind.OFFERED, "somebody")
            yield Heard(InputKind.TIMER)
        elif isinstance(session.wait, LegWait):
            yield Heard(InputKind.LEG_FAILED, "busy")
        if isinstance(session.wait, OfferWait | LegWait):
            if (zero := key_0(self._flow, session)) is not None:
                yield zero
        else:
            yield from (given.heard for given in inputs(self._flow, session))

    def _settled(self, run: Run, world: Mapping[str, Answered]) -> Iterator[tuple[Run, Mapping[str, Answered]]]:
        """The call after everything that the world says meanwhile, in every way."""
        ahead = [(run, world)]
        seen: set[object] = set()
        while ahead:
            run, said = ahead.pop()
            wait = run.session.wait
            if not isinstance(wait, LookupWait) or wait.what == "understand":
                key = (Place(run.session).key(), run.heard, run.disclosed, run.kept_from, str(said))
                if key not in seen:
                    seen.add(key)
                    yield run, said
                continue
            secret = LABELS.get(wait.what) is Label.PLAN
            for answer in [said[wait.what]] if wait.what in said else answers(self._flow, wait):
                began = Band.RAISED if _lifts(wait, answer) else run.session.band
                after = self._run(engine.resume(self._flow, run.session, answer), began, run)
                ahead.append((after, said if secret else {**said, wait.what: answer}))

    def _run(self, sprint: Sprint, began: Band, before: Run | None) -> Run:
        """``began``: the band in which the sprint began. ``before``: what was settled since the last input."""
        heard = tuple(_heard(each) for each in sprint.instructions if not isinstance(each, Record))
        passed = [each.node for each in sprint.happenings if isinstance(each, Entered)]
        earlier, there = (before.kept_from, [before.session.node]) if before else (frozenset(), [])
        return Run(
            replace(sprint.session, visits={}),
            (*(before.heard if before else ()), *heard),
            any(isinstance(each, Disclosed) for each in sprint.happenings) or bool(before and before.disclosed),
            earlier | self._kept_from([*there, *passed], began),
        )

    def _kept_from(self, passed: list[str], band: Band) -> frozenset[str]:
        """What a caller passes after being raised. What a node does to the band, it does for those behind it."""
        kept, raised = set(), band is not Band.NORMAL
        for name in passed:
            node = self._flow.node(name)
            if node is not None and raised and any(move.door == RAISE_ONLY for move in node.moves()):
                kept.add(name)
            raised |= getattr(node, "band", None) not in (None, Band.NORMAL)
        return frozenset(kept)


def _lifts(wait: LookupWait, answer: Answered) -> bool:
    """Whether an answer raises the caller (docs/safety/rules.md, 2)."""
    return answer.raises or (wait.what == "plan" and answer.outcome == "unavailable")


def _heard(instruction: Instruction) -> Instruction:
    """What a caller can tell of an instruction: not who is rung."""
    return replace(instruction, target="") if isinstance(instruction, Connect) else instruction


def _audible(session: Session) -> object:
    """What a caller can tell of a wait."""
    wait = session.wait
    hold = wait.hold_s if isinstance(wait, OfferWait) else None
    stage = wait.stage if isinstance(wait, GatherWait) else None
    messages = wait.messages if isinstance(wait, PlaybackWait) else None
    return wait.kind, hold, stage, messages
