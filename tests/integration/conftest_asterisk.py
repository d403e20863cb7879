"""A real Asterisk with five providers on the line, callers by SIPp, and the smallest worker that can own a call.

A test that names the fixture `line` imports `session_line` and `line_of_a_test` from here.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from adapters.asterisk.ari import Ari, AriEvent, AriGone
from adapters.asterisk.channel import Channel
from infra.asterisk.instance import (
    Asterisk,
    AsteriskSettings,
    AsteriskUnavailable,
    Provider,
    find_installation,
)
from tests.sip.alive import wait_alive
from tests.sip.rtp import RtpEnd
from tests.sip.sipp import SipMessage, SippCaller, SippProvider

LEASE = 2.0


@dataclass
class Line:
    """What a test holds: the Asterisk, the providers by id, and callers to come."""

    asterisk: Asterisk
    providers: dict[str, SippProvider]
    ears: dict[str, RtpEnd]
    folder: Path
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def call(self, **how: object) -> tuple[SippCaller, RtpEnd]:
        """A caller who has just dialled (arguments of SippCaller), and what the caller hears."""
        ear = self._open.enter_context(RtpEnd())
        caller = SippCaller(self.folder, self.asterisk.ports.sip, ear, **how)  # type: ignore[arg-type]
        return self._open.enter_context(caller), ear

    def worker(self, *, claims: bool = True) -> Worker:
        """A worker with a name of its own; `async with` connects it."""
        return Worker(self.asterisk, claims=claims)

    def ended(self, call_ref: str) -> dict[str, str]:
        """The row that the hangup handler wrote, empty when there is none."""
        for row in self.asterisk.cli("database show ended").splitlines():
            key, _, value = row.partition(":")
            if key.strip() == f"/ended/{call_ref}":
                return dict(each.split("=", 1) for each in value.strip().split(";"))
        return {}

    def invite(self, provider: str, context_id: str, within: float = 20.0) -> SipMessage:
        """The INVITE that carries this context; the provider talks from then on."""
        for count in range(1, 1000):
            invite = self.providers[provider].wait_called(within, count)
            if invite.header("User-to-User") == f"{context_id};encoding=hex":
                return invite
        raise AssertionError("unreachable")


class Worker:
    """Claims what is broadcast, renews leases, notes events. `hang` and `kill` are two ways to fail."""

    def __init__(self, asterisk: Asterisk, *, claims: bool) -> None:
        settings = asterisk.settings
        app = f"callrouter-{secrets.token_hex(4)}"
        self.ari = Ari(asterisk.ari_url, app, settings.ari_user, settings.ari_password, request_seconds=30.0)
        self.claims = claims
        self.refused = 0
        self.seen: list[AriEvent] = []
        self._owned: dict[str, int] = {}
        self._news = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self.ari.__aenter__()
        await self.ari.wait_connected()
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._renew())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    def hang(self) -> None:
        """Stop renewing and claiming; the socket stays open."""
        self.claims = False
        self._tasks.pop().cancel()

    async def kill(self) -> None:
        """Everything ends, the socket too; nothing is handed back."""
        for task in self._tasks:
            task.cancel()
        await self.ari.__aexit__(None, None, None)

    async def wait(self, what: Callable[[AriEvent], bool], within: float = 20.0) -> AriEvent:
        """The first event, past or to come, that is so."""
        async with asyncio.timeout(within), self._news:
            while True:
                for event in self.seen:
                    if what(event):
                        return event
                await self._news.wait()

    async def own(self, epoch: int = 1, within: float = 20.0) -> Channel:
        """The channel as it was when it became ours with that epoch."""
        event = await self.wait(lambda e: e.type == "StasisStart" and e.body["args"][1] == str(epoch), within)
        assert event.channel is not None
        return event.channel

    async def say(self, channel: Channel, extension: str) -> None:
        """A fenced order."""
        await self.ari.continue_in_dialplan(channel.id, "fenced", extension)

    async def _listen(self) -> None:
        claims: set[asyncio.Task[None]] = set()
        async for event in self.ari.events():
            if event.type == "CallBroadcast" and self.claims and event.channel is not None:
                claims.add(asyncio.create_task(self._claim(event.channel)))
            if event.type == "StasisStart" and event.channel is not None:
                self._owned[event.channel.id] = int(event.body["args"][1])
            if event.type == "StasisEnd" and event.channel is not None:
                self._owned.pop(event.channel.id, None)
            async with self._news:
                self.seen.append(event)
                self._news.notify_all()

    async def _claim(self, channel: Channel) -> None:
        try:
            await self.ari.claim(channel.id)
            await self.ari.subscribe(f"channel:{channel.id}")
        except AriGone:
            self.refused += 1

    async def _renew(self) -> None:
        while True:
            for channel_id, epoch in list(self._owned.items()):
                with contextlib.suppress(AriGone):
                    await self.ari.renew_lease(channel_id, epoch, LEASE)
            await asyncio.sleep(LEASE / 4)


def named(name: str) -> Callable[[AriEvent], bool]:
    """That user event of the dialplan."""
    return lambda event: event.type == "ChannelUserevent" and event.body["eventname"] == name


def dial_says(status: str) -> Callable[[AriEvent], bool]:
    """A dial that came so far: `RINGING`, `ANSWER`."""
    return lambda event: event.type == "Dial" and event.body["dialstatus"] == status


async def until(true: Callable[[], bool], within: float = 20.0) -> None:
    """For what another process writes, of which there is no event here."""
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@contextlib.contextmanager
def global_set(asterisk: Asterisk, name: str, value: str, *, usually: str) -> Iterator[None]:
    """One of the dialplan's [globals], for a while."""
    asterisk.cli(f"dialplan set global {name} {value}")
    try:
        yield
    finally:
        asterisk.cli(f"dialplan set global {name} {usually}")


