"""Looks at one Asterisk from outside, so that no answer and no end is lost with the worker that would have told it.

Every two seconds: which callers are on the line, and where (REST); how those ended who are not (AstDB rows, over
AMI). What a worker has told bears the same key and changes nothing. Calls that the dialplan carried without any
worker are written down, too: nobody's call is missing from the day's figures because we were away.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import httpx
import structlog

from adapters.asterisk.ami import Ami, AmiError, EndedRow
from adapters.asterisk.ari import Channel
from adapters.asterisk.facts import NETWORK, arrival, started_key
from callrouter.errors import StaleEpoch
from callrouter.model import WITHOUT_US, Arrival, Input, InputKind
from callrouter.ports import Dispatch, Door
from infra.clock import Clock
from infra.numbers import Number, NumberClass

REQUEST_S = 2.0
SETTLE_S = 3.0  # a living worker tells an end within milliseconds; only what is older is ours to tell
MOST_OWNERS = 20  # the dialplan's own limit of rounds
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
    """For the Asterisk called ``edge``. ``trusted``: whether the door knows of every call now (the store is up)."""

    def __init__(
        self, edge: str, rest: httpx.AsyncClient, ami: Ami | None, door: Door, dispatch: Dispatch, clock: Clock,
        trusted: Callable[[], bool] = lambda: True,
    ) -> None:  # fmt: skip
        self.edge = edge
        self._rest = rest
        self._ami = ami
        self._door = door
        self._dispatch = dispatch
        self._clock = clock
        self._trusted = trusted
        self._seen: dict[str, _Seen] | None = None
        self._told: dict[str, tuple[str, str]] = {}
        self._firsts: dict[str, str] = {}  # a line's own name → the name of the call, if that came by another line

    async def look(self) -> None:
        """Look once, and tell what nobody told. An Asterisk that does not answer leaves everything as it is."""
        try:
            self._seen = await self._callers()
            await self._tell_trunks()
        except (httpx.HTTPError, ValueError, KeyError) as error:
            self._seen = None
            log.warning("asterisk_unseen", edge=self.edge, error=type(error).__name__)
            return
        if not self._trusted():
            return
        self._firsts = {ref: first for ref, first in self._firsts.items() if ref in self._seen}
        for call_ref, seen in self._seen.items():
            if call_ref not in self._firsts:
                self._firsts[call_ref] = await self._door.first_of(started_key(seen.channel.variables), call_ref)
            if self._told.get(call_ref) != seen.mark:
                await self._tell_stage(call_ref, seen)
                self._told[call_ref] = seen.mark
        self._told = {ref: mark for ref, mark in self._told.items() if ref in self._seen}
        if self._ami is not None:
            await self._tell_ends(self._ami)

    def place(self, call_ref: str) -> Place:
        """Where the caller was at the newest look, whichever life of the call it is."""
        if self._seen is None:
            return "unknown"
        seen = self._line_of(call_ref)
        if seen is None:
            return "gone"
        return "held" if seen.channel.variables["STAGE"] in ("new", "returned") else "dialplan"

    async def rescue(self, call_ref: str) -> None:
        """Have the caller broadcast again: whoever holds them has let their time run out."""
        seen = self._line_of(call_ref)
        if seen is None:
            return
        log.warning("caller_rescued", call_ref=call_ref)
        where = {"context": "claim", "extension": "s", "priority": "1"}
        try:
            await self._rest.post(f"/channels/{seen.channel.id}/continue", params=where)
        except httpx.HTTPError as error:
            log.warning("rescue_failed", call_ref=call_ref, error=type(error).__name__)

    def _line_of(self, call_ref: str) -> _Seen | None:
        own = call_ref[:REF_LENGTH]
        lines = (seen for ref, seen in (self._seen or {}).items() if own in (ref, self._firsts.get(ref)))
        return next(lines, None)

    # ------------------------------------------------------------------ who is on the line

    async def _callers(self) -> dict[str, _Seen]:
        answer = await self._rest.get("/channels")
        answer.raise_for_status()
        found = {}
        for body in answer.json():
            channel = Channel.read(body)
            # a provider's leg bears the call's name, too, and no stage
            if "CALL_REF" in channel.variables and "STAGE" in channel.variables:
                came = datetime.fromisoformat(body["creationtime"])
                found[channel.variables["CALL_REF"]] = _Seen(channel, came)
        return found

    async def _tell_trunks(self) -> None:
        """Which providers answer this Asterisk's OPTIONS; one that does not is offered to nobody meanwhile."""
        answer = await self._rest.get("/endpoints/PJSIP")
        answer.raise_for_status()
        for endpoint in answer.json():
            prefix, _, provider = endpoint["resource"].partition("-")
            if prefix == "provider" and endpoint["state"] in ("online", "offline"):
                await self._dispatch.reachable(provider, self.edge, endpoint["state"] == "online")

    async def _tell_stage(self, call_ref: str, seen: _Seen) -> None:
        stage, dial = seen.mark
        if stage not in ("talk", "fallback"):
            return
        via = "fallback" if stage == "fallback" else await self._variable(seen.channel, "VIA")
        if via == "emergency":
            return
        facts = seen.channel.variables
        known = await self._known(call_ref, self._firsts[call_ref])
        if known is None:
            await self._begin(call_ref, arrival(facts, self.edge), seen.came)
            known = call_ref
        elif via == "fallback":
            await self._door.give_up(known, "network_fell_back")
        if stage == "talk":
            since = await self._variable(seen.channel, "TALK_FROM")
            at = datetime.fromtimestamp(int(since), tz=seen.came.tzinfo) if since.isdecimal() else self._clock.now()
            await self._answered(known, dial, at)

    async def _variable(self, channel: Channel, name: str) -> str:
        try:
            answer = await self._rest.get(f"/channels/{channel.id}/variable", params={"variable": name})
            return str(answer.json()["value"]) if answer.status_code == httpx.codes.OK else ""
        except (httpx.HTTPError, ValueError, KeyError):
            return ""  # the channel has just gone: its row tells

    # ------------------------------------------------------------------ who has gone

    async def _tell_ends(self, ami: Ami) -> None:
        try:
            for row in await ami.ended_rows():
                if (self._clock.now() - row.at).total_seconds() >= SETTLE_S:
                    await self._tell_end(row)
                    await ami.forget(row.call_ref)
        except AmiError as error:
            log.warning("ended_rows_unread", edge=self.edge, error=type(error).__name__)

    async def _tell_end(self, row: EndedRow) -> None:
        if row.via == "emergency":
            return  # 999 is carried for the caller's sake, and is no call of this service
        known = await self._known(row.call_ref, self._firsts.get(row.call_ref, row.call_ref))
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

    # ------------------------------------------------------------------ to the door

    async def _known(self, call_ref: str, first: str) -> str | None:
        """The name under which the door knows the call: its own, a later life's, or that of its twin."""
        for name in dict.fromkeys((call_ref, first, *(f"{call_ref}e{n}" for n in range(2, MOST_OWNERS + 1)))):
            if await self._door.knows(name):
                return name
        return None

    async def _begin(self, call_ref: str, came: Arrival, at: datetime) -> None:
        key = f"{call_ref}.without_us"
        await self._door.handle(call_ref, Input(key, InputKind.STARTED, at, value=WITHOUT_US, arrival=came))

    async def _answered(self, call_ref: str, dial: str, at: datetime) -> None:
        key = f"{call_ref}.dial{dial}.answer"
        await self._door.handle(call_ref, Input(key, InputKind.LEG_ANSWERED, at, epoch=0))


def rest_client(url: str, user: str, password: str) -> httpx.AsyncClient:
    """A client of its own for one Asterisk's REST interface, so that a stuck worker's connection is not ours."""
    return httpx.AsyncClient(base_url=url, auth=(user, password), timeout=REQUEST_S, trust_env=False)
