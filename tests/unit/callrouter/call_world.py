"""A door of real parts for tests: the London flow, providers, look-ups as a test wants them, a clock moved by hand."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TypeAlias, TypeVar

from flows.player import RED_FLAGS, london

from callrouter import events as ev
from callrouter import journal as tables
from callrouter.calls import Calls
from callrouter.dispatch.local import LocalDispatch
from callrouter.dispatch.providers import Provider, Providers
from callrouter.hours import read_hours
from callrouter.journal import Journal, JournalWriter
from callrouter.lookups import Lookups
from callrouter.model import Arrival, Input, InputKind, Reply
from callrouter.nearby import Nearby
from callrouter.ports import Dispatch, Flows, Meaning, Offer, PlanFound, RepeatFound
from callrouter.resuming import always
from callrouter.settings import Settings
from infra import areas
from infra.bus import MemoryStream
from infra.crypto import KeyRing
from infra.health import Health
from infra.numbers import Number, read_number
from infra.sql import connect_database
from infra.state import CallStates, MemoryStates
from ivr.flow import Flow
from ivr.model import Band
from tests.hand_clock import HandClock
from tests.loaded_flows import LoadedFlows

E = TypeVar("E")
FindPlan: TypeAlias = Callable[[Number], Awaitable[PlanFound]]
FindRepeat: TypeAlias = Callable[[Number, datetime], Awaitable[RepeatFound]]
NewHouse: TypeAlias = Callable[..., Awaitable["House"]]

NUMBER = "+447700900123"
SHIPPED_HOURS = read_hours(Settings.model_fields["hours_file"].default)
SOON_S = 30.0  # how long a test waits for something that comes at once


def provider(provider_id: str, *services: str, lines: int | None = None, answers: str = "agent") -> Provider:
    """A provider that is called like its id."""
    values = {"id": provider_id, "name": provider_id, "services": services, "tel": "+442079460101"}
    return Provider.model_validate({**values, "lines": lines, "answers": answers})


def everybody(lines: int | None = None, answers: str = "agent") -> Providers:
    """One provider for each service."""
    names = {"handlers": "111", "clinicians": "clinician", "crisis": "mental_health"}
    named = [provider(each, service, lines=lines, answers=answers) for each, service in names.items()]
    same = [provider(each, each, lines=lines, answers=answers) for each in ("dental", "pharmacy")]
    return Providers((*named, *same))


async def no_plan(number: Number) -> PlanFound:
    return PlanFound("none", "no_plan")


async def no_repeat(number: Number, started: datetime) -> RepeatFound:
    return RepeatFound("NRC", "fewer_than_two_earlier")


@dataclass
class Hanging:
    """A look-up that begins and never ends."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, number: Number) -> PlanFound:
        self.begun.set()
        await asyncio.Event().wait()
        raise AssertionError("never comes here")


@dataclass
class Facts:
    """What the look-ups find; a test replaces what it is about."""

    plan: FindPlan = no_plan
    repeat: FindRepeat = no_repeat
    birth_date: Callable[..., Awaitable[PlanFound]] | None = None
    """None: what ``plan`` says."""


@dataclass(frozen=True)
class _Plans:
    facts: Facts

    async def find(self, number: Number) -> PlanFound:
        return await self.facts.plan(number)

    async def check_birth_date(self, number: Number, born: date, call_ref: str, *, keyed: bool) -> PlanFound:
        if self.facts.birth_date is not None:
            return await self.facts.birth_date(number, born, call_ref, keyed=keyed)
        return await self.facts.plan(number)


@dataclass(frozen=True)
class _Repeats:
    facts: Facts

    async def find(self, number: Number, started: datetime, *, resumes: str | None = None) -> RepeatFound:
        return await self.facts.repeat(number, started)


class ExactWords:
    """Understands a word of the vocabulary and the test's red flags, nothing else."""

    async def understand(self, said: str, vocabulary: Mapping[str, Sequence[str]]) -> Meaning:
        choice = next((choice for choice, words in vocabulary.items() if said in words), None)
        return Meaning(choice, RED_FLAGS.get(said), said if said in RED_FLAGS else "", "test")


