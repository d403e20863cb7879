"""Front-end messages put together: their service, the copy that this process answers from, their loop."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog

from alerts.life.store import AlertStore
from alerts.model import Rule
from callrouter.alerting.night_notices import NightNotices
from callrouter.messages.content import Known
from callrouter.messages.live import LiveMessages
from callrouter.messages.service import MessageService
from callrouter.settings import Settings
from infra.areas import london
from infra.clock import Clock
from infra.loops import until_next
from infra.sql import Database
from infra.voices import speak

FIRST_LOOK_S = 5.0
"""Longest that the start of a process waits for the messages; without, callers hear none until they are there."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Messaging:
    """``service`` is for people, ``live`` for calls."""

    service: MessageService
    live: LiveMessages

    async def first_look(self) -> None:
        """Know the messages before the first caller, if the database answers."""
        try:
            async with asyncio.timeout(FIRST_LOOK_S):
                await self.live.follower.look()
        except Exception as error:  # noqa: BLE001 - a process that does not start serves nobody
            log.error("messages_not_loaded", error=type(error).__name__)  # callers come first

    async def look_after(self, wait_s: float) -> int:
        """A step of the loop that one process runs: reviews of the night that are due."""
        await self.service.look_after()
        await asyncio.sleep(until_next(2 * wait_s))
        return 0


def messaging(
    settings: Settings,
    database: Database,
    clock: Clock,
    *,
    rules: Sequence[Rule],
    services: Collection[str],
    languages: Collection[str],
) -> Messaging:
    """The parts of these settings."""
    areas = london()
    folder = settings.prompts_audio_dir or settings.data_dir / "messages"
    service = MessageService(
        database,
        clock,
        known=Known(languages, services, areas),
        voice=speak,
        reviewers=NightNotices(AlertStore(database), rules),
        new_id=lambda: secrets.token_hex(4),
        approval_life=timedelta(days=settings.approval_days),
        needs_sound=settings.ari_url is not None,
    )
    return Messaging(service, LiveMessages(database, clock, areas, Path(folder)))


class Layered(Mapping[str, str]):
    """Texts by prompt key from several places, the first that knows a key; always what they know now."""

    def __init__(self, *layers: Mapping[str, str]) -> None:
        self._layers = layers

    def __getitem__(self, key: str) -> str:
        for layer in self._layers:
            if (text := layer.get(key)) is not None:
                return text
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter({key: None for layer in self._layers for key in layer})

    def __len__(self) -> int:
        return sum(1 for _ in self)
