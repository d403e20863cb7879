"""A worker: claims callers that Asterisk broadcasts, keeps their leases, and carries events to the door.

It owns a call only between StasisStart and StasisEnd. A call that it loses, to another worker or to a lease
that ran out, it drops at once. All that cannot be taken back is done by the dialplan behind its fence.

Two rules hold the rest together. What is heard of a call goes to the door in the order in which Asterisk said it,
and never before the call's first input; each input is given while an earlier one may still be under way, so that a
hang-up overtakes a look-up. And whatever breaks in here, the caller goes to the default 111 service.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import structlog

from adapters.asterisk.ari import Ari, AriError, AriEvent, AriGone
from adapters.asterisk.channel import Channel
from adapters.asterisk.channels import Channels
from adapters.asterisk.facts import NETWORK
from adapters.asterisk.leases import renew_all
from adapters.asterisk.line import Line
from adapters.asterisk.taking import Taking
from callrouter.errors import StaleEpoch, UnknownCall
from callrouter.model import Input, Reply
from callrouter.ports import Door
from infra.clock import Clock
from infra.turns import Turns
from ivr.model import InputKind, LegWait, TalkWait

LEASE_S = 2.0
FINISH_S = 1.0  # for inputs that are at the door when we stop
HAND_OVER_S = 5.0  # they leave at once; one who does not is brought on by the lease
ENDS_AT_ONCE = 20
"""When hundreds end in one instant (a trunk that died), their commits would wait for one another in our own loop for
longer than the budget of the state store, which would then be taken for away."""
UNHEARD = "unknown gone"
"""Who ended a call and why, when the dialplan's hangup handler could not tell us."""
CUT_OFF = "us edge_restarted"
"""Asterisk was started again: every call that it carried was cut off, and no hangup handler ran."""

log = structlog.get_logger()


