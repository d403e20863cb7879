"""What can happen next: every move of the dialplan, of a worker, of the caller and the provider, and every fault.

Each rule of the dialplan is held against the real one on a real Asterisk:

    claim, one of two gets it           test_dialplan.py::test_one_of_two_workers_gets_the_call
    T → claim                           test_dialplan.py::test_the_lease_brings_the_caller_to_another_worker
    nobody claims → fall-back           test_dialplan.py::test_no_worker_left_means_the_default_service
    a stale order → claim               test_dialplan*.py::test_a_stale_owner_moves_nobody
    the round limit                     test_dialplan.py::test_too_many_owners_without_a_result_ring_the_default_service
    a dial without a talk → claim       test_dialplan.py::test_a_dial_without_a_talk_comes_back
    a talk needs no worker, no lease    test_dialplan.py::test_a_talk_outlives_its_worker
    a late renewal does nothing         test_lease.py

(in tests/integration). The worker here is sloppier than the real one: it looks at no clock after it was hung, and has
no look of its own at the epoch that it read, but leaves that to the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.protocol.state import (
    BROADCAST,
    ENDED,
    FIRST_LEG,
    HANDED_BACK,
    LEASE,
    LEGS,
    OFF,
    PROMPT,
    SECOND_LEG,
    TALK,
    Message,
    Record,
    State,
)

Store = Callable[[Record | None, Record | None, Record], bool]
"""(what it holds, what the writer read, what they write) → whether it took it."""


class Rules(NamedTuple):
    """What holds the protocol together; each may be taken away to see what breaks."""

    store: Store
    fence: bool = True  # the dialplan compares the epoch of an order
    lease_fence: bool = True  # ... and of a renewal
    to_claim: bool = True  # a lease that ran out leads to the next claim
    dialplan_dials: bool = True  # else a worker originates the provider's leg itself
    rounds: int = 6  # owners until the fall-back; the dialplan's own 20 only make the same circles longer


class Move(NamedTuple):
    """One thing that may happen next, and the world after it."""

    name: str
    state: State


def moves(state: State, rules: Rules) -> Iterator[Move]:
    """Everything that can happen next."""
    yield from _of_the_dialplan(state, rules)
    for number in range(len(state.workers)):
        yield from _of_a_worker(state, number, rules)
    yield from _of_the_parties(state, rules)
    if state.faults:
        yield from _faults(state)
    yield from _repairs(state)
    if not _urgent(state):
        yield Move("tick", _tick(state))


# ---------------------------------------------------------------------- the dialplan


def _of_the_dialplan(state: State, rules: Rules) -> Iterator[Move]:
    dialplan = state.dialplan
    if dialplan.place == "claim" and dialplan.epoch == 0:
        yield Move("arrive", _claim(state, rules))
    elif dialplan.lease == 0:
        yield Move("T", _lease_over(state, rules))
    elif dialplan.place == "claim" and dialplan.broadcast == 0:
        yield Move("nobody", _fall_back(state))
    for number, worker in enumerate(state.workers):
        if worker.up and not worker.cut:
            sent, rest = worker.up[0], worker.up[1:]
            yield Move(f"{number} asked {sent}", _asked(state.worker(number, up=rest), number, sent, rules))


def _claim(state: State, rules: Rules) -> State:
    epoch = state.dialplan.epoch + 1
    if epoch > rules.rounds:
        return _fall_back(state)
    state = _to(state, "claim", epoch=epoch, lease=LEASE, broadcast=BROADCAST)
    for number in range(len(state.workers)):
        state = _tell(state, number, ("broadcast",))
    return state


def _fall_back(state: State) -> State:
    return _to(state, "fallback", lease=OFF)


def _lease_over(state: State, rules: Rules) -> State:
    """The T extension. Contexts without one hang up: they dial, and no lease may run there."""
    if rules.to_claim and state.dialplan.place in ("claim", "stasis"):
        return _claim(_left_stasis(state), rules)
    return _over(_left_stasis(state), "us")


def _asked(state: State, number: int, sent: Message, rules: Rules) -> State:
    """A request of a worker. ARI itself refuses only for a channel that is in no Stasis."""
    kind, dialplan = sent[0], state.dialplan
    if kind == "claim" and dialplan.place == "claim":
        state = _to(state.worker(number, holds=True, hears=True), "stasis")
        return _tell(state, number, ("start", dialplan.epoch, dialplan.returned))
    if kind == "renew":
        owns = dialplan.place in ("claim", "stasis") and sent[1] == dialplan.epoch
        if dialplan.place != "over" and (owns or not rules.lease_fence):
            return _to(state, dialplan.place, lease=LEASE)
    if kind == "order":
        return _ordered(state, sent, rules)
    return state


def _ordered(state: State, sent: Message, rules: Rules) -> State:
    _, epoch, target = sent
    if not rules.dialplan_dials and target in LEGS:
        return _to(state, state.dialplan.place, legs=(*state.dialplan.legs, target))
    if state.dialplan.place != "stasis":
        return state
    state = _left_stasis(state)
    if rules.fence and epoch != state.dialplan.epoch:
        return _claim(state, rules)
    if target == HANDED_BACK:
        return _fall_back(state)
    return _to(state, "dial", lease=OFF, target=target, legs=(target,))


def _left_stasis(state: State) -> State:
    for number, worker in enumerate(state.workers):
        if worker.holds:
            state = _tell(state.worker(number, holds=False), number, ("end", state.dialplan.epoch))
    return state


def _to(state: State, place: Any, **changes: Any) -> State:
    return state._replace(dialplan=state.dialplan._replace(place=place, **changes))


def _over(state: State, ended_by: Any) -> State:
    state = _to(_left_stasis(state), "over", lease=OFF, legs=(), ended_by=ended_by)
    for number, worker in enumerate(state.workers):
        if worker.hears:
            state = _tell(state, number, ("ended",))
    return state


def _tell(state: State, number: int, message: Message) -> State:
    worker = state.workers[number]
    if worker.life == "dead":
        return state
    return state.worker(number, down=(*worker.down, message))


# ---------------------------------------------------------------------- a worker


def _of_a_worker(state: State, number: int, rules: Rules) -> Iterator[Move]:
    worker = state.workers[number]
    if worker.life != "up":
        return
    if worker.down and not worker.cut:
        heard = worker.down[0]
        yield Move(f"{number} hears {heard}", _hears(state.worker(number, down=worker.down[1:]), number, heard))
    if worker.order is not None:
        # what is no longer ours is not performed
        up = (*worker.up, worker.order) if worker.fence == worker.order[1] else worker.up
        yield Move(f"{number} sends {worker.order}", state.worker(number, order=None, up=up))
    elif worker.todo and worker.read is None:
        yield Move(f"{number} reads", state.worker(number, read=(state.store,)))
    elif worker.todo:
        yield Move(f"{number} commits {worker.todo[0]}", _commit(state, number, rules))


def _hears(state: State, number: int, heard: Message) -> State:
    worker = state.workers[number]
    match heard:
        case ("broadcast",):
            return state.worker(number, up=(*worker.up, ("claim",)))
        case ("start", epoch, returned):
            return state.worker(number, fence=epoch, todo=(*worker.todo, ("enter", epoch, returned)))
        case ("end", epoch):
            return state.worker(number, fence=0) if worker.fence == epoch else state
        case ("key",):  # typed to another owner: it is not ours
            return state.worker(number, todo=(*worker.todo, ("key", worker.fence, 0))) if worker.fence else state
        case (kind, *value):
            return state.worker(number, todo=(*worker.todo, (kind, worker.fence, *(value or (0,)))))
    raise AssertionError(heard)


def _commit(state: State, number: int, rules: Rules) -> State:
    """The door's one step: compute from what was read, compare and set, and only then have it done."""
    worker = state.workers[number]
    assert worker.read is not None
    (kind, epoch, value), before = worker.todo[0], worker.read[0]
    life = _life_after(before, kind, value)
    if life is None:
        return state.worker(number, todo=worker.todo[1:], read=None)
    told_by_all = kind in ("ended", "answered") and before is not None
    after = Record(before.epoch if told_by_all and before else epoch, before.step + 1 if before else 1, life)
    if rules.store(state.store, before, after):
        order = ("order", epoch, life) if kind in ("enter", "key") and life in (*LEGS, HANDED_BACK) else None
        return state.worker(number, todo=worker.todo[1:], read=None, order=order)._replace(store=after)
    if state.store is not None and state.store.epoch > epoch and not told_by_all:
        fence = 0 if worker.fence == epoch else worker.fence
        return state.worker(number, todo=worker.todo[1:], read=None, fence=fence)  # another one has the call
    return state.worker(number, read=None)  # lost against another commit: read again


