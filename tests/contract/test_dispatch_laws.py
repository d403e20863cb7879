"""Laws of dispatch that hold whatever callers, providers and workers do, in this process and on Redis."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from callrouter.dispatch.redis_lines import LEASE_S
from callrouter.dispatch.shared import SharedDispatch
from callrouter.ports import Nobody, Offer, Sought, Waiting
from infra.redis import RedisAddress, RedisLink
from ivr.model import Band
from tests.hall import PATIENT_S, Hall, provider

T = TypeVar("T")
NewUrl: TypeAlias = Callable[[], str | None]

BANDS = st.sampled_from(Band)
ANYBODY = ("clinician", "111")


@pytest.fixture(params=["in process", "redis"], scope="module")
def new_url(request: pytest.FixtureRequest) -> NewUrl:
    """The address of an empty Redis; None for what lives in this process."""
    if request.param == "in process":
        return lambda: None
    servers = request.getfixturevalue("redis_servers")
    return lambda: str(servers.empty("redis"))


@asynccontextmanager
async def linked(url: str | None) -> AsyncIterator[RedisLink | None]:
    """A connection of this event loop's own."""
    link = RedisLink(RedisAddress.parse(url), budget_s=PATIENT_S) if url else None
    yield link
    if link is not None:
        await link.close()


@settings(deadline=None)
@given(
    flagged=st.sampled_from([Band.EMERGENCY, Band.URGENT, Band.RAISED]),
    others=st.lists(st.tuples(BANDS, st.integers(0, 50)), max_size=6),
    arrived=st.integers(0, 50),
    raised_asks_first=st.booleans(),
    freed=st.lists(st.sampled_from(("handlers", "clinicians")), max_size=12),
)
def test_raised_caller_never_waits_longer_than_an_unflagged_who_arrived_with_them(
    new_url: NewUrl,
    flagged: Band,
    others: list[tuple[Band, int]],
    arrived: int,
    raised_asks_first: bool,
    freed: list[str],
) -> None:
    async def play() -> None:
        async with linked(new_url()) as link:
            hall = Hall(provider("handlers", "111", lines=1), provider("clinicians", "clinician", lines=1), link=link)
            holder = {"handlers": "talking1", "clinicians": "talking2"}
            await hall.seek("talking1", "111")
            await hall.seek("talking2", "clinician")
            for n, (band, at) in enumerate(others):
                services = ("111",) if band is Band.NORMAL else ANYBODY
                await hall.seek(f"other{n}", *services, band=band, arrived=at)
            pair: list[tuple[str, tuple[str, ...], Band]] = [
                ("raised", ANYBODY, flagged),
                ("unflagged", ("111",), Band.NORMAL),
            ]
            for call_ref, wanted, band in pair if raised_asks_first else reversed(pair):
                await hall.seek(call_ref, *wanted, band=band, arrived=arrived)
            served: list[str] = []
            for line in freed:
                await hall.dispatch.leave(holder.pop(line, "nobody"))
                await hall.settle()
                while not hall.offers.empty():
                    call_ref, offer = hall.offers.get_nowait()
                    holder[offer.provider] = call_ref
                    served.append(call_ref)
            assert "unflagged" not in served or "raised" in served[: served.index("unflagged")]

    asyncio.run(play())


CALLERS = [f"call{n}" for n in range(6)]
LIMITS = {"small": 1, "large": 2}
HOUSE = tuple(provider(each, "111", "clinician", lines=n) for each, n in LIMITS.items())


class _InOneLoop(RuleBasedStateMachine):
    """A state machine whose moves run in an event loop of its own."""

    new_url: NewUrl = staticmethod(lambda: None)

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.links = linked(self.new_url())
        self.link = self.loop.run_until_complete(self.links.__aenter__())

    def do(self, move: Awaitable[T]) -> T:
        return self.loop.run_until_complete(_awaited(move))

    def teardown(self) -> None:
        self.do(self.links.__aexit__(None, None, None))
        self.loop.close()


async def _awaited(move: Awaitable[T]) -> T:
    return await move


