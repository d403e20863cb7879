"""Seek: the part that connect and queue share, from asking dispatch to the end of the talk."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from ivr.actions.move import Ending, Move
from ivr.actions.node import Node, Step
from ivr.model import (
    Answered,
    Band,
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

if TYPE_CHECKING:
    from ivr.run import Run

LONGEST_RING_S = 20.0  # docs/safety/rules.md, 2: unanswered in 20 s returns the caller to 111
# beyond a round of hold (12 s) before the dialling; the network's own ring time-out comes first
LEG_MARGIN_S = 30.0
# looked up once: see ivr/engine.py
_OFFERED, _TIMER, _TALK_ENDED = InputKind.OFFERED, InputKind.TIMER, InputKind.TALK_ENDED
_LEG_ANSWERED, _LEG_FAILED, _LEG_ENDED = InputKind.LEG_ANSWERED, InputKind.LEG_FAILED, InputKind.LEG_ENDED

MOST_TRIES = 6  # providers dialled at one node before the caller moves on


class Seek(Node):
    """Find somebody of ``services`` (any of them, whoever is free first), dial, and join the two."""

    services: tuple[str, ...] = Field(min_length=1)
    band: Band = Band.NORMAL
    hold_s: float = Field(default=0.0, ge=0, le=3600, strict=True)
    ring_s: float = Field(default=LONGEST_RING_S, ge=5, le=LONGEST_RING_S, strict=True)
    hold_prompts: tuple[str, ...] = ()

    SUPPLIED: ClassVar[frozenset[str]] = frozenset({"failed"})

    def exit_names(self) -> frozenset[str]:
        return frozenset({"failed"})

    def prompt_keys(self) -> tuple[str, ...]:
        return self.hold_prompts

    def moves(self) -> tuple[Move, ...]:
        return self._seeking(Ending.PERSON)

    def _seeking(self, ending: Ending, heard: tuple[str, ...] = ()) -> tuple[Move, ...]:
        """Answered, not answered (the next one is tried), and nobody left or free."""
        who, band = " or ".join(self.services), self.band
        heard += self.hold_prompts
        silent = f"{who} does not answer"
        free = f"{who} is not free" + (f" within {self.hold_s:g} s" if self.hold_s else "")
        return (
            Move(f"{who} answers", heard=heard, seconds=self.ring_s, ends=ending, raises=band),
            Move(silent, heard=heard, seconds=self.ring_s, limit=MOST_TRIES - 1, raises=band),
            Move(f"{silent}, the last that we try", "failed", heard=heard, seconds=self.ring_s, raises=band),
            Move(free, "failed", heard=heard, queued=self.hold_s, raises=band),
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
            return self._dialled(run, heard.kind, wait.target)
        if isinstance(wait, TalkWait) and (heard.kind is _TALK_ENDED or heard.kind is _LEG_ENDED):
            run.do(End("talk_ended"))
            return GoneWait(run.node)
        return None

    def _offered(self, run: Run, heard: Heard) -> Step | None:
        if heard.kind is _OFFERED and heard.value:
            recording = (Record(),) if run.record else ()
            run.do(Unhold(), *recording, Connect(heard.value, self.ring_s))
            return LegWait(run.node, heard.value, self.ring_s + LEG_MARGIN_S)
        return "failed" if heard.kind is _OFFERED or heard.kind is _TIMER else None

    def _dialled(self, run: Run, kind: InputKind, target: str) -> Step | None:
        if kind is _LEG_ANSWERED:
            return TalkWait(run.node, target)
        if kind is _TIMER:
            run.do(DisconnectLeg())
            return self._try_next(run)
        # a leg that ends before it was answered has only failed
        return self._try_next(run) if kind is _LEG_FAILED or kind is _LEG_ENDED else None

    def _try_next(self, run: Run) -> Step:
        return self._ask_dispatch(run) if run.count("leg_failed") < MOST_TRIES else "failed"

    def _ask_dispatch(self, run: Run) -> Step:
        if self.hold_s:
            run.do(Hold(self.hold_prompts))
        return OfferWait(run.node, self.sought(run), run.band, self.hold_s, self.hold_s)

    def sought(self, run: Run) -> tuple[str, ...]:  # noqa: ARG002 - the engine's own nodes look at it
        """Of which services somebody is sought for this caller."""
        return self.services
