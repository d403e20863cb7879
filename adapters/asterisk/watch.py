"""Looks at one Asterisk from outside, so that no answer and no end is lost with the worker that would have told it.

Every two seconds: which callers are on the line, and where (REST); how those ended who are not (AstDB rows, over
AMI). What a worker has told bears the same key and changes nothing. Calls that the dialplan carried without any
worker are written down, too: nobody's call is missing from the day's figures because we were away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import structlog

from adapters.asterisk.absence import Absence
from adapters.asterisk.ami import Ami, AmiError, EndedRow
from adapters.asterisk.ari import Ari, AriError
from adapters.asterisk.channel import Channel
from adapters.asterisk.facts import NETWORK, arrival, first_line, named_first
from callrouter.errors import StaleEpoch
from callrouter.model import WITHOUT_US, Arrival, CallRecord, Input, InputKind, lives
from callrouter.ports import Dispatch, Door
from callrouter.resuming import given_up
from infra.clock import Clock
from infra.numbers import Number, NumberClass
from ivr.model import TalkWait

CONNECT_S = 0.5  # an Asterisk that is away does not keep the next look at the others for longer
SETTLE_S = 3.0  # a living worker tells an end within milliseconds; only what is older is ours to tell
MOST_ROWS = 100  # told in one look: more of them must not keep trunks and stuck callers from being seen to
REF_LENGTH = 32  # of a call's own name; a later life's has its epoch after that

Place = Literal["held", "dialplan", "gone", "unknown"]
"""``held`` by a worker, carried by the ``dialplan`` (it rings, or they talk), ``gone``; ``unknown``: nobody answers."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Seen:
    """A caller's channel in the newest look."""

    channel: Channel
    came: datetime

    @property
    def mark(self) -> tuple[str, str]:
        """Changes when the caller gets to another stage."""
        return self.channel.variables["STAGE"], self.channel.variables.get("DIALNO", "")