class Lines(_InOneLoop):
    """Callers seek, fail and leave in any order; what the house knows of its lines must stay true."""

    def __init__(self) -> None:
        super().__init__()
        self.hall = Hall(*HOUSE, link=self.link)
        self.holds: dict[str, str] = {}

    callers = st.sampled_from(CALLERS)

    @rule(call_ref=callers, band=BANDS, arrived=st.integers(0, 9), hold=st.booleans())
    def seek(self, call_ref: str, band: Band, arrived: int, hold: bool) -> None:
        sought = self.play(self.hall.seek(call_ref, band=band, arrived=arrived, hold=hold))
        if isinstance(sought, Offer):
            self.holds[call_ref] = sought.provider
        else:
            assert call_ref not in self.holds, "a caller with a line lost it by asking again"

    @rule(call_ref=callers, cause=st.sampled_from(("busy", "unreachable")))
    def fail(self, call_ref: str, cause: str) -> None:
        provider_id = self.holds.pop(call_ref, "")
        self.play(self.hall.dispatch.leg_failed(call_ref, provider_id, cause))

    @rule(call_ref=callers)
    def leave(self, call_ref: str) -> None:
        self.holds.pop(call_ref, None)
        self.play(self.hall.dispatch.leave(call_ref))

    @rule(seconds=st.integers(1, 30))
    def time_passes(self, seconds: int) -> None:
        self.play(self.hall.pass_time(seconds))

    @rule(provider_id=st.sampled_from(list(LIMITS)), up=st.sampled_from((True, False, None)))
    def edge_speaks(self, provider_id: str, up: bool | None) -> None:
        self.play(self.hall.dispatch.reachable(provider_id, "edge", up))

    @invariant()
    def no_provider_has_more_callers_than_lines(self) -> None:
        taken = Counter(self.holds.values())
        assert all(taken[each] <= limit for each, limit in LIMITS.items())

    def play(self, move: Coroutine[Any, Any, T]) -> T:
        result = self.do(move)
        self.do(self.hall.settle())
        while not self.hall.offers.empty():
            call_ref, offer = self.hall.offers.get_nowait()
            assert call_ref not in self.holds, "a caller was offered a second line"
            self.holds[call_ref] = offer.provider
        return result

    def teardown(self) -> None:
        """Whoever leaves gives everything back: all lines can be taken again, and no more than there are."""
        for call_ref in [*CALLERS, *CALLERS]:
            self.leave(call_ref)  # the second time: whom the first leavers' lines were offered to
        self.play(self.hall.pass_time(60))
        offers = [self.play(self.hall.seek(f"last{n}")) for n in range(4)]
        assert [isinstance(each, Offer) for each in offers] == [True, True, True, False]
        super().teardown()


def test_lines_are_never_overdrawn_nor_lost(new_url: NewUrl) -> None:
    Lines.new_url = staticmethod(new_url)
    run_state_machine_as_test(Lines, settings=settings(deadline=None, stateful_step_count=30))