def _life_after(before: Record | None, kind: str, value: int) -> int | None:
    """The engine, in short. None for an input that is over, or comes before the call is known."""
    life = before.life if before else 0
    if kind == "enter":
        if not life:
            return PROMPT
        if value == life:  # the leg that the call waits for has failed
            return SECOND_LEG if life == FIRST_LEG else HANDED_BACK
        return life if life < TALK else None
    if kind == "key":
        return FIRST_LEG if life == PROMPT else None
    if kind == "answered":
        return TALK if life == value else None
    return ENDED if 0 < life < ENDED else None


# ---------------------------------------------------------------------- caller, provider, faults, time


def _of_the_parties(state: State, rules: Rules) -> Iterator[Move]:
    place = state.dialplan.place
    if place == "over" or state.dialplan.epoch == 0:
        return
    if place == "talk" or not state.patient:
        yield Move("caller hangs up", _over(state, "caller"))
    if place == "stasis" and state.keys:
        number = next(n for n, worker in enumerate(state.workers) if worker.holds)
        yield Move("key", _tell(state, number, ("key",))._replace(keys=state.keys - 1))
    if place == "dial":
        target = state.dialplan.target
        answered = _to(state, "talk")
        for number, worker in enumerate(state.workers):
            if worker.hears:
                answered = _tell(answered, number, ("answered", target))
        yield Move("answer", answered)
        yield Move("refusal", _claim(_to(state, "claim", target=0, returned=target, legs=()), rules))
    if place == "talk":
        yield Move("provider hangs up", _over(state, "provider"))


