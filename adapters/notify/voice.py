"""A telephone call to staff that says a notice and asks for a key: what is said, and what comes of a key or of none."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from alerts.model import TOLD_METRICS, Notice
from alerts.notices.short import spoken
from alerts.ports import NoticeFailed, Notifier
from infra.voices import ENGLISH, speak

ASK = "To say that you are dealing with this, press 1. To hear it again, press 2."
ASK_IF_HEARD = "To say that you have heard this, press 1. To hear it again, press 2."
"""Of a single thing (a welfare task, a message of the night): it is taken on at its own page, never by telephone."""

THANKS = "Thank you. You are dealing with this alert. Goodbye."
HEARD = "Thank you. It is recorded that you have heard this, and not that you are dealing with it. Goodbye."
SORRY = "Nothing was recorded, and another way or another person will be tried. Goodbye."

UNKNOWN = (
    "This is an alert of 111 call control. Please look at your texts and mails, or at the page of alerts. Goodbye."
)
"""Of a notice that only the process knows which had it dialled: whoever was woken must not hear silence."""

TAKE_ON = "1"
"""Any other key has it said again: whoever is woken may miss the 2."""

RING_S = 30
"""Long enough to get out of bed. A voicemail that answers meanwhile presses no key."""

KEY_S = 6.0
"""How long the end of what was said is followed by silence in which a key still counts."""

MOST_ROUNDS = 3
"""How often it is said again to somebody who asks for it, each time twice."""

LONGEST_S = 180
"""From dialling to the end, whatever happens: after this the network itself ends the call."""

MOST_AT_ONCE = 3
"""Calls of this kind: an alarm must not take the lines that callers need."""

KEPT_S = 86_400
"""How long the sound of a notice is kept: it is said again while its alert is news."""

PERSON_BUSY = "voice_person_busy"
"""They are on the telephone about another notice: a second call would find them engaged."""

log = structlog.get_logger()


class Alerts(Protocol):
    """Who hears what a call has come to; see :class:`alerts.life.service.AlertService`."""

    async def acknowledge(self, alert: str, by: str, how: str) -> bool:
        """Somebody takes the alert on. False if it does not fire any more."""

    async def receipt(self, notice: str, channel: str, address: str, *, delivered: bool) -> None:
        """See :class:`alerts.ports.Receipts`."""


def question(notice: Notice) -> str:
    """What is asked after the notice."""
    return ASK_IF_HEARD if notice.metric in TOLD_METRICS else ASK


@dataclass(frozen=True, slots=True)
class Pressed:
    """What key 1 came to: what is said then, whether the notice was delivered, and a stable word."""

    words: str
    delivered: bool
    why: str


TAKEN_ON = Pressed(THANKS, delivered=True, why="taken_on")
ONLY_HEARD = Pressed(HEARD, delivered=True, why="heard")
NOT_RECORDED = Pressed(SORRY, delivered=False, why="not_recorded")


class Outcomes:
    """What calls come to. ``alerts`` is set once the alerts are there, which know of the channels first."""

    def __init__(self) -> None:
        self.alerts: Alerts | None = None

    async def pressed(self, notice: Notice) -> Pressed:
        """Key 1: the alert is taken on, or was heard if it has none to take on (any more); or neither is recorded."""
        if self.alerts is None:
            return NOT_RECORDED
        try:
            taken = await self.alerts.acknowledge(notice.alert, notice.recipient.name, "voice")
        except Exception as error:  # noqa: BLE001 - the person on the line must hear that it was not recorded
            log.error("acknowledgement_lost", notice=notice.id, error=type(error).__name__)
            return NOT_RECORDED
        return TAKEN_ON if taken else ONLY_HEARD

    async def over(self, notice: Notice, *, delivered: bool, why: str) -> None:
        """The call has ended; ``why`` is a stable word."""
        log.info("notice_call_over", notice=notice.id, delivered=delivered, why=why)
        to = notice.recipient
        if self.alerts is not None:
            await self.alerts.receipt(notice.id, to.channel, to.address, delivered=delivered)


class FirstThatDials:
    """:class:`alerts.ports.Notifier` over several ways to call: the first that takes it."""

    def __init__(self, ways: Sequence[Notifier]) -> None:
        self._ways = tuple(ways)

    async def send(self, notice: Notice) -> None:
        """See :meth:`alerts.ports.Notifier.send`. Whoever is on the telephone by one way is not rung by another."""
        failed = NoticeFailed("voice_missing", final=True)
        for way in self._ways:
            try:
                return await way.send(notice)
            except NoticeFailed as error:
                failed = error
                if error.error_id == PERSON_BUSY:
                    break
        raise failed


class Sounds:
    """What is said, as files that Asterisk reads: ``folder`` is on a disk that both see. Names tell nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def of(self, notice: Notice) -> str:
        """The notice, for ARI to play. Raises :class:`NoticeFailed`, final: no other try has a voice."""
        return await self.words(spoken(notice))

    async def words(self, text: str) -> str:
        """As :meth:`of`; what was said before is there already."""
        try:
            return f"sound:{await asyncio.to_thread(self._kept, text)}"
        except OSError as error:
            raise NoticeFailed("voice_folder_unwritable", final=True) from error

    def _kept(self, text: str) -> Path:
        place = self._folder.resolve() / hashlib.sha256(text.encode()).hexdigest()[:32]
        file = place.with_suffix(".wav16")
        if file.exists():
            file.touch()
            return place
        sound = speak(text, ENGLISH)
        if sound is None:
            raise NoticeFailed("voice_missing", final=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in self._folder.glob("*.wav16"):
            if time.time() - old.stat().st_mtime > KEPT_S:
                old.unlink(missing_ok=True)
        part = place.with_suffix(".part")
        part.write_bytes(sound)
        part.chmod(0o644)  # Asterisk is another user; the words name nobody
        part.replace(file)
        return place
