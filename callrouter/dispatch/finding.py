"""Finding somebody for a caller: what the door asks of dispatch, within a budget, and what it tells dispatch."""

from __future__ import annotations

import asyncio

import structlog

from callrouter import events as ev
from callrouter.model import CallRecord, Input, InputKind
from callrouter.moves import leg_failure
from callrouter.ports import Dispatch, Nobody, Offer, Waiting
from ivr.model import LEFT_FOR_111, Band, Heard, OfferWait

BUDGET_S = 1.0  # the caller hears nothing meanwhile

log = structlog.get_logger()


class Finding:
    """The door's side of dispatch."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    async def seek(self, record: CallRecord, wait: OfferWait, band: Band, events: list[ev.Event]) -> Heard | None:
        """What dispatch answers to the search; None: the caller waits. Adds what happened to ``events``."""
        try:
            async with asyncio.timeout(BUDGET_S):
                sought = await self._dispatch.seek(
                    record.call_ref, wait.services, band, record.arrived_at, hold=wait.hold_s > 0
                )
        except Exception as error:  # noqa: BLE001
            # a dispatch that fails is the same to the caller as one that finds nobody: the next, at last the network
            log.warning("dispatch_failed", call_ref=record.call_ref, error=type(error).__name__)
            sought = Nobody()
        events.append(ev.Queued(services=wait.services, band=band))
        match sought:
            case Waiting():
                return None
            case Nobody():
                return Heard(InputKind.OFFERED, "")
            case Offer(provider=provider, service=service):
                events.append(ev.LegStarted(provider=provider, service=service, band=band))
                return Heard(InputKind.OFFERED, provider)

    async def tell(self, record: CallRecord, given: Input) -> None:
        """What an input means for the caller's line, or place."""
        if (cause := leg_failure(record, given)) == LEFT_FOR_111:
            await self._dispatch.leave(record.call_ref)  # the provider is not to blame, and stays in turn
            return
        if cause is not None:
            await self._dispatch.leg_failed(record.call_ref, record.provider or "", cause)
            return
        match given.kind:
            case InputKind.LEG_ANSWERED:
                await self._dispatch.leg_answered(record.call_ref, record.provider or "")
                if not given.epoch:  # told from outside: the worker that dialled may be dead
                    await self._dispatch.keep(record.call_ref)
            case InputKind.TAKEN_OVER:
                await self._dispatch.keep(record.call_ref)
            case _:
                pass
