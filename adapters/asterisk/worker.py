"""A worker: claims callers that Asterisk broadcasts, keeps their leases, and carries events to the door.

It owns a call only between StasisStart and StasisEnd. A call that it loses, to another worker or to a lease
that ran out, it drops at once. All that cannot be taken back is done by the dialplan behind its fence.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass

import structlog

from adapters.asterisk.ari import Ari, AriError, AriEvent, AriGone, Channel
from adapters.asterisk.line import Line
from callrouter.errors import StaleEpoch, UnknownCall
from callrouter.model import Arrival, Input, Reply
from callrouter.ports import Door
from infra.clock import Clock
from infra.numbers import Number, read_number
from ivr.model import InputKind, LegWait, TalkWait

NETWORK = "sip"
LEASE_S = 2.0

log = structlog.get_logger()

_CAUSES = {"BUSY": "busy", "NOANSWER": "no_answer", "CHANUNAVAIL": "unreachable", "CONGESTION": "rejected"}
"""DIALSTATUS of the dialplan → cause. By status code first where the provider gave one."""
_STATUS = {"480": "no_answer", "486": "busy", "408": "unreachable", "503": "unreachable", "404": "rejected",
           "603": "rejected"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AriSettings:
    """Where Asterisk is. ``app`` is this worker's own application name and begins with ``callrouter-``."""

    url: str
    app: str
    user: str
    password: str
    lease_s: float = LEASE_S


