"""Everything that decides what happens to one caller, as a value: the dialplan, the workers, the store, the wires.

Time goes in ticks of half a second. Between two ticks whatever is sound does all that it can, in every order; what is
hung or cut off does nothing, for as long as it likes. A wire is a websocket: what is sent on it arrives in order, or
later, but is neither lost nor overtaken. So a request that timed out at the worker may still be carried out.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

TICK_S = 0.5
LEASE = 4  # ticks: the dialplan's 2 s
BROADCAST = 1  # ticks: its 500 ms
OFF = -1  # no lease is running

Place = Literal["claim", "stasis", "dial", "talk", "fallback", "over"]
Message = tuple[Any, ...]
"""Its kind, then numbers. To a worker: broadcast, start, end, key, answered, ended. From one: claim, renew, order."""

# How far a call has come, as the door records it: it only grows. A LEG's number is also whom it dials.
PROMPT, FIRST_LEG, SECOND_LEG, HANDED_BACK, TALK, ENDED = 1, 2, 3, 4, 5, 6
LEGS = (FIRST_LEG, SECOND_LEG)


class Record(NamedTuple):
    """What the store holds of the call."""

    epoch: int
    step: int
    life: int


class Dialplan(NamedTuple):
    """The caller's channel. ``returned``: the target of the last dial, which brought no talk; 0 if there was none."""

    place: Place
    epoch: int
    lease: int = OFF
    broadcast: int = 0
    target: int = 0
    returned: int = 0
    legs: tuple[int, ...] = ()
    ended_by: Literal["", "caller", "provider", "us"] = ""


class Worker(NamedTuple):
    """One worker, its application in Asterisk, and the wire between the two.

    ``holds``, ``hears``: the caller is in Stasis of this application; it hears of the channel wherever that goes.
    ``fence``: the epoch that it believes to own, 0 for none. ``todo``: inputs for the door, each with the epoch that it
    came under; ``read``: what the store had for the first of them; ``order``: committed and not yet sent.
    """

    life: Literal["up", "hung", "dead"] = "up"
    cut: bool = False
    holds: bool = False
    hears: bool = False
    fence: int = 0
    todo: tuple[Message, ...] = ()
    read: tuple[Record | None] | None = None
    order: Message | None = None
    down: tuple[Message, ...] = ()
    up: tuple[Message, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether it does promptly what it has to do."""
        return self.life == "up" and not self.cut

    @property
    def busy(self) -> bool:
        """Whether it has something to do now."""
        return bool(self.down or self.todo or self.order)


class State(NamedTuple):
    """One caller's whole world. ``without``: ticks without an owner since the last fault or mending.

    ``faults``, ``keys``: how many more may come. ``patient``: the caller hangs up in a talk only.
    """

    dialplan: Dialplan
    workers: tuple[Worker, ...]
    store: Record | None = None
    without: int = 0
    faults: int = 0
    keys: int = 0
    patient: bool = True

    def worker(self, number: int, **changes: Any) -> State:
        """With one worker changed."""
        workers = list(self.workers)
        workers[number] = workers[number]._replace(**changes)
        return self._replace(workers=tuple(workers))

    def alike(self) -> State:
        """One form for all states that differ only in which worker is called which, or in what is over."""
        dialplan = self.dialplan
        if dialplan.place in ("fallback", "over"):
            dialplan = dialplan._replace(broadcast=0, target=0, returned=0)
        elif dialplan.place == "stasis":
            dialplan = dialplan._replace(broadcast=0)
        return self._replace(dialplan=dialplan, workers=tuple(sorted(self.workers, key=hash)))


def started(workers: int, *, faults: int, keys: int = 1, patient: bool = True) -> State:
    """A caller rings; all workers are connected. A ``patient`` caller hangs up only after a talk has begun."""
    return State(Dialplan("claim", 0), (Worker(),) * workers, faults=faults, keys=keys, patient=patient)