def _faults(state: State) -> Iterator[Move]:
    state = state._replace(faults=state.faults - 1, without=0)
    for number, worker in enumerate(state.workers):
        if worker.life != "dead":
            # what it had sent is on its way all the same
            dead = {"life": "dead", "fence": 0, "todo": (), "read": None, "order": None, "down": (), "hears": False}
            yield Move(f"{number} killed", state.worker(number, **dead))
        if worker.life == "up":
            yield Move(f"{number} hangs", state.worker(number, life="hung"))
        if not worker.cut and worker.life != "dead":
            yield Move(f"{number} cut off", state.worker(number, cut=True))


def _repairs(state: State) -> Iterator[Move]:
    state = state._replace(without=0)
    for number, worker in enumerate(state.workers):
        if worker.life == "hung":
            yield Move(f"{number} wakes", state.worker(number, life="up"))
        if worker.cut:
            yield Move(f"{number} connected", state.worker(number, cut=False))
        if worker.life == "dead" and not worker.up and not worker.holds:
            yield Move(f"{number} restarted", state.worker(number, life="up"))


def _urgent(state: State) -> bool:
    """Whether something happens before time goes on: all that is sound is prompt."""
    dialplan = state.dialplan
    if dialplan.epoch == 0 or dialplan.lease == 0 or (dialplan.place == "claim" and dialplan.broadcast == 0):
        return True
    return any((each.up and not each.cut) or (each.sound and each.busy) for each in state.workers)


def _tick(state: State) -> State:
    dialplan = state.dialplan
    owned = dialplan.place in ("dial", "talk", "fallback", "over") or any(
        each.holds and each.sound and each.fence == dialplan.epoch for each in state.workers
    )
    lease = dialplan.lease - 1 if dialplan.lease > 0 else dialplan.lease
    broadcast = max(0, dialplan.broadcast - 1)
    workers = tuple(_renews(each) for each in state.workers)
    return state._replace(
        dialplan=dialplan._replace(lease=lease, broadcast=broadcast),
        workers=workers,
        without=0 if owned else state.without + 1,
    )


def _renews(worker: Any) -> Any:
    if worker.life != "up" or not worker.fence:
        return worker
    if worker.cut and ("renew", worker.fence) in worker.up:
        return worker  # one that is on its way already stands for all that follow it
    return worker._replace(up=(*worker.up, ("renew", worker.fence)))