class AsteriskWatch:
    """For the Asterisk called ``edge``. ``trusted``: whether the door knows of every call now (the store is up).

    ``ari`` is a connection of the watch's own, so that a stuck worker does not hold it up, under a name to which no
    caller is broadcast. It hears of nothing; it stays open because a request over it costs a tenth of one by HTTP.
    ``absence``: whether it stays away; without it its callers are never given up while it does not answer. ``doubt``
    is told of each call on it as soon as a look is in vain: the next call of that number may be the same caller.
    """

    def __init__(
        self, edge: str, ari: Ari, ami: Ami | None, door: Door, dispatch: Dispatch, clock: Clock,
        trusted: Callable[[], bool] = lambda: True, absence: Absence | None = None,
        doubt: Callable[[CallRecord], Awaitable[None]] | None = None,
    ) -> None:  # fmt: skip
        self.edge = edge
        self._ari = ari
        self._ami = ami
        self._door = door
        self._dispatch = dispatch
        self._clock = clock
        self._trusted = trusted
        self._absence = absence
        self._doubt = doubt
        self._seen: dict[str, _Seen] | None = None
        self._left: set[str] = set()  # who was on the line at the last look that was answered
        self._undoubted: set[str] = set()  # of those
        self._told: dict[str, tuple[str, str]] = {}
        self._firsts: dict[str, str] = {}  # a line's own name → the name of the call, which may have come by another
        self._names: dict[str, str] = {}  # a line's own name in a talk → under which life of it the door knows that
        self._missed: dict[str, float] = {}  # asked for and not on the line: since when (monotonic)
        self._rows_read = 0.0  # when all rows of AstDB were told, last (monotonic)

    async def look(self) -> None:
        """Look once, and tell what nobody told. An Asterisk that does not answer leaves everything as it is."""
        try:
            await self._ari.wait_connected(CONNECT_S)
            self._seen = await self._callers()
            await self._tell_trunks()
        except (AriError, ValueError, KeyError) as error:
            self._seen = None
            log.warning("asterisk_unseen", edge=self.edge, error=type(error).__name__)
            await self._miss()
            return
        self._left, self._undoubted = set(self._seen), set(self._seen)
        if self._absence is not None:
            await self._absence.answers()
        if not self._trusted():
            return
        for call_ref, seen in self._seen.items():
            try:
                await self._tell_caller(call_ref, seen)
            except Exception as error:  # noqa: BLE001 - one call that cannot be read must not hide the others
                log.error("caller_untold", call_ref=call_ref, error=type(error).__name__)
        await self._dispatch.in_use(self._in_use())
        self._told = {ref: mark for ref, mark in self._told.items() if ref in self._seen}
        self._names = {ref: name for ref, name in self._names.items() if ref in self._seen}
        self._missed = {ref: since for ref, since in self._missed.items() if ref not in self._seen}
        if self._ami is not None:
            await self._tell_ends(self._ami)

    @property
    def answers(self) -> bool:
        """Whether the newest look was answered."""
        return self._seen is not None

    async def _miss(self) -> None:
        """Close the calls of an Asterisk that stays away; those that nobody saw on it the sweep closes when due."""
        if self._absence is None:
            return
        await self._absence.does_not_answer()
        if self._doubt is not None:
            await self._of_each(self._undoubted, self._doubt)
        if self._absence.is_away:
            await self._of_each(self._left, self._close_lost)
            if not self._left:
                self._firsts.clear()

    async def _of_each(self, refs: set[str], tell: Callable[[CallRecord], Awaitable[None]]) -> None:
        """Tell of each call that is still here, and take it out of ``refs``; what fails is told at the next look.

        Whoever is told knows the call: what is told twice changes nothing.
        """
        for call_ref in tuple(refs):
            if not self._trusted():
                return
            try:
                record = await self._door.record(self._firsts.get(call_ref, call_ref))
                if record is not None and record.ended is None and record.edge == self.edge:
                    await tell(record)  # else the caller may be on a newer line, at another Asterisk
            except Exception as error:  # noqa: BLE001 - one call that cannot be read must not hide the others
                log.error("end_untold", call_ref=call_ref, error=type(error).__name__)
            else:
                refs.discard(call_ref)

    async def _close_lost(self, record: CallRecord) -> None:
        log.warning("call_lost", call_ref=record.call_ref, edge=self.edge)
        with suppress(StaleEpoch):
            await self._door.handle(record.call_ref, given_up(record, self._clock.now()))

    async def _tell_caller(self, call_ref: str, seen: _Seen) -> None:
        if call_ref not in self._firsts:
            value = await self._door.first_of(*named_first(seen.channel.variables, call_ref))
            self._firsts[call_ref] = first_line(value)[0]
        if self._told.get(call_ref) != seen.mark:
            await self._tell_stage(call_ref, seen)
            self._told[call_ref] = seen.mark

    def place(self, call_ref: str) -> Place:
        """Where the caller was at the newest look, whichever life of the call it is."""
        if self._seen is None:
            return "gone" if self._absence is not None and self._absence.is_away else "unknown"
        seen = self._line_of(call_ref)
        if seen is None:
            return "gone" if self._has_no_row(call_ref) else "unknown"
        return "held" if seen.channel.variables["STAGE"] in ("new", "returned") else "dialplan"

    async def rescue(self, call_ref: str) -> None:
        """Have the caller broadcast again: whoever holds them has let their time run out."""
        seen = self._line_of(call_ref)
        if seen is None:
            return
        log.warning("caller_rescued", call_ref=call_ref)
        try:
            await self._ari.continue_in_dialplan(seen.channel.id, "claim", "s")
        except AriError as error:
            log.warning("rescue_failed", call_ref=call_ref, error=type(error).__name__)

    def _has_no_row(self, call_ref: str) -> bool:
        """Whether the caller has been missing for so long that a row of their end would have been told by now."""
        since = self._missed.setdefault(call_ref, self._clock.monotonic())
        return self._ami is None or self._rows_read > since + SETTLE_S + 1.0

    def _line_of(self, call_ref: str) -> _Seen | None:
        own = call_ref[:REF_LENGTH]
        lines = (seen for ref, seen in (self._seen or {}).items() if own in (ref, self._firsts.get(ref)))
        return next(lines, None)

    # ------------------------------------------------------------------ who is on the line

    async def _callers(self) -> dict[str, _Seen]:
        found = {}
        for body in await self._ari.request("GET", "/channels"):
            channel = Channel.read(body)
            # a provider's leg bears the call's name, too, and no stage
            if "CALL_REF" in channel.variables and "STAGE" in channel.variables:
                came = datetime.fromisoformat(body["creationtime"])
                found[channel.variables["CALL_REF"]] = _Seen(channel, came)
        return found

    async def _tell_trunks(self) -> None:
        """Which providers answer this Asterisk's OPTIONS; one that does not is offered to nobody meanwhile."""
        for endpoint in await self._ari.request("GET", "/endpoints/PJSIP"):
            prefix, _, provider = endpoint["resource"].partition("-")
            if prefix == "provider" and endpoint["state"] in ("online", "offline"):
                await self._dispatch.reachable(provider, self.edge, endpoint["state"] == "online")

    async def _tell_stage(self, call_ref: str, seen: _Seen) -> None:
        stage, dial = seen.mark
        if stage not in ("talk", "fallback"):
            return
        if stage == "talk" and self._firsts[call_ref] == call_ref and await self._knows_of_talk(call_ref):
            return
        via = "fallback" if stage == "fallback" else await self._variable(seen.channel, "VIA")
        if via == "emergency":
            return
        facts = seen.channel.variables
        epoch = await self._variable(seen.channel, "EPOCHNO")
        known = await self._known(call_ref, self._firsts[call_ref], int(epoch) if epoch.isdecimal() else 1)
        if known is None and not self._trusted():
            return
        if known is None:
            await self._begin(call_ref, arrival(facts, self.edge), seen.came)
            known = call_ref
        elif via == "fallback":
            await self._door.give_up(known, "network_fell_back")
        if stage == "talk":
            self._names[call_ref] = known
            since = await self._variable(seen.channel, "TALK_FROM")
            at = datetime.fromtimestamp(int(since), tz=seen.came.tzinfo) if since.isdecimal() else self._clock.now()
            await self._answered(known, dial, at)

    async def _knows_of_talk(self, call_ref: str) -> bool:
        """Whether a worker has told the door of it, as most do: then Asterisk need not be asked for more."""
        record = await self._door.record(call_ref)  # its worker goes on keeping the provider's line for it
        return record is not None and isinstance(record.session.wait, TalkWait)

    def _in_use(self) -> set[str]:
        """Under whatever name: who is rung for or talks. Whoever sent them there may be dead, and Asterisk goes on."""
        seen = (self._seen or {}).items()
        busy = [ref for ref, each in seen if each.channel.variables["STAGE"] in ("dialling", "talk")]
        return {name for ref in busy for name in (ref, self._firsts.get(ref, ref), self._names.get(ref, ref))}

    async def _variable(self, channel: Channel, name: str) -> str:
        try:
            return str((await self._ari.request("GET", f"/channels/{channel.id}/variable", variable=name))["value"])
        except (AriError, ValueError, KeyError):
            return ""  # the channel has just gone: its row tells

    # ------------------------------------------------------------------ who has gone

    async def _tell_ends(self, ami: Ami) -> None:
        try:
            rows = [row for row in await ami.ended_rows() if self._has_settled(row)]
            for row in rows[:MOST_ROWS]:
                try:
                    told = await self._tell_end(row)
                except Exception as error:  # noqa: BLE001 - the row stays, and the others are told
                    log.error("end_untold", call_ref=row.call_ref, error=type(error).__name__)
                    continue
                if not told:
                    return
                await ami.forget(row.call_ref)
                self._firsts.pop(row.call_ref, None)
        except (AmiError, ValueError) as error:
            log.warning("ended_rows_unread", edge=self.edge, error=type(error).__name__)
        else:
            if len(rows) <= MOST_ROWS:
                self._rows_read = self._clock.monotonic()

    def _has_settled(self, row: EndedRow) -> bool:
        return (self._clock.now() - row.at).total_seconds() >= SETTLE_S

    async def _tell_end(self, row: EndedRow) -> bool:
        """False if the store went away meanwhile: what is not known then may well be known when it is back."""
        if row.via == "emergency":
            return True  # 999 is carried for the caller's sake, and is no call of this service
        known = await self._known(row.call_ref, self._firsts.get(row.call_ref, row.call_ref), row.epoch)
        if not self._trusted():
            return False
        if known is None:
            known, came = row.call_ref, row.at - timedelta(seconds=row.seconds)
            # who rang, only the line knew
            await self._begin(known, Arrival(NETWORK, "111", Number(NumberClass.UNREADABLE), self.edge), came)
        elif row.via == "fallback":
            await self._door.give_up(known, "network_fell_back")
        ended = f"{row.by} {row.cause}"
        # of a call that came on two lines only the newer one's end is its end: a line's own count of owners tells
        epoch = row.epoch if known == row.call_ref else 0
        if row.event == "talk_ended":
            await self._answered(known, str(row.dials), row.at - timedelta(seconds=row.seconds))
        with suppress(StaleEpoch):
            await self._door.handle(known, Input(f"{known}.ended", InputKind.HUNG_UP, row.at, value=ended, epoch=epoch))
        return self._trusted()

    # ------------------------------------------------------------------ to the door

    async def _known(self, call_ref: str, first: str, epoch: int) -> str | None:
        """The name under which the door knows the call: that of its latest life, its own, or that of its twin."""
        for name in dict.fromkeys((*lives(call_ref, epoch), call_ref, first)):
            if await self._door.knows(name):
                return name
        return None

    async def _begin(self, call_ref: str, came: Arrival, at: datetime) -> None:
        key = f"{call_ref}.without_us"
        await self._door.handle(call_ref, Input(key, InputKind.STARTED, at, value=WITHOUT_US, arrival=came))

    async def _answered(self, call_ref: str, dial: str, at: datetime) -> None:
        key = f"{call_ref}.dial{dial}.answer"
        await self._door.handle(call_ref, Input(key, InputKind.LEG_ANSWERED, at, epoch=0))
