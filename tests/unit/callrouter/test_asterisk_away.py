"""An Asterisk that stays away: its calls are closed as dropped, and who rings back goes on through another one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from call_world import House

from adapters.asterisk.absence import AWAY_S, CONNECTED_S, Absence, is_connected, say_connected
from adapters.asterisk.ari import Ari, AriLost
from adapters.asterisk.watch import AsteriskWatch
from callrouter import events as ev
from callrouter.calls import Calls
from callrouter.model import NEXT_LIFE, Arrival, CallRecord, Input, InputKind, Reply
from callrouter.resuming import CutOff
from infra.errors import StateUnavailable
from infra.lease import Leases, MemoryLeases
from infra.numbers import read_number
from infra.state import Version
from ivr.model import GatherWait, LegWait

pytestmark = pytest.mark.asyncio
RING_BACK = "+447700900123"
LONG_S = AWAY_S + 4.0  # it is missed at the first look in vain at which nobody's word holds any more


class Exchange(Ari):
    """The connection to an Asterisk with some callers on the line, which may be gone; without its wire."""

    def __init__(self) -> None:
        super().__init__("http://asterisk/ari", "watch", "user", "password")
        self.callers: list[str] = []
        self.is_gone = False

    async def wait_connected(self, seconds: float = 5.0) -> None:
        if self.is_gone:
            raise AriLost(f"not connected within {seconds:g} s")

    async def request(self, method: str, path: str, body: object = None, **query: str) -> Any:
        await self.wait_connected()
        return [_channel(each) for each in self.callers] if path == "/channels" else []


def _channel(call_ref: str) -> dict[str, object]:
    told = {"CALL_REF": call_ref, "STAGE": "new"}
    return {"id": f"1.{call_ref}", "name": "PJSIP/carrier-1", "state": "Up", "channelvars": told,
            "creationtime": "2026-03-28T12:00:00.000+0000"}  # fmt: skip


class NoLeases:
    """Redis is away."""

    async def hold(self, name: str, holder: str, seconds: float) -> bool:
        raise StateUnavailable("away")

    async def is_held(self, name: str) -> bool:
        raise StateUnavailable("away")

    async def release(self, name: str, holder: str) -> None:
        raise StateUnavailable("away")


@dataclass
class Watched:
    """A service with two Asterisks, and the process that watches them."""

    house: House
    leases: Leases = field(init=False)
    is_trusted: bool = True
    failures: int = 0
    exchanges: dict[str, Exchange] = field(default_factory=dict)
    watches: dict[str, AsteriskWatch] = field(default_factory=dict)

    @property
    def cut_off(self) -> CutOff:
        return CutOff(self.house.states, self.house.keys, self.house.shared_lines.__contains__)

    def open(self) -> None:
        self.leases = MemoryLeases(self.house.clock.monotonic)
        self.house.connected = lambda edge: is_connected(self.leases, edge)
        for edge in ("east", "west"):
            self.exchanges[edge] = Exchange()
            absence = Absence(
                self.house.clock, self._connected(edge), self._says(edge), self._another(edge),
                lambda: self.is_trusted,
            )  # fmt: skip
            self.watches[edge] = AsteriskWatch(
                edge, self.exchanges[edge], None, self.house.door, self.house.dispatch, self.house.clock,
                lambda: self.is_trusted, absence, self._doubt,
            )  # fmt: skip

    async def _doubt(self, record: CallRecord) -> None:
        if self.failures:
            self.failures -= 1
            raise StateUnavailable("the test took it away")
        await self.cut_off.doubt(record)

    def _connected(self, edge: str) -> Callable[[], Awaitable[bool]]:
        return lambda: is_connected(self.leases, edge)

    def _says(self, edge: str) -> Callable[[], Awaitable[None]]:
        return lambda: say_connected(self.leases, edge)

    def _another(self, edge: str) -> Callable[[], bool]:
        return lambda: any(each.answers for name, each in self.watches.items() if name != edge)

    async def rings(self, edge: str, call_ref: str = "call") -> None:
        await self.house.start(call_ref, number=RING_BACK, key=call_ref, edge=edge)
        self.exchanges[edge].callers.append(call_ref)
        await self.look()

    async def look(self, seconds: float = 0.0) -> None:
        """So much later, every two seconds until then."""
        for _ in range(int(seconds) // 2):
            self.house.clock.move(2)
            await self.look()
        for each in self.watches.values():
            await each.look()

    async def dies(self, edge: str) -> None:
        """The process, and every word that it is seen; the next look is in vain."""
        self.exchanges[edge].is_gone = True
        self.house.clock.move(CONNECTED_S)
        await self.look()

    async def rings_again(self, call_ref: str = "again", door: Calls | None = None, edge: str = "west") -> Reply:
        """The same number, by the other Asterisk."""
        arrival = Arrival("test", "111", read_number(RING_BACK), edge)
        given = Input(call_ref, InputKind.STARTED, self.house.clock.now(), epoch=1, arrival=arrival)
        return await (door or self.house.door).handle(call_ref, given)

    async def resumed(self, call_ref: str = "again") -> str | None:
        return (await self.house.events(ev.Offered, call_ref))[0].resumes

    async def ends(self, call_ref: str = "call") -> list[str]:
        return [each.end_class for each in await self.house.events(ev.Ended, call_ref)]


@pytest.fixture
def watched(house: House) -> Watched:
    made = Watched(house)
    made.open()
    return made


async def test_who_rings_back_goes_on_through_the_other_asterisk(watched: Watched) -> None:
    await watched.rings("east")
    await watched.rings("west", "other")
    watched.exchanges["east"].is_gone = True
    await watched.look(LONG_S)
    assert await watched.ends() == ["dropped_by_us"]
    assert await watched.ends("other") == []
    reply = await watched.house.start("again", number=RING_BACK, key="again", edge="west")
    assert isinstance(reply.wait, GatherWait)
    assert [each.resumes for each in await watched.house.events(ev.Offered, "again")] == ["call"]


async def test_an_asterisk_that_comes_back_with_the_end_doubles_nothing(watched: Watched) -> None:
    await watched.rings("east")
    watched.exchanges["east"].is_gone = True
    await watched.look(LONG_S)
    before = await watched.house.recorded()
    watched.exchanges["east"].is_gone = False
    watched.exchanges["east"].callers.clear()
    for key in ("call.ended", "as a callback tells it"):
        await watched.house.tell(InputKind.HUNG_UP, "caller 16", key=key, epoch=0)
    await watched.look(60)
    assert await watched.house.recorded() == before


async def test_a_call_that_nobody_saw_on_it_is_gone_for_the_sweep(watched: Watched) -> None:
    await watched.look()
    await watched.house.start(number=RING_BACK, edge="east")
    watched.exchanges["east"].is_gone = True
    await watched.look()
    assert watched.watches["east"].place("call") == "unknown"
    await watched.look(LONG_S)
    assert watched.watches["east"].place("call") == "gone"


async def a_worker_is_connected(watched: Watched) -> None:
    watched.leases = MemoryLeases(lambda: 0.0)  # its word is given again and again, and never lapses
    await say_connected(watched.leases, "east")


async def nothing_answers(watched: Watched) -> None:
    watched.exchanges["west"].is_gone = True


async def redis_is_away(watched: Watched) -> None:
    watched.leases = NoLeases()


async def not_every_call_is_known(watched: Watched) -> None:
    watched.is_trusted = False


async def the_caller_is_on_a_newer_line(watched: Watched) -> None:
    await watched.house.tell(InputKind.TAKEN_OVER, "west", epoch=NEXT_LIFE + 1)


@pytest.mark.parametrize(
    "it_may_be",
    [a_worker_is_connected, nothing_answers, redis_is_away, not_every_call_is_known, the_caller_is_on_a_newer_line],
)
async def test_nobody_is_given_up_as_long_as(watched: Watched, it_may_be: Callable[[Watched], object]) -> None:
    await watched.rings("east")
    await it_may_be(watched)  # type: ignore[misc]
    watched.exchanges["east"].is_gone = True
    await watched.look(LONG_S)
    assert await watched.ends() == []


async def test_a_pause_gives_nobody_up(watched: Watched) -> None:
    await watched.rings("east")
    for _ in range(3):
        watched.exchanges["east"].is_gone = True
        await watched.look(AWAY_S - 2.0)
        watched.exchanges["east"].is_gone = False
        await watched.look(2)
    assert await watched.ends() == []


async def our_network_is_cut(watched: Watched) -> None:
    for each in watched.exchanges.values():
        each.is_gone = True


async def the_other_answers_again(watched: Watched) -> None:
    watched.exchanges["west"].is_gone = False


async def every_call_is_known_again(watched: Watched) -> None:
    watched.is_trusted = True


@pytest.mark.parametrize(
    ("it_may_be", "mends"),
    [(our_network_is_cut, the_other_answers_again), (not_every_call_is_known, every_call_is_known_again)],
)
async def test_nobody_is_given_up_in_the_first_ten_seconds_after_all_else_is_well(
    watched: Watched, it_may_be: Callable[[Watched], object], mends: Callable[[Watched], object]
) -> None:
    """A cut of ours mends at one Asterisk a look before the other, whose callers have been there all the time."""
    await watched.rings("east")
    await it_may_be(watched)  # type: ignore[misc]
    watched.exchanges["east"].is_gone = True
    await watched.look(30)
    await mends(watched)  # type: ignore[misc]
    await watched.look(AWAY_S - 2.0)
    assert watched.watches["east"].place("call") == "unknown", "the sweep closes nobody either"
    watched.exchanges["east"].is_gone = False
    await watched.look(4)
    assert await watched.ends() == []


async def test_one_that_stays_away_after_our_own_cut_is_given_up_later(watched: Watched) -> None:
    await watched.rings("east")
    await our_network_is_cut(watched)
    await watched.look(30)
    await the_other_answers_again(watched)
    await watched.look(LONG_S + 2.0)
    assert await watched.ends() == ["dropped_by_us"]


async def test_who_rings_back_at_once_goes_on_where_they_were(watched: Watched) -> None:
    """No ten seconds have gone by: that its number rings again, by the other one, says what nobody else can."""
    await watched.rings("east")
    await watched.dies("east")
    reply = await watched.rings_again()
    assert isinstance(reply.wait, GatherWait)
    assert reply.wait.node == "main_menu"
    assert await watched.resumed() == "call"
    assert await watched.ends() == ["dropped_by_us"]
    await watched.look(LONG_S)
    assert await watched.ends() == ["dropped_by_us"], "the watch has nothing more to tell"


async def test_a_note_that_fails_is_made_at_the_next_look_and_the_others_at_once(watched: Watched) -> None:
    await watched.rings("east")
    await watched.rings("east", "other")
    watched.failures = 1
    await watched.dies("east")
    number = read_number(RING_BACK)
    assert len(await watched.cut_off.of(number)) == 1
    await watched.look(2)
    assert sorted(await watched.cut_off.of(number)) == ["call", "other"]


async def test_who_was_talking_is_put_through_at_once_though_nobody_has_closed_the_talk_yet(watched: Watched) -> None:
    first = await watched.house.start(number=RING_BACK, edge="east")
    await watched.house.press("1", first)
    await watched.house.tell(InputKind.LEG_ANSWERED)
    watched.exchanges["east"].callers.append("call")
    await watched.look()
    await watched.dies("east")
    assert isinstance((await watched.rings_again()).wait, LegWait)
    assert await watched.ends() == ["answered"]


async def test_of_two_who_ring_back_by_two_workers_at_once_one_goes_on(watched: Watched) -> None:
    """Two people of one line: neither hears anything of the first call; the old call has one end."""
    await watched.rings("east")
    await watched.dies("east")
    other = watched.house.new_door()
    await asyncio.gather(watched.rings_again(), watched.rings_again("too", door=other))
    assert sorted([str(await watched.resumed()), str(await watched.resumed("too"))]) == ["None", "call"]
    assert await watched.ends() == ["dropped_by_us"]


@pytest.mark.parametrize("it_is", [a_worker_is_connected, redis_is_away, the_caller_is_on_a_newer_line])
async def test_who_may_be_on_the_line_still_is_not_dropped_by_another_call_of_the_number(
    watched: Watched, it_is: Callable[[Watched], object]
) -> None:
    await watched.rings("east")
    await watched.dies("east")
    await it_is(watched)  # type: ignore[misc]
    await watched.rings_again()
    assert await watched.resumed() is None
    assert await watched.ends() == []


async def test_a_cut_of_the_watch_alone_makes_nobody_a_caller_who_rings_back(watched: Watched) -> None:
    """It sees nothing for a moment; the call goes on and ends as any; and then they ring again."""
    await watched.rings("east")
    await watched.dies("east")
    watched.exchanges["east"].is_gone = False
    await watched.look(2)
    await watched.house.tell(InputKind.HUNG_UP, "caller 16")
    await watched.rings_again()
    assert await watched.resumed() is None


async def test_a_line_of_many_closes_nobodys_call_by_ringing_again(watched: Watched) -> None:
    """Two people of a busy switchboard, and a short cut of our own network: the first talks on."""
    watched.house.shared_lines.add(RING_BACK)
    await watched.rings("east")
    await watched.dies("east")
    await watched.rings_again()
    assert await watched.resumed() is None
    assert await watched.ends() == []


async def test_calls_that_nobody_dropped_take_no_place_of_one_that_was(watched: Watched) -> None:
    """Five calls of one line are in doubt for a moment that harms nobody; a sixth is cut off minutes later."""
    for count in range(5):
        await watched.rings("east", f"c{count}")
    await watched.dies("east")
    watched.exchanges["east"].is_gone = False
    await watched.look(2)
    for count in range(5):
        await watched.house.tell(InputKind.HUNG_UP, "caller 16", call_ref=f"c{count}")
    await watched.house.start("sixth", number=RING_BACK, key="sixth", edge="east")
    await watched.house.tell(InputKind.HUNG_UP, "us lost", call_ref="sixth")
    await watched.rings_again()
    assert await watched.resumed() == "sixth"


async def test_an_old_call_that_does_not_open_breaks_no_new_one_and_hides_no_other(watched: Watched) -> None:
    """The older of two that are in doubt can be read; the younger was sealed by a key that is not ours."""
    await watched.rings("east", "older")
    watched.house.clock.move(60)
    await watched.rings("east")
    await watched.dies("east")
    stored = await watched.house.states.read("call")
    assert stored is not None
    spoilt = replace(stored, version=Version(9, 9), value=b"x" + stored.value[1:])
    assert await watched.house.states.commit("call", stored.version, spoilt, (), keep_s=60, due_s=None)
    reply = await watched.rings_again()
    assert isinstance(reply.wait, GatherWait)
    assert await watched.resumed() == "older"


async def test_what_its_asterisk_tells_late_of_a_call_that_another_resumed_moves_neither(watched: Watched) -> None:
    """It lived, cut off from us all: who talks there goes on until they hang up. Nobody ends it for them."""
    await watched.rings("east")
    await watched.dies("east")
    await watched.rings_again()
    before = await watched.house.recorded("again")
    watched.exchanges["east"].is_gone = False
    await watched.look(2)
    for kind, value in ((InputKind.TAKEN_OVER, "east"), (InputKind.LEG_ANSWERED, ""), (InputKind.HUNG_UP, "caller 16")):
        late = await watched.house.tell(kind, value, epoch=2)
        assert late.instructions == ()
    assert await watched.ends() == ["dropped_by_us"]
    assert await watched.house.recorded("again") == before


async def test_a_call_that_the_watch_sees_again_is_dropped_by_no_other_of_its_number(watched: Watched) -> None:
    """Of a short cut of the watch a doubt is left; minutes later no worker says a word, and the talk goes on."""
    await watched.rings("east")
    await watched.dies("east")
    watched.exchanges["east"].is_gone = False
    await watched.look(2)
    await watched.rings_again()
    assert await watched.resumed() is None
    assert await watched.ends() == []
