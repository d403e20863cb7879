"""What callers asked to be texted, from the event stream into the outbox: once for a call, whatever it asks for.

The commit of a call is what it hangs on: a text that stands in the stream was asked for, and confirmed by key. The
number is the one that the call came from, which is what the caller confirmed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

import structlog

from callrouter.events import TextRequested
from callrouter.journal import Journal
from callrouter.texts.model import Purpose
from callrouter.texts.outbox import Outbox
from callrouter.view import CallView, fold
from infra.bus import Entry, EventStream, take
from infra.crypto import SealError
from infra.numbers import read_number
from infra.sql import Database

log = structlog.get_logger()


class AskedTexts:
    """Reads the event stream as the group ``texts``. ``known``: keys of the texts that may be sent to callers."""

    GROUP = "texts"
    BATCH = 200

    def __init__(
        self, stream: EventStream, journal: Journal, database: Database, outbox: Outbox, known: Collection[str]
    ) -> None:
        self._stream = stream
        self._journal = journal
        self._database = database
        self._outbox = outbox
        self._known = known

    async def join(self) -> None:
        """Become a reader: texts that are asked for from here on will be sent."""
        await self._stream.join(self.GROUP)

    async def step(self, wait_s: float) -> int:
        """Keep what was asked for, at most one batch; returns how many entries were read.

        A call whose journal is not written yet is left for the next step: nothing is acknowledged past it.
        """
        return await take(self._stream, self.GROUP, self._keep, limit=self.BATCH, wait_s=wait_s)

    async def _keep(self, entry: Entry) -> bool:
        if entry.kind != TextRequested.kind:
            return True
        try:
            view = fold(await self._journal.read(entry.call_ref))
        except SealError:
            log.error("text_call_unreadable", call_ref=entry.call_ref)  # one such call must not stop the others
            return True
        if view is None:
            return False
        text = str(entry.facts["text"])
        if not may_be_sent(view, text, self._known):
            log.error("text_not_allowed", call_ref=entry.call_ref)
            return True
        reference, number = reference_of(view.resumes or entry.call_ref), str(view.number)
        await self._database.write(
            lambda connection: self._outbox.put(
                connection,
                reference=reference,
                purpose=Purpose.CALLER,
                template=text,
                to=number,
                values={},
                call_ref=entry.call_ref,
            )
        )
        return True


def reference_of(call_ref: str) -> str:
    """The one reference of a call's text. A call that goes on after we cut it off is the same call."""
    return hashlib.sha256(f"text\0{call_ref}".encode()).hexdigest()[:32]


def may_be_sent(view: CallView, text: str, known: Collection[str]) -> bool:
    """Whether this text may go to the number that this call came from (docs/safety/rules.md, 2): asked again here."""
    return text in known and view.number is not None and read_number(view.number).is_mobile
