"""Dispatch: which provider or clinician takes which caller next.

Callers wait in one line for whatever services they may be put through to: by band, then by the time they
arrived. A raised caller who waits for clinician *and* handler is offered whichever is free first, so being
flagged is never a longer wait. Lines and places live in this process; :mod:`callrouter.dispatch.shared` shares
them between workers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime

import structlog

from callrouter.dispatch.lines import COOL_DOWN_S, TOLD_AGAIN_S, Lines
from callrouter.dispatch.places import Place
from callrouter.dispatch.providers import Providers
from callrouter.ports import STATEMENT_S, Offer, Sought
from infra.clock import Clock
from ivr.model import Band

log = structlog.get_logger()

OnOffer = Callable[[str, Offer], Awaitable[None]]
"""Takes an offer to the caller who waited for it; raises if the offer must be told again."""


class LocalDispatch:
    """:class:`callrouter.ports.Dispatch` inside one process. ``on_offer`` is told of every later offer."""

    def __init__(self, providers: Providers, clock: Clock, cool_down_s: Mapping[str, float] = COOL_DOWN_S) -> None:
        self._lines = Lines(providers, clock, cool_down_s)
        self.on_offer: OnOffer | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def seek(
        self, call_ref: str, services: Sequence[str], band: Band, arrived: datetime, *, hold: bool
    ) -> Sought:
        taken = self._lines.line_of(call_ref)
        if taken is not None and taken.service not in services:
            await self.leave(call_ref)  # the caller has moved on, and needs somebody else now
        return self._lines.seek(Place(call_ref, tuple(services), band, arrived), hold=hold)

    async def keep(self, call_ref: str) -> None:
        """Nothing to do: places and lines live as long as the only process."""

    async def in_use(self, call_refs: Collection[str]) -> None:
        """Nothing to do, likewise."""

    async def leg_failed(self, call_ref: str, provider: str, cause: str) -> None:
        cools_s = self._lines.leg_failed(call_ref, provider, cause)
        if cools_s is not None:
            self._offer_lines_in(cools_s)  # the provider is free again without anybody hanging up
        self._offer_lines()

    async def leg_answered(self, call_ref: str, provider: str) -> None:
        self._lines.leg_answered(call_ref, provider)

    async def leave(self, call_ref: str) -> None:
        self._lines.leave(call_ref)
        self._offer_lines()

    def state(self, service: str) -> str:
        """See :meth:`callrouter.dispatch.lines.Lines.state`."""
        return self._lines.state(service)

    async def reachable(self, provider: str, edge: str, up: bool | None) -> None:
        self._lines.reachable(provider, edge, up)
        self._offer_lines_in(STATEMENT_S)
        self._offer_lines()

    def _offer_lines(self) -> None:
        for call_ref, offer in self._lines.offers():
            task = asyncio.ensure_future(self._tell(call_ref, offer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _offer_lines_in(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds + 0.05, self._offer_lines)

    async def _tell(self, call_ref: str, offer: Offer) -> None:
        if self.on_offer is None:
            return
        try:
            await self.on_offer(call_ref, offer)
        except Exception as error:  # noqa: BLE001 - nobody awaits this, and the caller must not wait for ever
            log.warning("offer_not_taken", call_ref=call_ref, provider=offer.provider, error=type(error).__name__)
            self._offer_lines_in(TOLD_AGAIN_S)
        else:
            self._lines.told(call_ref, offer)
