"""The five-state menu on three state machines from PyPI: menu, waiting, ringing, talking, over.

``python -m tests.bench.rivals.machines NAME CALLS`` prints the seconds of CPU that so many calls took. A call is four
inputs after its start: a key that is not on offer (counted), key 1, a line that is found, an answer and the end of the
talk make five. Each state's entry leaves what is to be performed, as our engine's instructions do. No session is
written anywhere: a rival's call lives in the memory of its process.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

MISSES = 2
STATES = ("menu", "waiting", "ringing", "talking", "over")
INPUTS: tuple[tuple[str, str], ...] = (
    ("digit", "9"), ("digit", "1"), ("offered", "north"), ("leg_answered", "agent"), ("talk_ended", "caller"),
)  # fmt: skip
"""What one caller does, and what becomes of them: our engine is given the same (`tests/bench/engine.py`)."""


class Caller:
    """What a call carries besides its state."""

    def __init__(self) -> None:
        self.misses = 0
        self.instructions: list[tuple[str, ...]] = []

    def ask(self) -> None:
        """Entry of the menu."""
        self.instructions = [("answer",), ("play", "welcome", "menu"), ("gather", "1")]

    def again(self) -> None:
        """A key that is not on offer."""
        self.misses += 1
        self.instructions = [("play", "not_understood", "menu"), ("gather", "1")]

    def hold(self) -> None:
        """Entry of the queue."""
        self.instructions = [("hold",)]

    def dial(self) -> None:
        """A line was found."""
        self.instructions = [("unhold",), ("connect", "north")]

    def talk(self) -> None:
        """They talk: nothing is to be done."""
        self.instructions = []

    def end(self) -> None:
        """The talk is over."""
        self.instructions = [("end",)]


def with_transitions() -> Callable[[], None]:
    """transitions: one machine, a model for each call, as its documentation has it for many of a kind."""
    from transitions import Machine

    class Model(Caller):
        def known(self, value: str) -> bool:
            return value == "1"

        def may_miss(self, value: str) -> bool:
            return self.misses < MISSES

        def again(self, value: str) -> None:  # type: ignore[override]
            super().again()

        def hold(self, value: str) -> None:  # type: ignore[override]
            super().hold()

        def dial(self, value: str) -> None:  # type: ignore[override]
            super().dial()

        def talk(self, value: str) -> None:  # type: ignore[override]
            super().talk()

        def end(self, value: str) -> None:  # type: ignore[override]
            super().end()

    machine: Any = Machine(model=None, states=list(STATES), initial="menu", auto_transitions=False)
    machine.add_transition("digit", "menu", "waiting", conditions="known", after="hold")
    machine.add_transition("digit", "menu", None, conditions="may_miss", after="again")
    machine.add_transition("digit", "menu", "waiting", after="hold")
    machine.add_transition("offered", "waiting", "ringing", after="dial")
    machine.add_transition("leg_answered", "ringing", "talking", after="talk")
    machine.add_transition("talk_ended", "talking", "over", after="end")

    def call() -> None:
        model: Any = Model()
        machine.add_model(model)
        model.ask()
        for name, value in INPUTS:
            getattr(model, name)(value)
        assert model.state == "over"
        machine.remove_model(model)

    return call


def with_statemachine() -> Callable[[], None]:
    """python-statemachine: a machine for each call."""
    from statemachine import State, StateMachine

    class Menu(StateMachine):
        menu = State(initial=True)
        waiting, ringing, talking = State(), State(), State()
        over = State(final=True)
        digit = (
            menu.to(waiting, cond="known", on="hold")
            | menu.to.itself(internal=True, cond="may_miss", on="again")
            | menu.to(waiting, on="hold")
        )
        offered = waiting.to(ringing, on="dial")
        leg_answered = ringing.to(talking, on="talk")
        talk_ended = talking.to(over, on="end")

        def __init__(self) -> None:
            self.caller = Caller()
            super().__init__()

        def known(self, value: str) -> bool:
            return value == "1"

        def may_miss(self) -> bool:
            return self.caller.misses < MISSES

        def on_enter_menu(self) -> None:
            self.caller.ask()

        def again(self) -> None:
            self.caller.again()

        def hold(self) -> None:
            self.caller.hold()

        def dial(self) -> None:
            self.caller.dial()

        def talk(self) -> None:
            self.caller.talk()

        def end(self) -> None:
            self.caller.end()

    def call() -> None:
        machine = Menu()
        for name, value in INPUTS:
            machine.send(name, value=value)
        assert machine.over.is_active

    return call


CHART = """
statechart:
  name: menu
  root state:
    name: root
    initial: menu
    states:
      - name: menu
        on entry: caller.ask()
        transitions:
          - {event: digit, guard: event.value == '1', target: waiting}
          - {event: digit, guard: event.value != '1' and caller.misses < 2, action: caller.again()}
          - {event: digit, guard: event.value != '1' and caller.misses >= 2, target: waiting}
      - name: waiting
        on entry: caller.hold()
        transitions: [{event: offered, target: ringing}]
      - name: ringing
        on entry: caller.dial()
        transitions: [{event: leg_answered, target: talking}]
      - name: talking
        on entry: caller.talk()
        transitions: [{event: talk_ended, target: over}]
      - name: over
        type: final
"""


def with_sismic() -> Callable[[], None]:
    """sismic: an interpreter for each call, over one chart."""
    from sismic.interpreter import Interpreter
    from sismic.io import import_from_yaml

    chart = import_from_yaml(CHART)

    def call() -> None:
        caller = Caller()
        interpreter = Interpreter(chart, initial_context={"caller": caller})
        interpreter.execute()
        for name, value in INPUTS:
            interpreter.queue(name, value=value)
            interpreter.execute()
        assert interpreter.final

    return call


RIVALS = {"transitions": with_transitions, "python-statemachine": with_statemachine, "sismic": with_sismic}


if __name__ == "__main__":
    one = RIVALS[sys.argv[1]]()
    one()
    began = time.process_time()
    for _ in range(int(sys.argv[2])):
        one()
    print(time.process_time() - began)