class SipWorker:
    """Run it for as long as the process lives: ``async with worker: …``."""

    def __init__(self, ari: Ari, door: Door, clock: Clock, audio: Mapping[str, str], lease_s: float = LEASE_S) -> None:
        self._ari = ari
        self._door = door
        self._clock = clock
        self._audio = audio
        self._lease_s = lease_s
        self._lines: dict[str, Line] = {}
        self._by_call: dict[str, Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._claiming = True
        self._renewed = time.monotonic()
        door.perform_with(NETWORK, self._perform_pushed)

    async def __aenter__(self) -> SipWorker:
        await self._ari.__aenter__()
        self._loops = [asyncio.create_task(self._listen()), asyncio.create_task(self._keep_leases())]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._claiming = False
        for task in (*self._loops, *self._tasks):
            task.cancel()
        await asyncio.gather(*self._loops, *self._tasks, return_exceptions=True)
        for line in list(self._lines.values()):
            await line.release()
        await self._ari.__aexit__(None, None, None)

    # ------------------------------------------------------------------ events in

    async def _listen(self) -> None:
        async for event in self._ari.events():
            try:
                self._hear(event)
            except (KeyError, ValueError) as error:
                # one event that we cannot read must not deafen the worker
                log.error("event_unreadable", type=event.type, error=type(error).__name__)

    def _hear(self, event: AriEvent) -> None:
        channel = event.channel
        if event.type == "Lost":
            self._drop_all()
        if channel is None:
            if event.type == "PlaybackFinished":
                self._playback_finished(event)
            return
        line = self._lines.get(channel.id)
        match event.type:
            case "CallBroadcast" if self._claiming:
                self._spawn(self._claim(channel))
            case "StasisStart":
                self._spawn(self._own(channel, int(event.body["args"][1])))
            case "StasisEnd" if line is not None:
                self._spawn(line.release())
            case "ChannelDtmfReceived" if line is not None:
                key = f"{channel.id}.{event.body['digit']}.{event.body.get('timestamp', event.at)}"
                line.key_pressed(str(event.body["digit"]), key)
            case "Dial" if line is not None:
                self._dialled(line, channel, str(event.body["dialstatus"]))
            case "ChannelUserevent" if line is not None:
                self._told(line, str(event.body["eventname"]), event.body["userevent"])
            case "ChannelDestroyed" if line is not None:
                self._forget(line)
            case _:
                pass

    def _playback_finished(self, event: AriEvent) -> None:
        playback = event.body["playback"]
        line = self._lines.get(str(playback["target_uri"]).removeprefix("channel:"))
        if line is not None:
            line.playback_finished(str(playback["id"]))

    async def _claim(self, channel: Channel) -> None:
        try:
            await self._ari.claim(channel.id)
        except AriGone:
            return  # another worker was quicker
        except AriError as error:
            log.warning("claim_failed", error=type(error).__name__)

    async def _own(self, channel: Channel, epoch: int) -> None:
        facts = channel.variables
        call_ref = facts["CALL_REF"]
        line = Line(self._ari, channel.id, channel.name, call_ref, epoch, self._told_by_line, self._audio)
        line.answered = channel.state == "Up"
        self._lines[channel.id] = self._by_call[call_ref] = line
        await self._give(line, await self._first_input(call_ref, epoch, facts), facts)
        try:
            # so that we hear of the talk and its end after the channel has left us for the dialplan
            await self._ari.subscribe(f"channel:{channel.id}")
        except AriError as error:
            log.warning("subscribe_failed", call_ref=call_ref, error=type(error).__name__)

    async def _first_input(self, call_ref: str, epoch: int, facts: Mapping[str, str]) -> Input:
        stage = facts.get("STAGE", "new")
        if stage == "new" and epoch == 1:
            return self._started(facts, epoch)
        if stage == "returned" and await self._dials(call_ref, facts.get("TARGET", "")):
            cause = _STATUS.get(facts.get("LEG_SIP", "")) or _CAUSES.get(facts.get("DIALSTATUS", ""), "unreachable")
            key = f"{call_ref}.dial{facts.get('DIALNO', '')}.failed"
            return Input(key, InputKind.LEG_FAILED, self._clock.now(), value=cause, epoch=epoch)
        return Input(f"{call_ref}.{epoch}.taken_over", InputKind.TAKEN_OVER, self._clock.now(), epoch=epoch)

    async def _dials(self, call_ref: str, target: str) -> bool:
        """Whether the leg that came back is the one that the call waits for."""
        try:
            wait = (await self._door.present(call_ref)).wait
        except UnknownCall:
            return False
        return isinstance(wait, LegWait) and wait.target == target

    def _started(self, facts: Mapping[str, str], epoch: int) -> Input:
        arrival = Arrival(NETWORK, facts.get("DIALLED", "111"), caller_number(facts))
        key = f"{facts.get('SIP_CALL_ID', '')}.{facts.get('FROM_TAG', '')}"
        return Input(key, InputKind.STARTED, self._clock.now(), epoch=epoch, arrival=arrival)

    def _dialled(self, line: Line, channel: Channel, status: str) -> None:
        leg = f"{line.call_ref}.dial{channel.variables.get('DIALNO', '')}"
        if status == "RINGING":
            self._spawn(self._send(line, InputKind.LEG_RINGING, f"{leg}.ringing", "", ""))
        elif status == "ANSWER":
            self._spawn(self._send(line, InputKind.LEG_ANSWERED, f"{leg}.answered", "", ""))

    def _told(self, line: Line, name: str, facts: Mapping[str, str]) -> None:
        """The dialplan's hangup handler: the call is over, and who ended it."""
        if name not in ("talk_ended", "call_ended"):
            return
        ended = f"{facts['by']} {facts.get('cause', '')}".strip()
        if name == "talk_ended":
            self._spawn(self._end_talk(line, ended))
        else:
            self._spawn(self._send(line, InputKind.HUNG_UP, f"{line.call_ref}.ended", "", ended))

    async def _end_talk(self, line: Line, ended: str) -> None:
        await self._send(line, InputKind.TALK_ENDED, f"{line.call_ref}.talk_ended", "", ended)
        await self._send(line, InputKind.HUNG_UP, f"{line.call_ref}.ended", "", ended)

    # ------------------------------------------------------------------ to the door, and back

    async def _told_by_line(self, line: Line, kind: InputKind, key: str, wait_id: str, value: str) -> None:
        # not awaited by the line: the reply replaces what the line is doing, which would be waiting for itself
        self._spawn(self._send(line, kind, key, wait_id, value))

    async def _send(self, line: Line, kind: InputKind, key: str, wait_id: str, value: str) -> None:
        given = Input(key, kind, self._clock.now(), wait_id, value, line.epoch)
        await self._give(line, given, {})

    async def _give(self, line: Line, given: Input, facts: Mapping[str, str]) -> None:
        try:
            reply = await self._door.handle(line.call_ref, given)
        except UnknownCall:
            if given.kind is not InputKind.TAKEN_OVER or not facts:
                return
            # nobody knows the call (its worker kept it in memory and died): it begins again
            reply = await self._door.handle(line.call_ref, self._started(facts, given.epoch))
        except StaleEpoch:
            await line.release()
            return
        except Exception as error:  # noqa: BLE001 - whatever broke in here, the caller goes to a person
            log.error("call_step_failed", call_ref=line.call_ref, error=type(error).__name__)
            await line.fall_back()
            await self._door.give_up(line.call_ref, "adapter_failed")
            return
        line.perform(reply)
        if facts and not reply.instructions and not isinstance(reply.wait, LegWait | TalkWait):
            # a caller who has just come to us and for whom the door has nothing more to do must not hear silence
            await line.fall_back()

    async def _perform_pushed(self, reply: Reply) -> None:
        line = self._by_call.get(reply.call_ref)
        if line is not None:
            line.perform(reply)

    # ------------------------------------------------------------------ leases and losses

    async def _keep_leases(self) -> None:
        """Renew every quarter of a lease. After a pause of more than a lease we own nothing any more."""
        while True:
            await asyncio.sleep(self._lease_s / 4)
            if time.monotonic() - self._renewed > self._lease_s:
                self._drop_all()
            self._renewed = time.monotonic()
            for line in [each for each in self._lines.values() if each.in_stasis]:
                try:
                    await self._ari.renew_lease(line.name, self._lease_s)
                except AriError:
                    break  # the connection is slow or gone: it says so itself

    def _drop_all(self) -> None:
        for line in list(self._lines.values()):
            if line.in_stasis:
                self._spawn(line.release())
                self._forget(line)

    def _forget(self, line: Line) -> None:
        self._lines.pop(line.channel_id, None)
        if self._by_call.get(line.call_ref) is line:
            del self._by_call[line.call_ref]

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _logged(work: Awaitable[None]) -> None:
    try:
        await work
    except Exception as error:  # noqa: BLE001 - a defect in one call; its lease brings the caller to somebody
        log.error("call_step_failed", error=type(error).__name__)


def caller_number(facts: Mapping[str, str]) -> Number:
    """The number that a look-up may use: the network's own (P-Asserted-Identity) before the presented one.

    ``Privacy: id`` withholds it. A ``Diversion`` header names the line that was diverted, which is not the
    caller's, and is never read here.
    """
    withheld = any(word in ("id", "user", "header") for word in facts.get("PRIVACY", "").lower().split(";"))
    asserted = _user_of(facts.get("PAI", ""))
    return read_number(asserted or facts.get("CLI", ""), withheld=withheld)


def _user_of(header: str) -> str:
    """The user part of the first ``sip:`` or ``tel:`` address in a header's value; empty if there is none."""
    for scheme in ("sip:", "sips:", "tel:"):
        _, found, rest = header.partition(scheme)
        if found:
            return rest.split("@")[0].split(">")[0].split(";")[0]
    return ""
