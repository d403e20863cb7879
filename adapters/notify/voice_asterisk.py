"""Calls to staff through our own Asterisk, over a websocket and an application of their own.

The application's name does not begin with ``callrouter-``: no caller is ever broadcast to it. The channels bear no name
of a call and no stage, so that neither worker nor watch takes them for callers, and nothing of them is journalled.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from adapters.asterisk.ari import Ari, AriError, AriEvent, AriGone, AriLost, AriRefused, AriTimeout
from adapters.notify.voice import (
    KEY_S,
    LONGEST_S,
    MOST_AT_ONCE,
    MOST_ROUNDS,
    PERSON_BUSY,
    RING_S,
    SORRY,
    TAKE_ON,
    Outcomes,
    Sounds,
    question,
)
from alerts.model import Notice
from alerts.notices.sent import SentNotices
from alerts.ports import NoticeFailed

PREFIX = "notice-"
"""What a channel of ours is called, before a keyed hash of the person's number: Asterisk itself refuses the second."""

MARGIN_S = 5.0
USER_BUSY = 17
"""ITU-T Q.850."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds; see :mod:`adapters.notify.voice` for what each is for."""

    ring: int = RING_S
    key: float = KEY_S


@dataclass(slots=True)
class _Call:
    """One call. ``heard``: ``answered``, a key, ``played <id>``, ``ended <cause>``, in the order of Asterisk."""

    notice: Notice
    channel: str
    heard: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    plays: int = 0
    over: bool = False

    @property
    def playback(self) -> str:
        """The id of what is being played."""
        return f"{self.channel}.{self.plays}"

    async def next(self, within: float) -> str:
        """What happens next; empty if nothing does. The end of something that was stopped before is no news."""
        try:
            async with asyncio.timeout(within):
                while True:
                    heard = await self.heard.get()
                    self.over = self.over or heard.startswith("ended")
                    if not heard.startswith("played") or heard == f"played {self.playback}":
                        return heard
        except TimeoutError:
            return ""


