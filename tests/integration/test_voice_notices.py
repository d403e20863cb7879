"""Staff are called through a real Asterisk, hear the notice, and press a key; SIPp is their telephone."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest_asterisk import Line, line_of_a_test, session_line, until

from adapters.asterisk.ari import Ari
from adapters.notify.voice import PERSON_BUSY, Outcomes, Sounds
from adapters.notify.voice_asterisk import AsteriskVoice, Times
from alerts.life.store import AlertStore
from alerts.model import Notice, Recipient
from alerts.notices.sent import SentNotices
from alerts.ports import NoticeFailed
from infra.crypto import KeyRing
from infra.sql import connect_database
from infra.voices import has_voice
from tests.alert_notices import FIRED
from tests.hand_clock import HandClock
from tests.sip.sipp import SipMessage
from tests.wire import Wire

__all__ = ["line_of_a_test", "session_line"]

ANN = "+447700900123"
KEYS = KeyRing(b"m" * 32, b"i" * 32)
SOON_S = 20.0


class Alerts:
    """What the alerts heard: who took what on, and which notices arrived."""

    def __init__(self) -> None:
        self.taken_on: list[tuple[str, str, str]] = []
        self.receipts: list[tuple[str, bool]] = []

    async def acknowledge(self, alert: str, by: str, how: str) -> bool:
        self.taken_on.append((alert, by, how))
        return True

    async def receipt(self, notice: str, channel: str, address: str, *, delivered: bool) -> None:
        self.receipts.append((address, delivered))


class Desk:
    """The notifier of one process on the session's Asterisk, dialling through one of its providers."""

    def __init__(self, line: Line, folder: Path, provider: str = "north", ari_url: str = "") -> None:
        self.asterisk = line.asterisk
        self.phone = line.providers[provider]
        self.ear = line.ears[provider]
        self.alerts = Alerts()
        outcomes = Outcomes()
        outcomes.alerts = self.alerts
        settings = line.asterisk.settings
        app = f"notice-{secrets.token_hex(4)}"
        self._ari = Ari(ari_url or line.asterisk.ari_url, app, settings.ari_user, settings.ari_password)
        self._database = connect_database(f"sqlite:///{folder}/alerts.db")
        sent = SentNotices(AlertStore(self._database), KEYS, HandClock())
        self.voice = AsteriskVoice(
            self._ari, Sounds(folder / "sounds"), sent, outcomes, trunk=f"provider-{provider}", caller="+442079460999",
            times=Times(ring=2, key=1.0),
        )  # fmt: skip
        self._loop: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Desk:
        self._loop = asyncio.create_task(self.voice.run())
        await self._ari.wait_connected()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.die()
        await self._database.close()

    async def die(self) -> None:
        assert self._loop is not None
        self._loop.cancel()
        await asyncio.gather(self._loop, return_exceptions=True)

    async def rings(self, notice: Notice) -> SipMessage:
        """Send it, and return when it rings at the person's telephone; keys go to this call from then on."""
        before = len(self.phone.received("INVITE"))
        await self.voice.send(notice)
        return await asyncio.to_thread(self.phone.wait_called, SOON_S, before + 1)

    async def is_spoken_to(self, packets: int = 25) -> None:
        """Half a second of sound."""
        assert await asyncio.to_thread(self.ear.wait_heard, packets, SOON_S)

    async def over(self, *receipts: tuple[str, bool], within: float = SOON_S) -> None:
        await until(lambda: len(self.alerts.receipts) >= len(receipts), within)
        assert self.alerts.receipts == list(receipts)
        await until(lambda: "0 active channels" in self.asterisk.cli("core show channels count"), SOON_S)


def to(number: str, **changed: Any) -> Notice:
    return replace(FIRED, recipient=Recipient("Duty manager", "voice", number), **changed)


@pytest.fixture(autouse=True)
def voice() -> None:
    if not has_voice("en"):
        pytest.skip("no voice: as root, apt-get install flite")