class DyingWorkers(_InOneLoop):
    """Workers that share their lines die at any moment and are replaced; callers are taken over, or forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.hall = Hall(*HOUSE, link=self.link)
        self.births = 0
        self.workers = [self._born(), self._born()]

    def _born(self) -> SharedDispatch:
        self.births += 1
        return self.hall.worker(f"worker{self.births}")

    callers = st.sampled_from(CALLERS)
    which = st.sampled_from((0, 1))

    @rule(worker=which, call_ref=callers, band=BANDS, arrived=st.integers(0, 9))
    def seek(self, worker: int, call_ref: str, band: Band, arrived: int) -> None:
        self.do(self.hall.seek(call_ref, band=band, arrived=arrived, at=self.workers[worker]))

    @rule(worker=which, call_ref=callers)
    def take_over(self, worker: int, call_ref: str) -> None:
        self.do(self.workers[worker].keep(call_ref))

    @rule(worker=which, call_ref=callers, provider_id=st.sampled_from(list(LIMITS)))
    def fail(self, worker: int, call_ref: str, provider_id: str) -> None:
        self.do(self.workers[worker].leg_failed(call_ref, provider_id, "busy"))

    @rule(worker=which, call_ref=callers)
    def leave(self, worker: int, call_ref: str) -> None:
        self.do(self.workers[worker].leave(call_ref))

    @rule(worker=which)
    def die(self, worker: int) -> None:
        self.do(self.workers[worker].close())
        self.workers[worker] = self._born()

    @rule(seconds=st.integers(1, 20))
    def time_passes(self, seconds: int) -> None:
        self.do(self.hall.pass_time(seconds, *self.workers))

    def teardown(self) -> None:
        """When all are dead, a lease later every line is free for the next worker, and none is there twice."""
        self.do(self.hall.settle())
        last = self.hall.worker("last")
        self.do(self.hall.pass_time(LEASE_S + 61, last))
        found = [self.do(self.hall.seek(f"last{n}", at=last)) for n in range(4)]
        assert [type(each) for each in found] == [Offer, Offer, Offer, Waiting]
        super().teardown()


@pytest.mark.slow
def test_nothing_is_held_for_ever_by_workers_that_die(redis_servers: Any) -> None:
    DyingWorkers.new_url = staticmethod(lambda: str(redis_servers.empty("redis")))
    run_state_machine_as_test(DyingWorkers, settings=settings(deadline=None, stateful_step_count=30))


Move: TypeAlias = Callable[[Hall], Coroutine[Any, Any, Sought | None]]
WHO = st.integers(0, 7)
SERVICES = st.sampled_from([("111",), ("clinician",), ANYBODY, ("111", "dental")])
CAUSES = st.sampled_from(("busy", "no_answer", "unreachable", "rejected"))
IDS = ("handlers", "others", "clinicians", "dentist")


def _seek(who: int, services: tuple[str, ...], band: Band, hold: bool) -> Move:
    return lambda hall: hall.seek(f"call{who}", *services, band=band, arrived=who, hold=hold)


def _move(name: str, *arguments: object) -> Move:
    return lambda hall: getattr(hall.dispatch, name)(*arguments)


MOVES = st.one_of(
    st.builds(_seek, WHO, SERVICES, BANDS, st.booleans()),
    st.builds(lambda who: _move("leave", f"call{who}"), WHO),
    st.builds(lambda who, to, cause: _move("leg_failed", f"call{who}", to, cause), WHO, st.sampled_from(IDS), CAUSES),
    st.builds(lambda who, each: _move("leg_answered", f"call{who}", each), WHO, st.sampled_from(IDS)),
    st.builds(
        lambda each, edge, up: _move("reachable", each, edge, up),
        st.sampled_from(IDS), st.sampled_from("ab"), st.sampled_from((True, False, None)),
    ),
    st.builds(lambda seconds: lambda hall: hall.pass_time(seconds), st.integers(1, 12)),
)  # fmt: skip


@settings(deadline=None)
@given(moves=st.lists(MOVES, max_size=40))
def test_shared_lines_decide_as_those_in_one_process(redis_servers: Any, moves: list[Move]) -> None:
    """The rules are written twice, in Python and in Lua: the same moves must end alike."""
    url = str(redis_servers.empty("redis"))

    async def play() -> None:
        house = (
            provider("handlers", "111", lines=2), provider("others", "111", lines=3),
            provider("clinicians", "clinician", lines=1), provider("dentist", "dental", "111", lines=1),
        )  # fmt: skip
        async with linked(url) as link:
            halls = (Hall(*house, link=None), Hall(*house, link=link))
            for move in moves:
                ends = []
                for hall in halls:
                    found = await move(hall)
                    await hall.dispatch.leave("nobody")  # the lines that became free meanwhile are offered
                    await hall.settle()
                    offers = [hall.offers.get_nowait() for _ in range(hall.offers.qsize())]
                    ends.append((type(found) if isinstance(found, Waiting | Nobody) else found, offers))
                assert ends[0] == ends[1]

    asyncio.run(play())
