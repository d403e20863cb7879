"""Text messages with a link: who sends them. What stands in one is public, and says nothing of the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

import structlog

from callrouter import events as ev
from callrouter.model import CallRecord
from infra.numbers import Number

log = structlog.get_logger()


class Texts(Protocol):
    """Sends texts."""

    async def send(self, number: Number, text: str, call_ref: str) -> None:
        """Send the text with the key ``text`` to a mobile number, once for each call and key. May raise."""


class NoTexts:
    """A house without a sender: what was asked for stands in the journal and in the log, and nothing is sent."""

    async def send(self, number: Number, text: str, call_ref: str) -> None:
        """See :class:`Texts`."""
        del number
        log.info("text_not_sent", text=text, call_ref=call_ref, reason="no sender is set up")


class Texting:
    """Has texts sent once the move that asked for them is committed. Nobody waits; a text that fails is logged."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._sending: set[asyncio.Task[None]] = set()

    def send(self, record: CallRecord, events: Iterable[ev.Event]) -> None:
        """Send what these events ask for; returns at once."""
        for event in events:
            if isinstance(event, ev.TextRequested) and record.number.is_mobile:
                task = asyncio.create_task(self._send(record, event.text), name=f"text {record.call_ref}")
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)

    async def _send(self, record: CallRecord, text: str) -> None:
        try:
            await self._texts.send(record.number, text, record.call_ref)
        except Exception as error:  # noqa: BLE001 - the caller goes on without it; they were told that it comes
            log.error("text_failed", call_ref=record.call_ref, text=text, error=type(error).__name__)