async def test_who_answers_and_presses_1_has_taken_the_alert_on(line: Line, tmp_path: Path) -> None:
    async with Desk(line, tmp_path) as desk:
        invite = await desk.rings(to(ANN))
        await desk.is_spoken_to()
        with pytest.raises(NoticeFailed, match=PERSON_BUSY):
            await desk.voice.send(to(ANN, id="another"))
        desk.ear.press("1")
        await until(lambda: bool(desk.alerts.taken_on), SOON_S)
        desk.phone.hang_up()  # while they are thanked
        await desk.over((ANN, True))
    assert desk.alerts.taken_on == [("longest-wait", "Duty manager", "voice")]
    assert invite.start.startswith(f"INVITE sip:{ANN}@")
    assert invite.header("User-to-User") is None
    assert "<sip:+442079460999@" in str(invite.header("From"))
    assert desk.asterisk.cli("database show ended").startswith("0 results")  # nothing for the watch to journal


async def test_a_busy_line_is_told_so_that_the_next_channel_is_tried(line: Line, tmp_path: Path) -> None:
    async with Desk(line, tmp_path, "busy") as desk:
        await desk.rings(to(ANN))
        await desk.over((ANN, False))
        assert desk.alerts.taken_on == []


@pytest.mark.slow
async def test_who_does_not_answer_was_not_reached(line: Line, tmp_path: Path) -> None:
    async with Desk(line, tmp_path, "silent") as desk:
        await desk.rings(to(ANN))
        await desk.over((ANN, False))


@pytest.mark.slow
async def test_2_says_it_again_and_without_a_key_nobody_has_taken_it_on(line: Line, tmp_path: Path) -> None:
    async with Desk(line, tmp_path) as desk:
        await desk.rings(to(ANN))
        await desk.is_spoken_to()
        desk.ear.press("2")
        await desk.is_spoken_to(100)
        assert desk.alerts.receipts == []
        await desk.over((ANN, False), within=90)  # what a voicemail does: it hears both rounds, and our word of regret
        assert desk.alerts.taken_on == []


@pytest.mark.slow
async def test_who_hangs_up_has_not_taken_it_on_and_can_be_called_again(line: Line, tmp_path: Path) -> None:
    async with Desk(line, tmp_path) as desk:
        await desk.rings(to(ANN))
        await desk.is_spoken_to()
        desk.phone.hang_up()
        await desk.over((ANN, False))
        await desk.rings(to(ANN))
        await desk.is_spoken_to()
        desk.phone.hang_up()
        await desk.over((ANN, False), (ANN, False))


@pytest.mark.slow
async def test_of_several_processes_one_calls_a_person_and_three_calls_are_all(line: Line, tmp_path: Path) -> None:
    async with Desk(line, tmp_path / "one") as one, Desk(line, tmp_path / "two") as two:
        await one.rings(to("+447700900200"))
        await two.rings(to("+447700900201"))
        with pytest.raises(NoticeFailed, match=PERSON_BUSY):
            await one.voice.send(to("+447700900201"))
        await one.rings(to("+447700900202"))
        with pytest.raises(NoticeFailed, match="voice_lines_full"):
            await two.voice.send(to("+447700900203"))


@pytest.mark.slow
async def test_a_process_that_stops_leaves_nobody_in_silence(line: Line, tmp_path: Path) -> None:
    desk = Desk(line, tmp_path)
    async with desk:
        await desk.rings(to(ANN))
        await desk.is_spoken_to()
        await desk.die()
        assert desk.alerts.receipts == [(ANN, False)]
    settings = line.asterisk.settings
    async with Ari(line.asterisk.ari_url, "notice-other", settings.ari_user, settings.ari_password) as ari:
        await ari.wait_connected()
        assert await ari.channel_ids() == []


@pytest.mark.slow
async def test_a_connection_that_breaks_goes_another_way_at_once_and_leaves_nobody_in_silence_when_it_is_back(
    line: Line, tmp_path: Path
) -> None:
    port = line.asterisk.ports.ari
    with Wire(port) as wire:
        through = line.asterisk.ari_url.replace(f":{port}/", f":{wire.port}/")
        async with Desk(line, tmp_path, ari_url=through) as desk:
            await desk.rings(to(ANN))
            await desk.is_spoken_to()
            await asyncio.to_thread(wire.cut)
            await until(lambda: desk.alerts.receipts == [(ANN, False)], SOON_S)
            assert "1 active channel" in desk.asterisk.cli("core show channels count")
            with pytest.raises(NoticeFailed, match="voice_unreachable"):
                await desk.voice.send(to(ANN))
            await asyncio.to_thread(wire.mend)
            await desk.over((ANN, False))