def fresh_context() -> str:
    """A context id: 32 hex digits."""
    return uuid.uuid4().hex


@pytest.fixture(scope="session", name="session_line")
def session_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One Asterisk for the whole session: `default` and `north` answer, `busy` refuses, `silent` only rings."""
    if shutil.which("sipp") is None:
        pytest.skip("SIPp is not installed: apt-get install sip-tester")
    try:
        installation = find_installation()
    except AsteriskUnavailable as reason:
        pytest.skip(f"no Asterisk: {reason}")
    folder = tmp_path_factory.mktemp("line")
    with contextlib.ExitStack() as stack:
        kinds: dict[str, dict[str, float | int | None]] = {
            "default": {"answer_after": 0.3},
            "north": {"answer_after": 0.0},
            "short": {"answer_after": 0.0, "hang_up_after": 0.3},
            "busy": {"refuse_with": 486},
            "silent": {"answer_after": None},
        }
        ears = {name: stack.enter_context(RtpEnd()) for name in kinds}
        lines = {
            name: stack.enter_context(SippProvider(folder, ears[name], **how))  # type: ignore[arg-type]
            for name, how in kinds.items()
        }
        settings = AsteriskSettings(
            providers=[Provider(name, "127.0.0.1", line.port) for name, line in lines.items()],
            default_provider="default",
            emergency_provider="north",
            ring_seconds=2,
            lease=LEASE,
        )
        running = stack.enter_context(Asterisk(folder / "asterisk", settings, installation))
        wait_alive(running)
        yield Line(running, lines, ears, folder)


@pytest.fixture(name="line")
def line_of_a_test(session_line: Line) -> Iterator[Line]:
    """The session's line; what is still on it ends with the test."""
    with contextlib.ExitStack() as stack:
        yield Line(session_line.asterisk, session_line.providers, session_line.ears, session_line.folder, stack)
        session_line.asterisk.cli("channel request hangup all")
