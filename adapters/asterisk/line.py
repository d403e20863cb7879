"""One caller's line: performs the instructions of a reply, one after another, on an Asterisk channel.

A line knows no menu and no priority. It plays, takes keys, waits for silence, holds, and says to the dialplan
what only the dialplan may do (dial, end, fall back). Whatever it learns goes to the door as an input; the
reply that comes back replaces what it was doing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from math import ceil
from typing import Protocol

import structlog

from adapters.asterisk.ari import Ari, AriError, AriGone
from adapters.asterisk.channel import Channel
from callrouter.model import Reply
from ivr import model as ivr
from ivr.model import InputKind
from ivr.voices import stand_ins

log = structlog.get_logger()


class Holder(Protocol):
    """The worker, as its lines see it."""

    def tell(self, line: Line, kind: InputKind, key: str, wait_id: str, value: str) -> None:
        """Have an input given to the door and its reply performed; returns at once."""

    def broken(self, line: Line, error: Exception) -> None:
        """Something of ours broke on this line: have the caller brought to a person; returns at once."""

    def still_ours(self, line: Line) -> bool:
        """Whether the line's lease can still be running."""


LONGEST_PLAYBACK_S = 90.0  # longer than any prompt; a playback whose end is never told must not hold a caller


class Line:
    """A caller's channel while this worker owns it.

    ``fence`` is the dialplan's count of owners, ``epoch`` the store's: the same, but for a call that came twice.
    ``in_stasis``: we may command it, and its lease is ours to renew. ``lost``: it is another worker's, or nobody knows
    whose: we dropped it after a gap, or it went without an order of ours. ``over``: its end was told.
    """

    def __init__(
        self, ari: Ari, channel: Channel, call_ref: str, fence: int, audio: Mapping[str, str], holder: Holder
    ) -> None:
        self.channel_id = channel.id
        self.call_ref = call_ref
        self.fence = self.epoch = fence
        self.in_stasis = True
        self.lost = False
        self.over = False
        self.answered = channel.state == "Up"
        self._ari = ari
        self._holder = holder
        self._audio = audio
        self._doing: asyncio.Task[None] | None = None
        self._playing: str | None = None
        self._finished: dict[str, asyncio.Event] = {}
        self._may_cut = False
        self._message: str | None = None
        self._keys: list[tuple[str, str]] = []
        self._pressed = asyncio.Event()
        self._music = False
        self._leaving = False
        self._sent = False  # by our order to the dialplan, which dials or ends it for us
        self._performed: tuple[int, str] = (0, "")  # step and wait of the newest reply

    def perform(self, reply: Reply) -> None:
        """Do what the reply says, instead of what was being done. An empty reply changes nothing.

        Nor does one that a newer has overtaken, or one for the wait that is being performed already. Nothing is
        done for a channel that is no longer ours: its next owner is told by ``taken_over``.
        """
        step, wait_id = self._performed
        if not reply.instructions or not self.in_stasis or self._leaving:
            return
        if reply.step <= step or reply.wait_id == wait_id:
            return
        self._performed = (reply.step, reply.wait_id)
        if self._doing is not None:
            self._doing.cancel()
        self._doing = asyncio.create_task(self._guarded(reply), name=f"line {self.call_ref}")

    def gone_from_stasis(self) -> None:
        """Asterisk says that the line has left: unless by our order, another worker has it by now."""
        self.lost = self.lost or not self._sent

    async def release(self) -> None:
        """Stop doing anything: the call is another's, or over."""
        self.in_stasis = False
        if self._doing is not None and self._doing is not asyncio.current_task():
            self._doing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._doing
        if self._playing is not None:  # late, on a channel that is another's by now: it would talk over them
            await self._stop(self._playing)
            self._playing = None

    async def hand_over(self) -> None:
        """Bring the caller to another worker; ours until Asterisk says that they have left."""
        self._leaving = True
        if self._doing is not None:
            self._doing.cancel()
        try:
            await self._quiet()
            await self._say("claim")
        except AriError:
            self.in_stasis = False  # the lease is not renewed any more, and brings the caller on

    async def end(self) -> None:
        """The line is one that the caller has left for another."""
        await self._order("end")

    async def fall_back(self) -> None:
        """We cannot go on with this call: the dialplan rings the default 111 service without us."""
        await self._order("fallback")

    async def _order(self, order: str) -> None:
        await self.release()
        with contextlib.suppress(AriError):  # then the lease does it
            await self._quiet()
            await self._say(order)

    def playback_finished(self, playback_id: str) -> None:
        """Asterisk says that a playback of this line ended."""
        if (finished := self._finished.get(playback_id)) is not None:
            finished.set()

    def key_pressed(self, digit: str, key: str) -> None:
        """A key. During a prompt that may not be cut it is kept for the gather that the prompt leads to."""
        if not self.in_stasis:
            return  # typed in a talk, or to another owner
        self._keys.append((digit, key))
        self._pressed.set()
        if self._message is not None:  # others than 0 wait their turn
            self._holder.tell(self, InputKind.DIGIT, f"{key}.message", self._message, digit)
        if self._may_cut and self._playing is not None:
            asyncio.create_task(self._stop(self._playing), name="barge-in")  # noqa: RUF006 - ends by itself

    async def _guarded(self, reply: Reply) -> None:
        try:
            await self._perform(reply)
        except AriGone:
            pass  # the caller hung up, or another worker has the call: its events tell which
        except AriError as error:
            # no lease is renewed any more: it runs out, and the dialplan brings the caller to somebody
            self.in_stasis = False
            log.warning("instruction_failed", call_ref=self.call_ref, error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - a defect of ours: the caller goes to a person, not to silence
            self._holder.broken(self, error)

    async def _perform(self, reply: Reply) -> None:
        await self._quiet()
        self._message = reply.wait_id if _leaves_by_key(reply.wait) else None
        number = 0
        for instruction in merged(reply.instructions):
            if not self._holder.still_ours(self):
                return
            match instruction:
                case ivr.Answer() if not self.answered:
                    await self._ari.answer(self.channel_id)
                    self.answered = True
                case ivr.Play(prompts=prompts, barge_in=barge_in):
                    number += 1
                    if not (barge_in and self._keys and _gathers(reply)):
                        await self._play(f"{reply.object_id('play')}{number}", prompts, barge_in)
                case ivr.Gather() as gather:
                    await self._gather(reply, gather)
                case ivr.Hold(prompts=prompts):
                    number += 1
                    await self._play(f"{reply.object_id('hold')}{number}", prompts, barge_in=False)
                    self._music = True
                    await self._ari.start_moh(self.channel_id)
                case ivr.Unhold() | ivr.StopPlaying():
                    await self._quiet()
                case ivr.Connect(target=target, ring_s=ring_s, may_leave=may_leave):
                    marks = ("k" if may_leave else "") + ("r" if await self._records(reply) else "")
                    await self._say(f"to{ceil(ring_s)}{marks}-{reply.context}-{target}")
                case ivr.HandBack():
                    await self._say("fallback")
                case ivr.End():
                    await self._say("end")
                case _:
                    # answer again; record, which is part of the order to dial; disconnect_leg: the dialplan ends a leg
                    pass
        if isinstance(reply.wait, ivr.PlaybackWait):
            self._message = None
            key = f"{reply.object_id('playback')}.finished"
            self._holder.tell(self, InputKind.PLAYBACK_FINISHED, key, reply.wait_id, "")

    async def _play(self, playback_id: str, prompts: tuple[str, ...], barge_in: bool) -> None:
        media = [sound for key in prompts if (sound := self._sound(key)) is not None]
        if not media:
            return
        finished = self._finished[playback_id] = asyncio.Event()
        self._playing, self._may_cut = playback_id, barge_in
        try:
            await self._ari.play(self.channel_id, playback_id, media)
            if barge_in and self._keys:  # pressed while the request was under way
                await self._stop(playback_id)
            async with asyncio.timeout(LONGEST_PLAYBACK_S * len(media)):
                await finished.wait()
        except TimeoutError:
            await self._stop(playback_id)
        finally:
            self._finished.pop(playback_id, None)
            self._may_cut = False
        # not reached when cancelled: what still plays then is stopped by the performance that comes next
        self._playing = None

    def _sound(self, key: str) -> str | None:
        return next((self._audio[each] for each in stand_ins(key) if each in self._audio), None)

    async def _gather(self, reply: Reply, gather: ivr.Gather) -> None:
        await self._await_keys(1, gather.timeout_s)
        while not is_whole(self._keys, gather) and await self._await_keys(len(self._keys) + 1, gather.between_s):
            pass
        typed, key = typed_keys(self._keys, gather)
        self._keys.clear()  # one answer for one question; what was typed beyond it was meant for this one
        if key:
            kind = InputKind.DIGIT if typed else InputKind.SILENCE
            self._holder.tell(self, kind, key, reply.wait_id, typed)
        else:
            key = reply.object_id("silence")
            self._holder.tell(self, InputKind.SILENCE, key, reply.wait_id, "")

    async def _await_keys(self, count: int, seconds: float) -> bool:
        """Whether so many keys have been pressed, waiting so long for the next one."""
        self._pressed.clear()
        if len(self._keys) < count:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._pressed.wait()
        return len(self._keys) >= count

    async def _quiet(self) -> None:
        if self._playing is not None:
            await self._stop(self._playing)
            self._playing = None
        if self._music:
            self._music = False
            with contextlib.suppress(AriError):  # it may not have begun
                await self._ari.stop_moh(self.channel_id)

    async def _stop(self, playback_id: str) -> None:
        with contextlib.suppress(AriError):  # it had ended: what we wanted
            await self._ari.stop_playback(playback_id)

    async def _say(self, order: str) -> None:
        """What cannot be taken back is the dialplan's to do, after it has compared the epoch itself."""
        self._sent = order != "claim"
        await self._ari.continue_in_dialplan(self.channel_id, "fenced", f"e{self.fence}-{order}")

    async def _records(self, reply: Reply) -> bool:
        """Whether the talk is to be recorded, and the dialplan can: to an older one such an order is nonsense."""
        if not any(isinstance(each, ivr.Record) for each in reply.instructions):
            return False
        # of the dialplan as it is loaded now: a global of this release would outlive the reload of an older one
        asked = {"variable": "DIALPLAN_EXISTS(recorded)"}
        if (await self._ari.request("GET", f"/channels/{self.channel_id}/variable", **asked))["value"] == "1":
            return True
        log.error("talk_not_recorded", call_ref=self.call_ref, why="the dialplan is older than this release")
        return False

    async def renew_lease(self, seconds: float) -> None:
        """Keep the caller for so long; raises as :meth:`Ari.renew_lease`. The dialplan's epoch, as in `_say`."""
        await self._ari.renew_lease(self.channel_id, self.fence, seconds)


def merged(instructions: Iterable[ivr.Instruction]) -> Iterator[ivr.Instruction]:
    """The same instructions, with neighbouring prompts as one request to Asterisk: each costs it CPU.

    Only those that a key stops alike: a key that stops one stops every later one that may be stopped, too.
    """
    waiting: ivr.Play | None = None
    for each in instructions:
        if isinstance(each, ivr.Play) and waiting is not None and each.barge_in == waiting.barge_in:
            waiting = ivr.Play(waiting.prompts + each.prompts, each.barge_in)
            continue
        if waiting is not None:
            yield waiting
        waiting = each if isinstance(each, ivr.Play) else None
        if waiting is None:
            yield each
    if waiting is not None:
        yield waiting


def is_whole(keys: list[tuple[str, str]], gather: ivr.Gather) -> bool:
    """Whether nothing more is waited for: all digits are there, the last key was pressed, or silence was."""
    return not keys or len(keys) >= gather.digits or any(digit == gather.finish_on for digit, _ in keys)


def typed_keys(keys: list[tuple[str, str]], gather: ivr.Gather) -> tuple[str, str]:
    """What was typed, without the key that ends it, and the name of its last key press; both empty for silence."""
    taken: list[tuple[str, str]] = []
    for digit, key in keys[: gather.digits + bool(gather.finish_on)]:
        if digit == gather.finish_on or len(taken) == gather.digits:
            return "".join(each for each, _ in taken), taken[-1][1] if taken else key
        taken.append((digit, key))
    return "".join(each for each, _ in taken), taken[-1][1] if taken else ""


def _leaves_by_key(wait: ivr.Wait) -> bool:
    """Whether a key is told at once, since the flow may know one (0) that leaves the message or the hold."""
    return isinstance(wait, ivr.PlaybackWait) or (isinstance(wait, ivr.OfferWait) and wait.may_leave)


def _gathers(reply: Reply) -> bool:
    return any(isinstance(each, ivr.Gather) for each in reply.instructions)
