"""The same protocol, three workers, faults without end: long random lives of one caller (Hypothesis)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.protocol.laws import broken_law
from tests.protocol.moves import Rules, moves
from tests.protocol.state import started
from tests.protocol.stores import RealStore

pytestmark = pytest.mark.alone

ENDLESS = 1_000


class LongRun(RuleBasedStateMachine):
    """Any move that is possible, one after another."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol = Rules(RealStore(), rounds=20)
        self.state = started(3, faults=ENDLESS, keys=ENDLESS, patient=False)

    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        """A move, and what must hold after it."""
        possible = list(moves(self.state, self.protocol))
        chosen = data.draw(st.sampled_from(possible), label="move") if possible else None
        if chosen is None:
            return
        assert broken_law(self.state, chosen.state) is None
        self.state = chosen.state

    @rule(data=st.data())
    def everything_sound_goes_on(self, data: st.DataObject) -> None:
        """Moves that are no fault, no repair and no hang-up: else most lives would end young."""
        for _ in range(data.draw(st.integers(1, 10))):
            state = self.state._replace(faults=0, patient=True)
            going_on = [
                each
                for each in moves(state, self.protocol)
                if not each.name.endswith(("wakes", "connected", "restarted"))
            ]
            if not going_on:
                return
            chosen = data.draw(st.sampled_from(going_on), label="move")
            assert broken_law(self.state, chosen.state) is None
            self.state = chosen.state._replace(faults=ENDLESS, patient=False)


TestLongRuns = LongRun.TestCase
TestLongRuns.settings = settings(
    max_examples=100, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
