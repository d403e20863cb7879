"""What a claimed channel is to the door: a new call, one that was taken over, or a twin of one that is here already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import structlog

from adapters.asterisk.facts import arrival, failure, first_line, named_first, started_key
from adapters.asterisk.line import Line
from callrouter.errors import UnknownCall
from callrouter.model import NEXT_LIFE, Input, Reply, lives
from callrouter.ports import Door
from infra.clock import Clock
from ivr.model import InputKind, LegWait

log = structlog.get_logger()


class Taking:
    """For the worker of one Asterisk, which is called ``edge``."""

    def __init__(self, door: Door, clock: Clock, edge: str) -> None:
        self._door = door
        self._clock = clock
        self._edge = edge

    async def first_input(self, line: Line, facts: Mapping[str, str]) -> Input | None:
        """The first input of our ownership. Names the line after the call that the door knows.

        None for a line that nobody is on: the edge gave the call to another Asterisk when this one was silent, and that
        one has answered for it already.
        """
        stage = facts.get("STAGE", "new")
        first, tried = first_line(await self._door.first_of(*named_first(facts, line.call_ref)))
        if stage == "new" and line.fence == 1 and first == line.call_ref:
            return self._started(line, facts)
        if first != facts["CALL_REF"] and tried > int(facts.get("TRY") or 0) > 0:
            log.info("stale_twin_ended", call_ref=first)
            return None
        known = await self._find_life(line, facts["CALL_REF"], first)
        if known is None:
            # nobody knows the call (its worker kept it in memory and died). It begins again under a name of its own:
            # the journal of the first life is sealed with a key that is gone, and counts its events from 1
            line.call_ref = f"{facts['CALL_REF']}e{line.fence}" if line.fence > 1 else facts["CALL_REF"]
            return self._started(line, facts)
        if first != facts["CALL_REF"] and known.call_ref == first:
            _begin_next_life(line, known, new=stage == "new" and line.fence == 1)
        wait = known.wait
        if stage == "returned" and isinstance(wait, LegWait) and wait.target == facts.get("TARGET", ""):
            key = f"{line.call_ref}.dial{facts.get('DIALNO', '')}.failed"
            return Input(key, InputKind.LEG_FAILED, self._clock.now(), value=failure(facts), epoch=line.epoch)
        return self.taken_over(line)

    def taken_over(self, line: Line) -> Input:
        """The call goes on with us."""
        key = f"{line.call_ref}.{line.epoch}.taken_over"
        return Input(key, InputKind.TAKEN_OVER, self._clock.now(), value=self._edge, epoch=line.epoch)

    async def was_told(self, line: Line, given: Input, reply: Reply) -> bool:
        """Whether an owner before us has told of this failed dial, and the call has moved on since."""
        if given.kind is not InputKind.LEG_FAILED:
            return False
        return (await self._door.present(line.call_ref)).wait_id != reply.wait_id

    async def superseded(self, line: Line) -> bool:
        """Whether the carrier has sent the INVITE again, so that the caller is on the newer line and nobody here."""
        known = await self._door.present(line.call_ref)
        if known.epoch // NEXT_LIFE == line.epoch // NEXT_LIFE:
            return False
        log.info("twin_ended", call_ref=line.call_ref)
        return True

    def _started(self, line: Line, facts: Mapping[str, str]) -> Input:
        came = arrival(facts, self._edge)
        if line.call_ref != facts["CALL_REF"]:
            came = replace(came, begins_again=facts["CALL_REF"])
        return Input(started_key(facts), InputKind.STARTED, self._clock.now(), epoch=line.epoch, arrival=came)

    async def _find_life(self, line: Line, call_ref: str, first: str) -> Reply | None:
        """Where the call stands: under its own name, that of a later life, or that of its twin which came first."""
        for name in dict.fromkeys((line.call_ref, *lives(call_ref, line.fence - 1), call_ref, first)):
            try:
                known = await self._door.present(name)
            except UnknownCall:
                continue
            line.call_ref = name
            return known
        return None


def _begin_next_life(line: Line, known: Reply, *, new: bool) -> None:
    """The line is a twin's: its epochs come after every one of the line that was there before."""
    lives = known.epoch // NEXT_LIFE
    line.epoch = line.fence + NEXT_LIFE * (lives + 1 if new or not lives else lives)