class SipWorker:
    """Run it for as long as the process lives: ``async with worker: …``."""

    def __init__(
        self,
        ari: Ari,
        door: Door,
        clock: Clock,
        audio: Mapping[str, str],
        *,
        edge: str = "",
        lease_s: float = LEASE_S,
        turns: Turns | None = None,
    ) -> None:
        self._ari = ari
        self._channels = Channels(ari)
        self._firsts = Taking(door, clock, edge)
        self._door = door
        self._clock = clock
        self._audio = audio
        self._lease_s = lease_s
        self._lines: dict[str, Line] = {}
        self._by_call: dict[str, Line] = {}
        self._taking: dict[Line, asyncio.Task[None]] = {}
        self._held: dict[Line, list[Callable[[], Awaitable[None]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._claiming = True
        self._left = asyncio.Event()
        self._ends = asyncio.Semaphore(ENDS_AT_ONCE)
        self._turns = turns or Turns()
        door.perform_with(NETWORK, self)

    async def __aenter__(self) -> SipWorker:
        await self._ari.__aenter__()
        self._renewed = time.monotonic()  # a start that took longer than a lease is no pause: nobody was ours yet
        listening = asyncio.create_task(self._listen())
        listening.add_done_callback(self._deafened)
        keeping = asyncio.create_task(self._keep_leases())
        keeping.add_done_callback(self._deafened)
        self._loops = [listening, keeping]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._hand_over()
        for loop in self._loops:
            loop.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FINISH_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._loops, *self._tasks, return_exceptions=True)
        for line in list(self._lines.values()):
            await line.release()
        await self._ari.__aexit__(None, None, None)

    async def _hand_over(self) -> None:
        """Take nobody new, and bring everybody whom we hold to another worker. Talks need nobody of ours."""
        self._claiming = False
        held = [each for each in self._lines.values() if each.in_stasis]
        for line in held:
            self._spawn(line.hand_over())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HAND_OVER_S):
                while any(each.in_stasis for each in held):
                    self._left.clear()
                    await self._left.wait()

    # ------------------------------------------------------------------ events in

    async def _listen(self) -> None:
        async for event in self._ari.events():
            try:
                self._hear(event)
            except Exception as error:  # noqa: BLE001
                # one event that we cannot read must not deafen the worker; its content may be a caller's number
                log.error("event_unreadable", type=event.type, error=type(error).__name__)

    def _deafened(self, listening: asyncio.Task[None]) -> None:
        """A worker that hears nothing must keep nobody: without leases the dialplan brings its callers to others."""
        if listening.cancelled():
            return
        error = listening.exception()
        log.error("listener_ended", error=type(error).__name__)
        self._claiming = False
        for loop in self._loops:
            loop.cancel()

    def _hear(self, event: AriEvent) -> None:
        if event.type == "Lost":
            self._drop_all()
        elif event.type == "Connected":
            self._spawn(self._look_after_all())
        elif event.type == "PlaybackFinished":
            self._playback_finished(event)
        elif (channel := event.channel) is None:
            pass
        elif event.type == "CallBroadcast":
            if (dropped := self._lines.get(channel.id)) is not None:
                dropped.lost = True  # we dialled for them, in vain: nobody's until one has claimed, maybe another
            if self._claiming:
                self._spawn(self._claim(channel))
        elif event.type == "StasisStart":
            self._own(channel, int(event.body["args"][1]))
        elif (line := self._lines.get(channel.id)) is not None:
            self._hear_of(line, channel, event)

    def _hear_of(self, line: Line, channel: Channel, event: AriEvent) -> None:
        match event.type:
            case "StasisEnd":
                line.gone_from_stasis()
                self._release(line)
            case "ChannelDtmfReceived":
                key = f"{channel.id}.{event.body['digit']}.{event.body.get('timestamp', event.at)}"
                line.key_pressed(str(event.body["digit"]), key)
            case "Dial":
                self._dialled(line, channel, str(event.body["dialstatus"]))
            case "ChannelUserevent":
                self._told(line, str(event.body["eventname"]), event.body["userevent"])
            case "ChannelDestroyed":
                self._ended(line, talked=False, ended=UNHEARD)

    def _playback_finished(self, event: AriEvent) -> None:
        playback = event.body["playback"]
        line = self._lines.get(str(playback["target_uri"]).removeprefix("channel:"))
        if line is not None:
            line.playback_finished(str(playback["id"]))

    def stop_claiming(self) -> None:
        """Take nobody new; whom we have, we keep."""
        self._claiming = False

    async def _claim(self, channel: Channel) -> None:
        try:
            await self._ari.claim(channel.id)
        except AriGone:
            return  # another worker was quicker
        except AriError as error:
            log.warning("claim_failed", error=type(error).__name__)

    def _own(self, channel: Channel, epoch: int) -> None:
        """The line stands before anything is awaited: the caller's hang-up may be the very next event."""
        facts = channel.variables
        before = self._lines.get(channel.id)
        # Asterisk names the call by its first life for ever; a later life that we know stays what it is
        call_ref = before.call_ref if before is not None else facts["CALL_REF"]
        line = Line(self._ari, channel, call_ref, epoch, self._audio, self)
        taken = None
        if before is not None:
            self._release(before)
            self._forget(before)
            taken = self._taking.get(before)
        self._lines[channel.id] = self._by_call[call_ref] = line
        self._held[line] = []
        # before anything is said of the channel, to hear of its end; Asterisk does what it is asked for in its order
        self._spawn(self._follow(line))
        self._taking[line] = task = self._spawn(self._turns.at_once(partial(self._take, line, facts, taken)))
        task.add_done_callback(lambda _: self._taking.pop(line, None))

    async def _take(self, line: Line, facts: Mapping[str, str], before: asyncio.Task[None] | None) -> None:
        """Give the door the first input of our ownership; whatever breaks, the caller goes to a person."""
        try:
            if before is not None:
                await asyncio.wait({before})  # else a call that is just beginning would be unknown, and begin twice
            if (given := await self._first_input(line, facts)) is None:
                await self._leave(line)
                return
            self._release_held(line)  # what waits comes right after the first input, and may overtake its look-ups
            await self._give(line, given, first=True)
        except Exception as error:  # noqa: BLE001
            await self._fail(line, error)
        finally:
            self._release_held(line)

    async def _follow(self, line: Line) -> None:
        if not await self._channels.follow(line):
            self._ended(line, talked=False, ended=UNHEARD)

    async def _leave(self, line: Line) -> None:
        """End a line that nobody is on, and tell the door nothing of it."""
        line.over = True
        self._held.pop(line, None)
        await line.end()
        self._forget(line)

    async def _first_input(self, line: Line, facts: Mapping[str, str]) -> Input | None:
        before = line.call_ref
        given = await self._firsts.first_input(line, facts)
        if line.call_ref != before:
            if self._by_call.get(before) is line:
                del self._by_call[before]
            self._by_call[line.call_ref] = line
        return given

    def _dialled(self, line: Line, channel: Channel, status: str) -> None:
        kinds = {"RINGING": InputKind.LEG_RINGING, "ANSWER": InputKind.LEG_ANSWERED}
        if (kind := kinds.get(status)) is not None:
            dial = f"dial{channel.told.get('DIALNO', '')}.{status.lower()}"
            self._after_first(line, partial(self._tell_of_leg, line, kind, dial))

    async def _tell_of_leg(self, line: Line, kind: InputKind, dial: str) -> None:
        await self._send(line, kind, f"{line.call_ref}.{dial}", "", "")

    def _told(self, line: Line, name: str, facts: Mapping[str, str]) -> None:
        """The dialplan's hangup handler: the call is over, and who ended it."""
        if name in ("talk_ended", "call_ended"):
            by, cause = facts["by"], facts.get("cause", "")
            # of a call that ends with its talk, the door tells both itself, in one commit; but a talk that Asterisk
            # ended at its longest was whole, and must not look like a caller whom we dropped
            self._ended(line, talked=name == "talk_ended" and by == "us", ended=f"{by} {cause}".strip())

    def _ended(self, line: Line, *, talked: bool, ended: str) -> None:
        """Tell the end once, whoever told us of it; the line is forgotten when the door has heard it."""
        if not line.over:
            line.over = True
            self._release(line)
            self._after_first(line, partial(self._tell_end, line, talked, ended))

    async def _tell_end(self, line: Line, talked: bool, ended: str) -> None:
        """``talked``: a talk was whole before the call ended."""
        try:
            async with self._ends:
                if talked:
                    await self._send(line, InputKind.TALK_ENDED, f"{line.call_ref}.talk_ended", "", ended)
                await self._send(line, InputKind.HUNG_UP, f"{line.call_ref}.ended", "", ended)
        finally:
            self._forget(line)

    # ------------------------------------------------------------------ to the door, and back

    def _after_first(self, line: Line, work: Callable[[], Awaitable[None]]) -> None:
        """Do it now, or right after the line's first input, in the order in which it was heard."""
        if (held := self._held.get(line)) is not None:
            held.append(work)
        else:
            self._spawn(work())

    def _release_held(self, line: Line) -> None:
        for work in self._held.pop(line, ()):
            self._spawn(work())

    async def _send(self, line: Line, kind: InputKind, key: str, wait_id: str, value: str) -> None:
        await self._give(line, Input(key, kind, self._clock.now(), wait_id, value, line.epoch))

    async def _give(self, line: Line, given: Input, *, first: bool = False) -> None:
        try:
            reply = await self._door.handle(line.call_ref, given)
        except StaleEpoch:
            if first and await self._firsts.superseded(line):
                await self._leave(line)
            else:
                await line.release()
            return
        except Exception as error:  # noqa: BLE001
            if first or not isinstance(error, UnknownCall):  # one that never began, or was forgotten, moves no more
                await self._fail(line, error)
            return
        if first and await self._firsts.was_told(line, given, reply):
            await self._give(line, self._firsts.taken_over(line), first=True)
            return
        line.perform(reply)
        if first and not reply.instructions and not isinstance(reply.wait, LegWait | TalkWait):
            # a caller who has just come to us and for whom the door has nothing more to do must not hear silence
            await line.fall_back()

    async def _fail(self, line: Line, error: Exception) -> None:
        """Whatever broke in here, the caller goes to a person."""
        log.error("call_step_failed", call_ref=line.call_ref, error=type(error).__name__)
        await line.fall_back()
        try:
            await self._door.give_up(line.call_ref, "adapter_failed")
        except Exception as failed:  # noqa: BLE001 - the caller is with the dialplan; the watch writes it down
            log.error("hand_back_not_noted", call_ref=line.call_ref, error=type(failed).__name__)

    # ------------------------------------------------------------------ what the door and the lines ask of us

    def owns(self, call_ref: str) -> bool:
        """Whether this worker holds the call's line."""
        line = self._by_call.get(call_ref)
        return line is not None and not line.lost

    async def perform(self, reply: Reply) -> None:
        """A reply that none of our inputs asked for: an offer, a deadline, or another worker's move."""
        line = self._by_call.get(reply.call_ref)
        if line is not None:
            line.perform(reply)

    def tell(self, line: Line, kind: InputKind, key: str, wait_id: str, value: str) -> None:
        """Have an input given to the door and its reply performed; returns at once.

        Not awaited by the line: the reply replaces what the line is doing, which would be waiting for itself.
        """
        self._after_first(line, partial(self._turns.at_once, partial(self._send, line, kind, key, wait_id, value)))

    def broken(self, line: Line, error: Exception) -> None:
        """Something of ours broke on this line: have the caller brought to a person; returns at once."""
        self._spawn(self._fail(line, error))

    def still_ours(self, line: Line) -> bool:
        """Whether the line's lease can still be running: after a pause of ours it may long be another's."""
        if time.monotonic() - self._renewed > self._lease_s:
            self._drop_all()
        return line.in_stasis

    # ------------------------------------------------------------------ leases and losses

    async def _keep_leases(self) -> None:
        """Renew every quarter of a lease. After a pause of more than a lease we own nothing any more."""
        while True:
            await asyncio.sleep(self._lease_s / 4)
            if time.monotonic() - self._renewed > self._lease_s:
                self._drop_all()
            self._renewed = time.monotonic()
            await renew_all([each for each in self._lines.values() if each.in_stasis], self._lease_s)

    def _drop_all(self) -> None:
        """We own nobody any more. The lines stay known, since their ends are still ours to tell."""
        for line in self._lines.values():
            if line.in_stasis:
                line.lost = True
                self._release(line)

    async def _look_after_all(self) -> None:
        """After a gap: whose caller has gone meanwhile, and whom do we go on hearing of?"""
        ended = CUT_OFF if await self._channels.restarted() else UNHEARD
        for line in [each for each in self._lines.values() if not each.in_stasis]:
            # the subscription first: an end between the two is then told by an event, too
            if not (await self._channels.follow(line) and await self._channels.exists(line)):
                self._ended(line, talked=False, ended=ended)

    def _release(self, line: Line) -> None:
        line.in_stasis = False  # at once: not even the next event may find it ours
        self._left.set()
        self._spawn(line.release())

    def _forget(self, line: Line) -> None:
        if self._lines.get(line.channel_id) is line:
            del self._lines[line.channel_id]
        if self._by_call.get(line.call_ref) is line:
            del self._by_call[line.call_ref]

    def _spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # a defect in one call; its lease brings the caller to somebody
            log.error("call_step_failed", error=type(error).__name__)