class AsteriskVoice:
    """:class:`alerts.ports.Notifier` for the channel ``voice``. It has taken a notice when Asterisk dials.

    What comes of the call is told to ``outcomes``. ``trunk`` is the PJSIP endpoint that staff are dialled through,
    ``caller`` the number that they see. At most :data:`MOST_AT_ONCE` calls at once, one to each person.
    """

    def __init__(
        self,
        ari: Ari,
        sounds: Sounds,
        sent: SentNotices,
        outcomes: Outcomes,
        *,
        trunk: str,
        caller: str = "",
        times: Times = Times(),
    ) -> None:
        self._ari = ari
        self._sounds = sounds
        self._sent = sent
        self._outcomes = outcomes
        self._trunk = trunk
        self._caller = caller
        self._times = times
        self._calls: dict[str, _Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, notice: Notice) -> None:
        """Dial. Raises :class:`NoticeFailed`: the lines are full, the person is being told of something else, …"""
        call = _Call(notice, PREFIX + self._sent.person(notice))
        if call.channel in self._calls:
            raise NoticeFailed(PERSON_BUSY)
        self._calls[call.channel] = call  # before anything is awaited
        try:
            said = [await self._sounds.of(notice), await self._sounds.words(question(notice))]
            await self._dial(call)
        except BaseException:
            del self._calls[call.channel]
            raise
        task = asyncio.create_task(self._to_its_end(call, said))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def run(self) -> None:
        """Hear what becomes of the calls, until cancelled."""
        async with self._ari as ari:
            try:
                async for event in ari.events():
                    try:
                        await self._hear(event)
                    except Exception as error:  # noqa: BLE001 - one event that cannot be read silences no other call
                        log.error("notice_call_event_failed", kind=event.type, error=type(error).__name__)
            finally:  # nobody is left to speak: these calls end here, and their notices go another way
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _dial(self, call: _Call) -> None:
        try:
            await self._require_a_line()
            await self._originate(call)
        except AriGone as error:
            raise NoticeFailed(PERSON_BUSY) from error  # another process rings them just now
        except AriLost as error:
            raise NoticeFailed("voice_unreachable") from error
        except AriRefused as error:
            raise NoticeFailed(f"voice_refused_{error.status}") from error
        except AriTimeout as error:
            raise NoticeFailed("voice_timed_out") from error

    async def _require_a_line(self) -> None:
        ours = [each for each in await self._ari.channel_ids() if each.startswith(PREFIX)]
        if len(ours) >= MOST_AT_ONCE:
            raise NoticeFailed("voice_lines_full")

    async def _originate(self, call: _Call) -> None:
        endpoint = f"PJSIP/{call.notice.recipient.address}@{self._trunk}"
        try:
            await self._ari.originate(
                call.channel, endpoint, caller=self._caller, ring_s=self._times.ring, longest_s=LONGEST_S
            )
        except AriTimeout:
            log.warning("notice_call_unsure", notice=call.notice.id)  # if it rings we hear of it, else it is over soon

    async def _hear(self, event: AriEvent) -> None:
        if event.type == "Lost":
            for call in self._calls.values():
                call.heard.put_nowait("ended lost")
        elif event.type == "Connected":
            for channel in set(await self._ari.held()) - self._calls.keys():
                await self._hang_up(channel)  # they were left in silence when the connection broke
        elif event.type == "PlaybackFinished":
            playback = str(event.body["playback"]["id"])
            if (played := self._calls.get(playback.partition(".")[0])) is not None:
                played.heard.put_nowait(f"played {playback}")
        elif event.channel is not None:
            if (known := self._calls.get(event.channel.id)) is not None:
                self._hear_of(known, event)
            elif event.type == "StasisStart":
                await self._hang_up(event.channel.id)  # dialled by somebody who has gone: nobody would speak

    def _hear_of(self, call: _Call, event: AriEvent) -> None:
        match event.type:
            case "StasisStart":
                call.heard.put_nowait("answered")
            case "ChannelDtmfReceived":
                call.heard.put_nowait(str(event.body["digit"]))
            case "StasisEnd" | "ChannelDestroyed":
                call.heard.put_nowait(f"ended {event.body.get('cause', '')}")

    async def _to_its_end(self, call: _Call, said: list[str]) -> None:
        delivered, why = False, "stopped"
        try:
            async with asyncio.timeout(LONGEST_S):
                delivered, why = await self._talk(call, said)
        except TimeoutError:
            why = "too_long"
        except (AriError, NoticeFailed) as error:
            why = type(error).__name__
        finally:
            if not call.over:
                await self._hang_up(call.channel)
            del self._calls[call.channel]
            await self._outcomes.over(call.notice, delivered=delivered, why=why)

    async def _talk(self, call: _Call, said: list[str]) -> tuple[bool, str]:
        """Whether the alert has been taken on, and why not."""
        first = await call.next(self._times.ring + MARGIN_S)
        if first != "answered":
            return False, "line_busy" if first == f"ended {USER_BUSY}" else "no_answer"
        for _ in range(MOST_ROUNDS):
            heard = await self._say(call, said * 2)
            if heard.startswith("played"):
                heard = await call.next(self._times.key)
            if heard == TAKE_ON:
                return await self._take_on(call)
            if call.over:
                return False, "hung_up"
            if not heard:
                break
        await self._say(call, [await self._sounds.words(SORRY)])
        return False, "no_key"

    async def _take_on(self, call: _Call) -> tuple[bool, str]:
        pressed = await self._outcomes.pressed(call.notice)
        with suppress(AriError, NoticeFailed):  # they need not wait to be thanked: what is recorded is recorded
            await self._say(call, [await self._sounds.words(pressed.words)])
        return pressed.delivered, pressed.why

    async def _say(self, call: _Call, media: list[str]) -> str:
        """Play it after stopping what plays; what happened first: its end, a key, or the end of the call."""
        if call.plays:
            with suppress(AriGone):  # it had ended
                await self._ari.stop_playback(call.playback)
        call.plays += 1
        if call.over:
            return ""
        await self._ari.play(call.channel, call.playback, media)
        return await call.next(LONGEST_S)

    async def _hang_up(self, channel: str) -> None:
        try:
            await self._ari.hang_up(channel)
        except AriError as error:
            if not isinstance(error, AriGone):
                log.warning("notice_call_left", error=type(error).__name__)  # its absolute time-out ends it
