"""A call service of real parts for tests: SQLite journal in a folder, look-ups and providers as a test wants them."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import select

from callrouter import events as ev
from callrouter import journal as journal_tables
from callrouter.calls import Calls
from callrouter.dispatch.local import LocalDispatch
from callrouter.dispatch.providers import Provider, Providers
from callrouter.door import KeywordMeanings
from callrouter.flows import load_flow, load_prompts
from callrouter.hours import OpeningHours, read_hours
from callrouter.journal import Journal, JournalWriter
from callrouter.lookups import Lookups
from callrouter.nearby import Nearby
from callrouter.ports import Messages, PlanFound, Plans, RepeatFound
from infra.bus import EventStream, MemoryStream
from infra.clock import Clock, SystemClock
from infra.crypto import KeyRing
from infra.numbers import Number
from infra.sql import Database, connect_database
from infra.state import CallStates, MemoryStates
from ivr.flow import Flow
from nlp.lexicon import read_lexicon, read_reason_words
from nlp.service import KeywordUnderstanding
from tests.loaded_flows import LoadedFlows

ROOT = Path(__file__).resolve().parent.parent
LONDON = ROOT / "ivr/flows/london-111.yaml"
PROMPTS = load_prompts(ROOT / "ivr/prompts/en.yaml")
SHIPPED_HOURS = read_hours(ROOT / "callrouter/hours.yaml")


@dataclass
class FakePlans:
    """Answers every look-up with ``found`` and remembers who was looked up."""

    found: PlanFound = field(default_factory=lambda: PlanFound("none", "no_plan"))
    asked: list[Number] = field(default_factory=list)

    async def find(self, number: Number) -> PlanFound:
        self.asked.append(number)
        return self.found

    async def check_birth_date(self, number: Number, born: date, call_ref: str, *, keyed: bool) -> PlanFound:
        return self.found


@dataclass
class FakeRepeats:
    """Answers every look-up with ``found``."""

    found: RepeatFound = field(default_factory=lambda: RepeatFound("NRC", "fewer_than_two_earlier"))
    asked: list[Number] = field(default_factory=list)

    async def find(self, number: Number, started: datetime, *, resumes: str | None = None) -> RepeatFound:
        self.asked.append(number)
        return self.found


class Understanding(KeywordMeanings):
    """That of production, with the shipped lexicons."""

    def __init__(self) -> None:
        super().__init__(KeywordUnderstanding(read_lexicon(), read_reason_words()))


def a_provider(
    provider_id: str, *services: str, tel: str, sip: str | None = None, lines: int | None = None
) -> Provider:
    """A provider whose answered calls are persons."""
    return Provider(id=provider_id, name=provider_id, services=services, tel=tel, sip=sip, lines=lines, answers="agent")


PROVIDERS = Providers(
    (
        a_provider("first-111", "111", tel="+442079460101"),
        a_provider("second-111", "111", tel="+442079460102"),
        a_provider("clinicians", "clinician", tel="+442079460110"),
        a_provider("mental-health", "mental_health", tel="+442079460120"),
        a_provider("dental", "dental", tel="+442079460130"),
        a_provider("pharmacy", "pharmacy", tel="+442079460140"),
    )
)


@dataclass
class CallService:
    """The door and everything around it that a test may look at."""

    calls: Calls
    dispatch: LocalDispatch
    providers: Providers
    keys: KeyRing
    clock: Clock
    plans: FakePlans
    repeats: FakeRepeats
    flow: Flow
    _database: Database
    _stream: EventStream
    _journal: Journal
    _writer: JournalWriter

    async def journal(self, call_ref: str) -> list[ev.Recorded]:
        """Every event of a call, written to and read back from the database."""
        await self._writer.drain()
        return await self._journal.read(call_ref)

    async def events(self, call_ref: str, kind: str = "") -> list[ev.Event]:
        """The events of a call, of one kind if it is given."""
        return [r.event for r in await self.journal(call_ref) if not kind or r.event.kind == kind]

    async def everything(self) -> list[str]:
        """The call of every event that was ever written."""
        await self._writer.drain()
        calls = select(journal_tables.journal.c.call_ref)
        return list(await self._database.read(lambda connection: connection.execute(calls).scalars().all()))

    async def close(self) -> None:
        """Stop timers and close the database."""
        await self.calls.close()
        await self._database.close()


def _in_process() -> tuple[CallStates, EventStream]:
    stream = MemoryStream()
    return MemoryStates(stream), stream


async def build_calls(
    folder: Path,
    *,
    providers: Providers = PROVIDERS,
    plans: FakePlans | None = None,
    care_plans: Plans | None = None,
    repeats: FakeRepeats | None = None,
    clock: Clock | None = None,
    flow: Flow | None = None,
    budget_s: float = 0.25,
    stores: tuple[CallStates, EventStream] | None = None,
    keys: KeyRing | None = None,
    hours: OpeningHours | None = None,
    messages: Messages | None = None,
) -> CallService:
    """Carries calls through ``flow`` (the London one) with ``hours`` (as shipped); its journal is in ``folder``.

    ``care_plans``: real ones, in the place of ``plans``.
    """
    clock, keys = clock or SystemClock(), keys or KeyRing(os.urandom(32), os.urandom(32))
    states, stream = stores or _in_process()
    plans, repeats, flow = plans or FakePlans(), repeats or FakeRepeats(), flow or load_flow(LONDON)
    database = connect_database(f"sqlite:///{folder / 'calls.db'}")
    await database.write(journal_tables.metadata.create_all)
    journal = Journal(database, keys)
    dispatch = LocalDispatch(providers, clock)
    calls = Calls(
        states=states,
        flows=LoadedFlows(flow),
        lookups=Lookups(
            plans=care_plans or plans,
            repeats=repeats,
            understanding=Understanding(),
            clock=clock,
            budget_s=budget_s,
            nearby=Nearby(clock, hours=hours or SHIPPED_HOURS),
            messages=messages,
        ),
        dispatch=dispatch,
        keys=keys,
        clock=clock,
        new_id=lambda: secrets.token_hex(16),
        answers={each.id: each.answers for each in providers},
    )
    dispatch.on_offer = calls.offered
    writer = JournalWriter(stream, journal)
    await writer.join()
    return CallService(calls, dispatch, providers, keys, clock, plans, repeats, flow, database, stream, journal, writer)