class House:
    """Stores, dispatch and journal, with as many workers (doors) before them as a test wants."""

    def __init__(self, folder: Path, providers: Providers | None = None, flow: Flow | None = None) -> None:
        self.flow = flow or london()
        self.facts = Facts()
        self.clock = HandClock()
        self.keys = KeyRing(os.urandom(32), os.urandom(32))
        self.stream = MemoryStream()
        self.states: CallStates = MemoryStates(self.stream)
        self.providers = providers or everybody()
        self.dispatch = LocalDispatch(self.providers, self.clock)
        self.file = folder / "calls.db"
        self.database = connect_database(f"sqlite:///{self.file}")
        self.journal = Journal(self.database, self.keys)
        self.writer = JournalWriter(self.stream, self.journal)
        self.performed: asyncio.Queue[Reply] = asyncio.Queue()
        self._ids = (f"{n:032x}" for n in itertools.count())
        self._keys = (f"key{n}" for n in itertools.count())
        self._doors: list[Calls] = []
        self.connected: Callable[[str], Awaitable[bool]] = always  # to an Asterisk, as the workers say
        self.shared_lines: set[str] = set()
        self.door = self.new_door()
        self.dispatch.on_offer = self.door.offered

    def new_door(
        self, *, states: CallStates | None = None, flow: Flow | None = None, dispatch: Dispatch | None = None,
        flows: Flows | None = None, budget_s: float = SOON_S, health: Health | None = None,
    ) -> Calls:  # fmt: skip
        """Another worker on the same stores."""
        lookups = Lookups(
            plans=_Plans(self.facts), repeats=_Repeats(self.facts), understanding=ExactWords(),
            clock=self.clock, budget_s=budget_s, health=health,
            nearby=Nearby(self.clock, hours=SHIPPED_HOURS, areas=areas.london()),
        )  # fmt: skip
        door = Calls(
            states=states or self.states, flows=flows or LoadedFlows(flow or self.flow), lookups=lookups,
            dispatch=dispatch or self.dispatch, keys=self.keys, clock=self.clock, new_id=lambda: next(self._ids),
            answers={each.id: each.answers for each in self.providers}, connected=lambda edge: self.connected(edge),
            is_shared=lambda number: number in self.shared_lines,
        )  # fmt: skip
        door.perform_with("test", self)
        self._doors.append(door)
        return door

    def owns(self, call_ref: str) -> bool:
        """This house holds every line."""
        return True

    async def perform(self, reply: Reply) -> None:
        """As an adapter that is given a reply which it did not ask for."""
        self.performed.put_nowait(reply)

    async def open(self) -> None:
        """Make the tables, and let the readers of the stream begin."""
        await self.listen()
        await self.database.write(tables.metadata.create_all)

    async def listen(self) -> None:
        """Let the readers of the stream begin."""
        await self.writer.join()
        await self.stream.join("test")

    async def close(self) -> None:
        for door in self._doors:
            await door.close()
        await self.database.close()

    # ------------------------------------------------------------------ what happens to a call

    async def start(
        self, call_ref: str = "call", number: str = NUMBER, key: str = "start", epoch: int = 1, edge: str = "",
        dialled: str = "111",
    ) -> Reply:  # fmt: skip
        """A caller rings."""
        arrival = Arrival("test", dialled, read_number(number), edge)
        return await self.door.handle(
            call_ref, Input(key, InputKind.STARTED, self.clock.now(), epoch=epoch, arrival=arrival)
        )

    def input(
        self, kind: InputKind, value: str = "", *, to: Reply | None = None, key: str = "", epoch: int = 1
    ) -> Input:
        """An input, in answer to the reply ``to``."""
        return Input(key or next(self._keys), kind, self.clock.now(), to.wait_id if to else "", value, epoch)

    async def tell(
        self, kind: InputKind, value: str = "", *, to: Reply | None = None, key: str = "", epoch: int = 1,
        call_ref: str = "call", door: Calls | None = None,
    ) -> Reply:  # fmt: skip
        """Something happens to a call."""
        given = self.input(kind, value, to=to, key=key, epoch=epoch)
        return await (door or self.door).handle(call_ref, given)

    async def press(self, key: str, to: Reply) -> Reply:
        """The caller presses a key at the prompt of the reply ``to``."""
        return await self.tell(InputKind.DIGIT, key, to=to, call_ref=to.call_ref)

    async def talk(self, call_ref: str = "call", evidence: str = "", edge: str = "") -> Reply:
        """A caller who presses 1 and is answered."""
        await self.press("1", await self.start(call_ref, edge=edge))
        return await self.tell(InputKind.LEG_ANSWERED, evidence, call_ref=call_ref)

    async def has_a_line(self, service: str) -> bool:
        """Whether one more caller would be put through to this service at once."""
        sought = await self.dispatch.seek("probe", (service,), Band.EMERGENCY, self.clock.now(), hold=False)
        await self.dispatch.leave("probe")
        return isinstance(sought, Offer)

    async def next_performed(self) -> Reply:
        """The next reply that an adapter is given without having asked."""
        return await asyncio.wait_for(self.performed.get(), SOON_S)

    # ------------------------------------------------------------------ what is known of it

    async def recorded(self, call_ref: str = "call") -> list[ev.Recorded]:
        """The journal of a call, written to the database and read back."""
        await self.writer.drain()
        return await self.journal.read(call_ref)

    async def events(self, kind: type[E], call_ref: str = "call") -> list[E]:
        """The events of one kind."""
        return [each.event for each in await self.recorded(call_ref) if isinstance(each.event, kind)]

    async def end_class(self, call_ref: str = "call") -> str:
        """How the call was counted; it must be counted once."""
        ended = [each.event for each in await self.recorded(call_ref) if isinstance(each.event, ev.Ended)]
        assert len(ended) == 1
        return ended[0].end_class
