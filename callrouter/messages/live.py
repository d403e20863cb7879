"""The messages that callers hear now, in this process' memory: no call ever waits for them.

A copy that cannot be refreshed stays as it is, and what is in it still ends when it ends: expiry and an open review's
two hours are times, not somebody's action.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Connection

from callrouter.messages import store
from callrouter.messages.model import Message, Places, prompt_key
from callrouter.messages.sound import seconds_of
from callrouter.ports import MOST_MESSAGES, MOST_MESSAGES_S, FrontEndMessage
from infra.areas import Areas
from infra.clock import Clock
from infra.numbers import Number
from infra.revisions import Follower
from infra.sql import Database

STILL_SPOKEN = timedelta(days=1)
"""A caller who is in the middle of a message that is stopped hears it to its end: its words stay known for so long."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Copy:
    """What one look at the store brought: messages by priority, seconds by message and language, texts by key."""

    messages: tuple[Message, ...] = ()
    seconds: Mapping[tuple[str, str], float] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


class LiveMessages:
    """:class:`callrouter.ports.Messages`. ``folder``: where Asterisk finds the sounds, as ``KEY.wav16``."""

    def __init__(self, database: Database, clock: Clock, areas: Areas, folder: Path) -> None:
        self._clock = clock
        self._areas = areas
        self._folder = folder
        self._copy = Copy()
        self.follower = Follower(database, store.REVISION, self._load, self._keep)
        self.texts: Mapping[str, str] = _Texts(self)
        """What each prompt says, by its key: always of the newest copy."""

    def valid(
        self,
        *,
        dialled: str,
        number: Number,
        area: str,
        language: str,
        at: datetime,
        service: str = "",
        needs_sound: bool = False,
    ) -> tuple[FrontEndMessage, ...]:
        """See :meth:`callrouter.ports.Messages.valid`."""
        where = self._areas.around(area) | self._areas.of_postcode(area) | self._areas.of_number(number.e164)
        copy = self._copy  # another thread may put a newer one in its place meanwhile
        chosen: list[FrontEndMessage] = []
        left = MOST_MESSAGES_S
        for each in copy.messages:
            heard = _heard(copy, each, language)
            if heard is None or heard.seconds > left or not each.is_live(at):
                continue
            if service not in (each.content.services or ("",)):
                continue
            if needs_sound and not all(map(self.sound_of, heard.prompts)):
                continue
            if _is_meant(each.content.places, where, number, dialled):
                chosen.append(heard)
                left -= heard.seconds
            if len(chosen) == MOST_MESSAGES:
                break
        return tuple(chosen)

    def sound_of(self, key: str) -> str | None:
        """The file of a prompt for Asterisk, without its ending; None where there is none."""
        return str(self._folder / key) if (self._folder / f"{key}.wav16").exists() else None

    def _load(self, connection: Connection) -> Copy:
        found = store.going_on(connection, self._clock.now() - STILL_SPOKEN)
        found.sort(key=lambda each: (each.content.priority, each.content.starts_at, each.id))
        spoken = [prompt for each in found for prompt in each.content.spoken()]
        facts = store.audio_facts(connection, [key for key, _, _ in spoken])
        try:
            self._put_where_asterisk_looks(connection, facts)
        except OSError as error:  # Twilio's callers and the off switch must not wait for a folder
            log.error("message_sound_not_written", error=type(error).__name__)
        seconds = {
            (each.id, language): seconds_of(each.content, language, facts)
            for each in found
            for language in each.content.wordings
        }
        return Copy(tuple(found), seconds, {key: text for key, _, text in spoken})

    def _put_where_asterisk_looks(self, connection: Connection, keys: Mapping[str, object]) -> None:
        missing = [key for key in keys if not (self._folder / f"{key}.wav16").exists()]
        if not missing:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        for key, audio in store.audio_of(connection, missing).items():
            part = self._folder / f".{key}.part"
            part.write_bytes(audio.wav)
            part.replace(self._folder / f"{key}.wav16")

    def _keep(self, copy: Copy) -> None:
        self._copy = copy
        log.info("messages_refreshed", messages=len(copy.messages))


class _Texts(Mapping[str, str]):
    """A view that never goes stale."""

    def __init__(self, live: LiveMessages) -> None:
        self._live = live

    def __getitem__(self, key: str) -> str:
        return self._live._copy.texts[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._live._copy.texts)

    def __len__(self) -> int:
        return len(self._live._copy.texts)


def _heard(copy: Copy, message: Message, language: str) -> FrontEndMessage | None:
    wording = message.content.wordings.get(language)
    if wording is None:
        return None
    keys = tuple(prompt_key(language, part) for part in wording.parts())
    return FrontEndMessage(message.content.marker, keys, copy.seconds[message.id, language])


def _is_meant(places: Places, where: frozenset[str], number: Number, dialled: str) -> bool:
    if places.everywhere or where & set(places.areas) or dialled in places.dialled:
        return True
    return number.e164 is not None and number.e164.startswith(places.cli_prefixes)
