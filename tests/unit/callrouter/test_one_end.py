"""However often a call's end is told, in whatever order, by whomever and at whatever time: the journal has one end."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from call_world import NUMBER, House
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from callrouter import events as ev
from callrouter.calls import Calls
from callrouter.errors import StaleEpoch, UnknownCall
from callrouter.model import WITHOUT_US, Arrival, Input, InputKind
from infra.numbers import read_number
from infra.state import MemoryStates

T = TypeVar("T")
HOURS = st.integers(-2, 2)
DOORS = st.sampled_from((0, 1))
WHY = {
    "the dialplan's event": "caller 16",
    "its row in AstDB": "provider 16",
    "Asterisk came back": "us edge_restarted",
    "the sweep": "us lost",
    "a callback": "unknown gone",
}


class Ends(RuleBasedStateMachine):
    """One call and two doors: one on the store, one of a worker that reaches only its own copies of calls."""

    house: ClassVar[House]
    runner: ClassVar[asyncio.Runner]
    numbers: ClassVar = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.call_ref = f"call{next(self.numbers)}"
        self.doors = [self.house.door, self.do(self._cut_off())]
        self.told = False

    async def _cut_off(self) -> Calls:
        return self.house.new_door(states=MemoryStates(self.house.stream))

    def do(self, move: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(move)

    def tell(self, door: int, given: Input) -> bool:
        try:
            self.do(self.doors[door].handle(self.call_ref, given))
        except (UnknownCall, StaleEpoch):
            return False
        return True

    @initialize(door=DOORS)
    def rings(self, door: int) -> None:
        self.begin(door, without_us=False)

    @rule(door=DOORS, without_us=st.booleans())
    def begin(self, door: int, without_us: bool) -> None:
        """A worker has the caller, or the watch finds a call that the dialplan carried."""
        arrival = Arrival("test", "111", read_number(NUMBER), "")
        value = WITHOUT_US if without_us else ""
        key = f"{self.call_ref}.{value}"
        self.tell(door, Input(key, InputKind.STARTED, self.house.clock.now(), value=value, arrival=arrival))

    @rule(door=DOORS, why=st.sampled_from(list(WHY)), hours=HOURS, same_key=st.booleans())
    def ends(self, door: int, why: str, hours: int, same_key: bool) -> None:
        key = f"{self.call_ref}.ended" if same_key else f"{self.call_ref}.ended by {why}"
        at = self.house.clock.now() + timedelta(hours=hours)
        self.told |= self.tell(door, Input(key, InputKind.HUNG_UP, at, value=WHY[why], epoch=0))

    @rule(door=DOORS, epoch=st.integers(2, 4))
    def is_taken_over(self, door: int, epoch: int) -> None:
        key = f"{self.call_ref}.{epoch}.taken_over"
        self.tell(door, Input(key, InputKind.TAKEN_OVER, self.house.clock.now(), epoch=epoch))

    @rule(door=DOORS, kind=st.sampled_from((InputKind.LEG_ANSWERED, InputKind.TALK_ENDED, InputKind.LEG_ENDED)))
    def callback_comes(self, door: int, kind: InputKind) -> None:
        self.tell(door, Input(f"{self.call_ref}.{kind}", kind, self.house.clock.now(), value="caller 16", epoch=0))

    @rule(hours=HOURS)
    def clock_steps(self, hours: int) -> None:
        self.house.clock.jump(hours * 3600.0)

    @rule()
    def journal_is_written(self) -> None:
        self.do(self.house.writer.drain())

    @invariant()
    def there_is_one_end(self) -> None:
        """Checked on what is written so far: the journal is append only."""
        recorded = self.do(self.house.journal.read(self.call_ref))
        assert sum(isinstance(each.event, ev.Ended) for each in recorded) <= 1
        assert [each.seq for each in recorded] == list(range(1, len(recorded) + 1))

    def teardown(self) -> None:
        recorded = self.do(self.house.recorded(self.call_ref))
        assert sum(isinstance(each.event, ev.Ended) for each in recorded) == self.told
        assert [each.seq for each in recorded] == list(range(1, len(recorded) + 1))
        super().teardown()


def test_a_call_has_one_end_whoever_tells_it_and_when(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        Ends.house, Ends.runner = House(tmp_path), runner
        runner.run(Ends.house.open())
        try:
            run_state_machine_as_test(Ends, settings=settings(deadline=None, stateful_step_count=15))
        finally:
            runner.run(Ends.house.close())
