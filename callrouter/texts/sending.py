"""Sending what the outbox holds: one provider after the other, each text once.

Which provider has a text is written down before it is given to it. If we die, or get no answer, that provider is asked
under the reference whether it took it; only its plain "no" lets the text be sent again. Where nobody can say, it is
not sent again: nobody is texted twice, and the page says that it may not have arrived.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from callrouter.texts.model import Kept, State, Template
from callrouter.texts.outbox import Outbox
from callrouter.texts.ports import TextNotTaken, TextProvider, TextRefused, TextUnsure
from infra.clock import Clock
from infra.loops import until_next

IN_HAND = timedelta(seconds=60)
"""How long after a text was given to a provider it is asked for: longer than our time limit and theirs together."""

AGAIN = (timedelta(seconds=10), timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2))
"""Pauses between rounds in which no provider took the text."""

log = structlog.get_logger()

Told = Callable[[Kept], Awaitable[None]]
"""Hears of a text that was sent, given up, or whose receipt came."""


class Sender:
    """Looks after the outbox. Any number of processes may: each step is a compare-and-set."""

    BATCH = 20

    def __init__(
        self,
        outbox: Outbox,
        providers: Sequence[TextProvider],
        templates: Mapping[str, Template],
        clock: Clock,
        told: Told,
    ) -> None:
        self._outbox = outbox
        self._providers = {each.name: each for each in providers}
        self._templates = templates
        self._clock = clock
        self._told = told

    async def step(self, wait_s: float) -> int:
        """Look after what is due, at most a batch; returns how many that was, after ``wait_s`` if nothing is."""
        due = await self._outbox.due(self.BATCH)
        if not due:
            # the next look at the table: time makes texts due, and other processes
            await asyncio.sleep(until_next(wait_s))
        for kept in due:
            if kept.state is State.WAITING:
                await self._send(kept)
            else:
                await self._ask(kept)
        return len(due)

    async def received(self, reference: str, provider: str, outcome: State, reason: str) -> bool:
        """A provider's receipt; False if it tells nothing new."""
        kept = await self._outbox.receipt(reference, provider, outcome, reason)
        if kept is None:
            return False
        log.info("text_receipt", reference=reference, provider=provider, outcome=outcome, reason=reason)
        await self._told(kept)
        return True

    async def _send(self, kept: Kept) -> None:
        text = await self._outbox.open_text(kept, self._templates)
        if text is None or kept.is_late(self._clock.now()):
            await self._done(kept, State.GIVEN_UP, kept.reason or ("too_late" if text else "unreadable"))
            return
        reason, for_ever = "no_provider", True
        for provider in self._providers.values():
            given = await self._give(kept, provider)
            if given is None:
                return  # somebody else looks after it
            kept = given
            try:
                await provider.send(text)
            except TextNotTaken as error:
                log.warning("text_not_taken", reference=kept.reference, provider=provider.name, reason=error.reason)
                reason, for_ever = error.reason, for_ever and isinstance(error, TextRefused)
                continue
            except TextUnsure as error:
                log.warning("text_unsure", reference=kept.reference, provider=provider.name, reason=error.reason)
                await self._outbox.move(kept, State.UNSURE, next_try_at=self._later(), reason=error.reason)
                return
            await self._done(kept, State.SENT, "")
            return
        if for_ever:
            await self._done(kept, State.GIVEN_UP, reason)
        else:
            pause = AGAIN[min(kept.tries // (len(self._providers) + 1), len(AGAIN) - 1)]
            await self._outbox.move(kept, State.WAITING, next_try_at=self._clock.now() + pause, reason=reason)

    async def _give(self, kept: Kept, provider: TextProvider) -> Kept | None:
        """Write down who gets it next, before they do."""
        if not await self._outbox.move(kept, State.SENDING, provider=provider.name, next_try_at=self._later()):
            return None
        return replace(kept, state=State.SENDING, provider=provider.name, tries=kept.tries + 1)

    async def _ask(self, kept: Kept) -> None:
        """Find out what became of a text of which we had no answer."""
        provider = self._providers.get(kept.provider)
        taken = await provider.find(kept.reference) if provider is not None else None
        if taken:
            await self._done(kept, State.SENT, "")
        elif kept.is_late(self._clock.now()):
            await self._done(kept, State.GIVEN_UP, "unsure" if taken is None else "too_late")
        elif taken is None:
            await self._outbox.move(kept, State.UNSURE, next_try_at=self._later(), reason=kept.reason or "no_answer")
        else:
            await self._outbox.move(kept, State.WAITING, next_try_at=self._clock.now(), reason=kept.reason)

    async def _done(self, kept: Kept, state: State, reason: str) -> None:
        if await self._outbox.move(kept, state, next_try_at=self._clock.now(), reason=reason):
            log.info("text_done", reference=kept.reference, outcome=state, provider=kept.provider, reason=reason)
            await self._told(replace(kept, state=state, reason=reason, tries=kept.tries + 1))

    def _later(self) -> datetime:
        return self._clock.now() + IN_HAND
