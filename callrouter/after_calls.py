"""What goes on once calls have ended: the index of encounters, the distress flag of lines, welfare, call-backs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alerts.life.store import AlertStore
from alerts.model import Rule
from callrouter.call_backs.opening import KeptCallBacks, open_call_backs
from callrouter.calls import Calls
from callrouter.dispatch.providers import Providers
from callrouter.errors import ConfigurationError
from callrouter.journal import Journal
from callrouter.plans.pathways import FoundPlans
from callrouter.repeat.contacts import RepeatCalls
from callrouter.repeat.earlier_calls import EarlierCalls
from callrouter.repeat.encounters import EncounterIndexer
from callrouter.settings import Settings
from callrouter.welfare.notices import WelfareNotices
from callrouter.welfare.service import Welfare
from callrouter.welfare.unanswered import Unanswered
from careplans.service import CarePlans
from infra.bus import EventStream
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.lease import Lease
from infra.loops import UNHURRIED_S, repeat, until_next
from infra.shared_lines import read_shared_lines
from infra.sql import Database
from infra.yamlfile import YamlFileError

FORGET_EVERY_S = 600.0
"""Encounters leave the index after 97 hours (docs/safety/rules.md, 4): at most so much later."""


@dataclass(frozen=True, slots=True)
class AfterCalls:
    """``repeats`` is asked by calls; the two readers follow the stream of events; ``welfare`` is for clinicians,
    ``call_backs`` for whoever takes calls.

    ``plans``: care plans by number; ``shared``: numbers that many people call from; ``owners``: the ODS code of each
    provider, by its id.
    """

    repeats: RepeatCalls
    indexer: EncounterIndexer
    unanswered: Unanswered
    welfare: Welfare
    call_backs: KeptCallBacks
    plans: FoundPlans
    shared: frozenset[str]
    owners: Mapping[str, str]
    journal: Journal
    clock: Clock

    def earlier(self, calls: Calls) -> EarlierCalls:
        """What the page of a call asks."""
        return EarlierCalls(self.journal, calls, self.repeats, self.clock, self.owners)

    def loops(self, lease: Callable[..., Lease]) -> list[Coroutine[Any, Any, None]]:
        """What runs beside the calls, each in one process at a time."""
        indexer, unanswered = self.indexer, self.unanswered
        return [
            repeat(
                "encounters", indexer.step, full=indexer.BATCH, gather_s=UNHURRIED_S, lease=lease(name="encounters")
            ),
            repeat(
                "unanswered",
                unanswered.step,
                full=unanswered.BATCH,
                gather_s=UNHURRIED_S,
                lease=lease(name="unanswered"),
            ),
            repeat("welfare", self._look_after, full=1, lease=lease(name="welfare")),
            repeat("old encounters", self._forget, full=1),
            *self.call_backs.loops(lease),
        ]

    async def _forget(self, wait_s: float) -> int:
        """What is too old for the index goes when its time has come, whether anybody rings or not."""
        await self.repeats.forget(self.clock.now())
        await asyncio.sleep(max(wait_s, FORGET_EVERY_S))
        return 0

    async def _look_after(self, wait_s: float) -> int:
        await self.welfare.look_after()
        await asyncio.sleep(until_next(2 * wait_s))
        return 0


def after_calls(
    settings: Settings,
    database: Database,
    keys: KeyRing,
    clock: Clock,
    stream: EventStream,
    journal: Journal,
    *,
    providers: Providers,
    rules: Sequence[Rule],
    plans: CarePlans,
) -> AfterCalls:
    """The parts, put together; raises :class:`ConfigurationError` for a file of shared lines that cannot be used."""
    shared = shared_lines(settings)
    repeats = RepeatCalls(database, keys, shared.__contains__)
    welfare = Welfare(database, keys, clock, WelfareNotices(AlertStore(database), rules))
    call_backs = open_call_backs(database, keys, clock, stream, journal, repeats=repeats, welfare=welfare)
    found_plans = FoundPlans(plans, shared)
    owners = {each.id: each.ods or each.id for each in providers}
    return AfterCalls(
        repeats,
        EncounterIndexer(stream, journal, repeats, keys, clock, owners),
        Unanswered(stream, journal, repeats, welfare, call_backs.all, found_plans),
        welfare,
        call_backs,
        found_plans,
        shared,
        owners,
        journal,
        clock,
    )


def shared_lines(settings: Settings) -> frozenset[str]:
    """The numbers that many people call from; raises :class:`ConfigurationError`."""
    try:
        return read_shared_lines(settings.shared_lines_file)
    except YamlFileError as error:
        raise ConfigurationError(str(error)) from error
