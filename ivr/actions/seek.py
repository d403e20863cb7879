"""Seek: the part that connect and queue share, from asking dispatch to the end of the talk."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from ivr.actions.move import Ending, Move
from ivr.actions.node import PERSON, PERSON_KEY, Node, Step, key_0
from ivr.model import (
    DEFAULT_SERVICE,
    LEFT_FOR_111,
    Answered,
    Band,
    Chose,
    Connect,
    DisconnectLeg,
    End,
    GoneWait,
    Heard,
    Hold,
    InputKind,
    LegWait,
    OfferWait,
    Record,
    TalkWait,
    Unhold,
)
from ivr.run import HELD, SEARCHED

if TYPE_CHECKING:
    from ivr.run import Run

LONGEST_RING_S = 20.0  # docs/safety/rules.md, 2: unanswered in 20 s returns the caller to 111
LEAST_RING_S = 10.0  # nobody is rung for less: the shortest that every network can do
# beyond a round of hold (12 s) before the dialling; the network's own ring time-out comes first
LEG_MARGIN_S = 30.0
# looked up once: see ivr/engine.py
_OFFERED, _TIMER, _TALK_ENDED = InputKind.OFFERED, InputKind.TIMER, InputKind.TALK_ENDED
_LEG_ANSWERED, _LEG_FAILED, _LEG_ENDED = InputKind.LEG_ANSWERED, InputKind.LEG_FAILED, InputKind.LEG_ENDED
_DIGIT = InputKind.DIGIT

MOST_TRIES = 6  # providers dialled at one node before the caller moves on
LONGEST_SEARCH_S = MOST_TRIES * LONGEST_RING_S


class Seek(Node):
    """Find somebody of ``services`` (any of them, whoever is free first), dial, and join the two.

    ``ring_s``: how long one of them rings. ``search_s``: how long all that are dialled here ring together (rounded up
    to seconds each); whoever is then not answered leaves by ``failed``. Where 111 is not among the services, the hold
    is bounded in the same way, and key 0 leads to 111 while the caller holds or, where the network hears it, while
    somebody is rung.
    """

    services: tuple[str, ...] = Field(min_length=1)
    band: Band = Band.NORMAL
    hold_s: float = Field(default=0.0, ge=0, le=3600, strict=True)
    ring_s: float = Field(default=LONGEST_RING_S, ge=5, le=LONGEST_RING_S, strict=True)
    search_s: float = Field(default=LONGEST_SEARCH_S, ge=LEAST_RING_S, le=LONGEST_SEARCH_S, strict=True)
    hold_prompts: tuple[str, ...] = ()

    SUPPLIED: ClassVar[frozenset[str]] = frozenset({"failed"})

    @property
    def may_be_left(self) -> bool:
        """Whether key 0 leads from here to 111: not where 111 is sought itself."""
        return DEFAULT_SERVICE not in self.services

    def exit_names(self) -> frozenset[str]:
        return frozenset({"failed"})

    def prompt_keys(self) -> tuple[str, ...]:
        return self.hold_prompts

    def moves(self) -> tuple[Move, ...]:
        return self._seeking(Ending.PERSON)

    def _seeking(self, ending: Ending, heard: tuple[str, ...] = ()) -> tuple[Move, ...]:
        """Answered, not answered (the next one is tried), nobody left or free, and key 0.

        The time of all rings together stands with the move that ends the search.
        """
        who, band = " or ".join(self.services), self.band
        heard += self.hold_prompts
        silent = f"{who} does not answer"
        free = f"{who} is not free" + (f" within {self.hold_s:g} s" if self.hold_s else "")
        rung_s = min(self.search_s, MOST_TRIES * self.ring_s)
        left = (key_0(*heard, seconds=rung_s),) if self.may_be_left else ()
        return (
            Move(f"{who} answers", heard=heard, seconds=rung_s, ends=ending, raises=band),
            Move(f"{silent}, and the next is rung", heard=heard, limit=MOST_TRIES - 1, raises=band),
            Move(f"{silent} within {rung_s:g} s", "failed", heard=heard, seconds=rung_s, raises=band),
            Move(free, "failed", heard=heard, seconds=rung_s, queued=self.hold_s, raises=band),
            *(replace(each, raises=band) for each in left),
        )

    def enter(self, run: Run) -> Step:
        run.raise_to(self.band)
        return self._ask_dispatch(run)

    def resume(self, run: Run, heard: Heard | Answered) -> Step | None:
        if isinstance(heard, Answered):
            return None
        wait = run.wait
        if isinstance(wait, OfferWait):
            return self._offered(run, heard)
        if isinstance(wait, LegWait):
            return self._dialled(run, heard, wait.target)
        if isinstance(wait, TalkWait) and (heard.kind is _TALK_ENDED or heard.kind is _LEG_ENDED):
            run.do(End("talk_ended"))
            return GoneWait(run.node)
        return None

    def _offered(self, run: Run, heard: Heard) -> Step | None:
        if heard.kind is _OFFERED and heard.value:
            if self.may_be_left and self.hold_s:
                run.count(HELD, ceil(heard.waited_s))
            return self._dial(run, heard.value)
        if heard.kind is _DIGIT and heard.value == PERSON_KEY and self.may_be_left:
            return self._left(run)
        return "failed" if heard.kind is _OFFERED or heard.kind is _TIMER else None

    def _dial(self, run: Run, target: str) -> Step:
        ring_s = self._ring_s(run)
        recording = (Record(),) if run.record else ()
        run.do(Unhold(), *recording, Connect(target, ring_s, self.may_be_left))
        return LegWait(run.node, target, ring_s + LEG_MARGIN_S)

    def _dialled(self, run: Run, heard: Heard, target: str) -> Step | None:
        kind = heard.kind
        if kind is _LEG_ANSWERED:
            return TalkWait(run.node, target)
        if kind is _TIMER:
            run.do(DisconnectLeg())
        elif kind is _LEG_FAILED and heard.value == LEFT_FOR_111 and self.may_be_left:
            return self._left(run)
        elif kind is not _LEG_FAILED and kind is not _LEG_ENDED:
            return None
        # a leg that ends before it was answered has only failed
        return self._try_next(run, heard.waited_s)

    def _left(self, run: Run) -> Step:
        run.tell(Chose(run.node, PERSON, "key"))
        return PERSON

    def _ring_s(self, run: Run) -> float:
        return min(self.ring_s, self.search_s - run.counted(SEARCHED))

    def _try_next(self, run: Run, waited_s: float) -> Step:
        # longer than it may ring only the rest of a round of hold was, or the network's way to tell of it
        run.count(SEARCHED, ceil(min(waited_s, self._ring_s(run))))
        return self._ask_dispatch(run) if run.count("leg_failed") < MOST_TRIES else "failed"

    def _ask_dispatch(self, run: Run) -> Step:
        if self.search_s - run.counted(SEARCHED) < LEAST_RING_S:
            return "failed"
        hold_s = self.hold_s
        if self.may_be_left:
            hold_s = max(0.0, hold_s - run.counted(HELD))
        if hold_s:
            run.do(Hold(self.hold_prompts))
        return OfferWait(run.node, self.sought(run), run.band, hold_s, hold_s)

    def sought(self, run: Run) -> tuple[str, ...]:  # noqa: ARG002 - the engine's own nodes look at it
        """Of which services somebody is sought for this caller."""
        return self.services
