"""Dispatch: who takes which caller next."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from call_world import NOON, SOON_S, HandClock, provider
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from callrouter.dispatch import LocalDispatch
from callrouter.lines import COOL_DOWN_S
from callrouter.ports import STATEMENT_S, Nobody, Offer, Sought, Waiting
from callrouter.providers import Provider, Providers
from ivr.model import Band

T = TypeVar("T")
ANYBODY = ("clinician", "111")


class Hall:
    """A dispatch, its clock, and the offers that it made to those who waited."""

    def __init__(self, *providers: Provider, cool_down_s: Mapping[str, float] = COOL_DOWN_S) -> None:
        self.clock = HandClock()
        self.dispatch = LocalDispatch(Providers(providers), self.clock, cool_down_s)
        self.dispatch.on_offer = self._offered
        self.offers: asyncio.Queue[tuple[str, Offer]] = asyncio.Queue()

    async def _offered(self, call_ref: str, offer: Offer) -> None:
        self.offers.put_nowait((call_ref, offer))

    async def seek(
        self, call_ref: str, *services: str, band: Band = Band.NORMAL, arrived: int = 0, hold: bool = True
    ) -> Sought:
        at = NOON + timedelta(seconds=arrived)
        return await self.dispatch.seek(call_ref, services or ("111",), band, at, hold=hold)

    async def next_offer(self) -> tuple[str, str]:
        """Who was offered a line next, and whose."""
        call_ref, offer = await asyncio.wait_for(self.offers.get(), SOON_S)
        return call_ref, offer.provider

    async def waits(self, *callers: tuple[str, Band, int]) -> None:
        """These callers seek 111 and must wait."""
        for call_ref, band, arrived in callers:
            assert isinstance(await self.seek(call_ref, band=band, arrived=arrived), Waiting)


async def one_line(*services: str) -> Hall:
    """A hall whose only line is taken."""
    hall = Hall(provider("handlers", *(services or ("111",)), lines=1))
    assert isinstance(await hall.seek("talking"), Offer)
    return hall


async def test_free_provider_is_offered_at_once() -> None:
    hall = Hall(provider("handlers", "111"))

    assert await hall.seek("call") == Offer("handlers", "111")


async def test_first_service_that_has_a_line_wins() -> None:
    hall = Hall(provider("handlers", "111"), provider("clinicians", "clinician", lines=1))

    assert await hall.seek("one", *ANYBODY) == Offer("clinicians", "clinician")
    assert await hall.seek("two", *ANYBODY) == Offer("handlers", "111")


async def test_least_loaded_provider_of_a_service_is_chosen() -> None:
    hall = Hall(provider("small", "111", lines=2), provider("large", "111", lines=4))
    chosen = [await hall.seek(f"call{n}") for n in range(6)]

    assert Counter(each.provider for each in chosen if isinstance(each, Offer)) == {"small": 2, "large": 4}
    assert isinstance(await hall.seek("call6"), Waiting)


async def test_line_that_is_given_back_goes_by_band_and_then_by_arrival() -> None:
    hall = await one_line()
    await hall.waits(
        ("late", Band.NORMAL, 9), ("early", Band.NORMAL, 1), ("raised", Band.RAISED, 8),
        ("urgent", Band.URGENT, 7), ("emergency", Band.EMERGENCY, 10),
    )  # fmt: skip
    served = []
    holder = "talking"
    for _ in range(5):
        await hall.dispatch.leave(holder)
        holder, _provider = await hall.next_offer()
        served.append(holder)

    assert served == ["emergency", "urgent", "raised", "early", "late"]


async def test_newcomer_does_not_overtake_those_who_wait() -> None:
    hall = await one_line()
    await hall.waits(("waiting", Band.NORMAL, 1))
    await hall.dispatch.leave("talking")

    assert isinstance(await hall.seek("newcomer", arrived=2), Waiting)
    assert (await hall.next_offer())[0] == "waiting"


async def test_caller_who_waits_for_either_gets_whoever_is_free_first() -> None:
    hall = Hall(provider("clinicians", "clinician", lines=1), provider("handlers", "111", lines=1))
    await hall.seek("one", "clinician")
    await hall.seek("two", "111")
    assert isinstance(await hall.seek("raised", *ANYBODY, band=Band.RAISED), Waiting)

    await hall.dispatch.leave("two")
    assert await hall.next_offer() == ("raised", "handlers")


async def test_caller_who_leaves_gives_up_the_place() -> None:
    hall = await one_line()
    await hall.waits(("first", Band.NORMAL, 1), ("second", Band.NORMAL, 2))
    await hall.dispatch.leave("first")
    await hall.dispatch.leave("talking")

    assert (await hall.next_offer())[0] == "second"


async def test_asking_again_keeps_the_same_line() -> None:
    hall = Hall(provider("handlers", "111", lines=2))

    assert await hall.seek("call") == await hall.seek("call")
    assert isinstance(await hall.seek("other"), Offer), "one caller holds one line"


async def test_line_of_a_service_that_is_not_wanted_any_more_is_given_back() -> None:
    hall = Hall(provider("dental", "dental", lines=1), provider("handlers", "111"))
    assert await hall.seek("call", "dental") == Offer("dental", "dental")

    assert await hall.seek("call", "111") == Offer("handlers", "111")
    assert await hall.seek("other", "dental") == Offer("dental", "dental")


async def test_service_that_nobody_offers_is_nobody() -> None:
    assert isinstance(await Hall(provider("handlers", "111")).seek("call", "optician"), Nobody)


async def test_busy_service_is_nobody_to_one_who_cannot_hold() -> None:
    hall = await one_line()

    assert isinstance(await hall.seek("call", hold=False), Nobody)
    await hall.dispatch.leave("talking")
    assert isinstance(await hall.seek("other"), Offer), "who could not hold keeps no place"


async def test_one_who_held_and_may_not_any_more_loses_the_place() -> None:
    hall = await one_line()
    await hall.waits(("call", Band.EMERGENCY, 0))
    assert isinstance(await hall.seek("call", hold=False), Nobody)
    await hall.dispatch.leave("talking")

    assert isinstance(await hall.seek("other"), Offer)


@pytest.mark.parametrize("cause", [*COOL_DOWN_S, "something new"])
async def test_provider_that_failed_is_passed_over_while_it_cools(cause: str) -> None:
    hall = Hall(provider("bad", "111", lines=1), provider("good", "111", lines=1))
    assert await hall.seek("call") == Offer("bad", "111")
    await hall.dispatch.leg_failed("call", "bad", cause)

    assert await hall.seek("call") == Offer("good", "111")
    cools = COOL_DOWN_S.get(cause, COOL_DOWN_S["unreachable"])
    hall.clock.move(cools - 0.1)
    assert isinstance(await hall.seek("other"), Waiting)
    hall.clock.move(0.1)
    assert await hall.seek("third", band=Band.URGENT) == Offer("bad", "111")


async def test_when_all_cool_there_is_nobody() -> None:
    hall = Hall(provider("only", "111"))
    await hall.seek("call")
    await hall.dispatch.leg_failed("call", "only", "unreachable")

    assert isinstance(await hall.seek("call"), Nobody)


async def test_failure_told_twice_gives_back_one_line() -> None:
    hall = Hall(provider("only", "111", lines=1), provider("spare", "111", lines=1))
    await hall.seek("call")
    await hall.dispatch.leg_failed("call", "only", "busy")
    await hall.dispatch.leg_failed("call", "only", "busy")
    await hall.dispatch.leave("call")
    hall.clock.move(60)

    assert isinstance(await hall.seek("one"), Offer)
    assert isinstance(await hall.seek("two"), Offer)
    assert isinstance(await hall.seek("three"), Waiting)


async def test_failure_told_again_does_not_touch_the_next_provider() -> None:
    hall = Hall(provider("bad", "111", lines=1), provider("good", "111", lines=1))
    await hall.seek("call")
    await hall.dispatch.leg_failed("call", "bad", "busy")
    assert await hall.seek("call") == Offer("good", "111")
    await hall.dispatch.leg_failed("call", "bad", "busy")

    assert await hall.seek("call") == Offer("good", "111")
    assert isinstance(await hall.seek("other"), Waiting)


async def test_those_who_wait_are_offered_a_provider_that_has_cooled() -> None:
    quick = {"busy": 0.01, "unreachable": 0.01}
    hall = Hall(provider("only", "111", lines=1), provider("other", "clinician", lines=1), cool_down_s=quick)
    await hall.seek("taken", "clinician")
    await hall.seek("call")
    await hall.dispatch.leg_failed("call", "only", "busy")
    assert isinstance(await hall.seek("call", *ANYBODY), Waiting)

    hall.clock.move(0.01)
    assert await hall.next_offer() == ("call", "only")


async def fails(hall: Hall, cause: str, call_ref: str = "call") -> None:
    """The caller is offered the only provider, which fails."""
    assert await hall.seek(call_ref) == Offer("only", "111")
    await hall.dispatch.leg_failed(call_ref, "only", cause)


async def cools_for(hall: Hall) -> float:
    """After how many seconds the only provider is offered again, to the half second."""
    for halves in range(200):
        if isinstance(await hall.seek("probe", hold=False), Offer):
            await hall.dispatch.leave("probe")
            return halves / 2
        hall.clock.move(0.5)
    raise AssertionError("it is never offered again")


async def test_provider_that_keeps_failing_is_passed_over_longer_each_time_up_to_a_minute() -> None:
    hall = Hall(provider("only", "111"))
    cooled = []
    for _ in range(8):
        await fails(hall, "busy")
        cooled.append(await cools_for(hall))

    assert cooled == [2, 4, 8, 16, 32, 60, 60, 60]


async def test_provider_that_answers_begins_anew() -> None:
    hall = Hall(provider("only", "111"))
    for _ in range(3):
        await fails(hall, "busy")
        await cools_for(hall)
    await hall.seek("call")
    await hall.dispatch.leg_answered("call", "only")
    await hall.dispatch.leave("call")

    await fails(hall, "busy")
    assert await cools_for(hall) == 2


async def test_callers_who_fail_together_count_once() -> None:
    hall = Hall(provider("only", "111"))
    for n in range(5):
        await hall.seek(f"call{n}")
    for n in range(5):
        await hall.dispatch.leg_failed(f"call{n}", "only", "busy")

    assert await cools_for(hall) == 2


async def test_provider_whose_every_edge_says_down_is_not_offered() -> None:
    hall = Hall(provider("first", "111"), provider("second", "111"))
    await hall.dispatch.reachable("first", "a", False)
    await hall.dispatch.reachable("first", "b", True)
    assert await hall.seek("one") == Offer("first", "111"), "one edge reaches it"
    await hall.dispatch.leave("one")

    await hall.dispatch.reachable("first", "b", False)
    assert await hall.seek("two") == Offer("second", "111")
    await hall.dispatch.reachable("second", "a", False)
    assert isinstance(await hall.seek("three"), Nobody)


async def test_word_of_an_edge_lasts_until_it_is_taken_back_or_too_old() -> None:
    hall = Hall(provider("only", "111"))
    await hall.dispatch.reachable("only", "a", False)
    hall.clock.move(STATEMENT_S - 0.1)
    assert isinstance(await hall.seek("one"), Nobody)
    hall.clock.move(0.1)
    assert isinstance(await hall.seek("one"), Offer)

    await hall.dispatch.reachable("only", "a", False)
    assert isinstance(await hall.seek("two"), Nobody)
    await hall.dispatch.reachable("only", "a", None)
    assert isinstance(await hall.seek("two"), Offer)


async def test_those_who_wait_are_offered_a_provider_that_is_reached_again() -> None:
    hall = Hall(provider("only", "111"), provider("other", "clinician", lines=1))
    await hall.seek("taken", "clinician")
    await hall.dispatch.reachable("only", "a", False)
    assert isinstance(await hall.seek("call", *ANYBODY), Waiting)

    await hall.dispatch.reachable("only", "a", True)
    assert await hall.next_offer() == ("call", "only")


bands = st.sampled_from(Band)


@given(
    flagged=st.sampled_from([Band.EMERGENCY, Band.URGENT, Band.RAISED]),
    others=st.lists(st.tuples(bands, st.integers(0, 50)), max_size=6),
    arrived=st.integers(0, 50),
    raised_asks_first=st.booleans(),
    freed=st.lists(st.sampled_from(("handlers", "clinicians")), max_size=12),
)
def test_raised_caller_never_waits_longer_than_an_unflagged_who_arrived_with_them(
    flagged: Band, others: list[tuple[Band, int]], arrived: int, raised_asks_first: bool, freed: list[str]
) -> None:
    async def play() -> None:
        hall = Hall(provider("handlers", "111", lines=1), provider("clinicians", "clinician", lines=1))
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
            await asyncio.sleep(0)
            while not hall.offers.empty():
                call_ref, offer = hall.offers.get_nowait()
                holder[offer.provider] = call_ref
                served.append(call_ref)
        assert "unflagged" not in served or "raised" in served[: served.index("unflagged")]

    asyncio.run(play())


class Lines(RuleBasedStateMachine):
    """Callers seek, fail and leave in any order; what the house knows of its lines must stay true."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.limits = {"small": 1, "large": 2}
        self.hall = Hall(*(provider(each, "111", "clinician", lines=n) for each, n in self.limits.items()))
        self.holds: dict[str, str] = {}

    callers = st.sampled_from([f"call{n}" for n in range(6)])

    @rule(call_ref=callers, band=bands, arrived=st.integers(0, 9), hold=st.booleans())
    def seek(self, call_ref: str, band: Band, arrived: int, hold: bool) -> None:
        sought = self.run(self.hall.seek(call_ref, band=band, arrived=arrived, hold=hold))
        if isinstance(sought, Offer):
            self.holds[call_ref] = sought.provider
        else:
            assert call_ref not in self.holds, "a caller with a line lost it by asking again"

    @rule(call_ref=callers, cause=st.sampled_from(("busy", "unreachable")))
    def fail(self, call_ref: str, cause: str) -> None:
        provider_id = self.holds.pop(call_ref, "")
        self.run(self.hall.dispatch.leg_failed(call_ref, provider_id, cause))

    @rule(call_ref=callers)
    def leave(self, call_ref: str) -> None:
        self.holds.pop(call_ref, None)
        self.run(self.hall.dispatch.leave(call_ref))

    @rule(seconds=st.integers(1, 30))
    def time_passes(self, seconds: int) -> None:
        self.hall.clock.move(seconds)

    @invariant()
    def no_provider_has_more_callers_than_lines(self) -> None:
        taken = Counter(self.holds.values())
        assert all(taken[each] <= limit for each, limit in self.limits.items())

    def run(self, move: Coroutine[Any, Any, T]) -> T:
        result = self.loop.run_until_complete(move)
        self.loop.run_until_complete(asyncio.sleep(0))
        while not self.hall.offers.empty():
            call_ref, offer = self.hall.offers.get_nowait()
            assert call_ref not in self.holds, "a caller was offered a second line"
            self.holds[call_ref] = offer.provider
        return result

    def teardown(self) -> None:
        """Whoever leaves gives everything back: all lines can be taken again, and no more than there are."""
        for call_ref in [f"call{n}" for n in range(6)]:
            self.leave(call_ref)
        for call_ref in [f"call{n}" for n in range(6)]:
            self.leave(call_ref)  # whom the first leavers' lines were offered to
        self.hall.clock.move(60)
        offers = [self.run(self.hall.seek(f"last{n}")) for n in range(4)]
        assert [isinstance(each, Offer) for each in offers] == [True, True, True, False]
        self.loop.close()


def test_lines_are_never_overdrawn_nor_lost() -> None:
    run_state_machine_as_test(Lines)
