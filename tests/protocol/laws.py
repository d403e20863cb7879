"""What may never happen to a caller, whatever fails."""

from __future__ import annotations

from tests.protocol.state import BROADCAST, LEASE, LEGS, Record, State


def broken_law(before: State, after: State) -> str | None:
    """The first law that a move breaks, in words; None if it breaks none."""
    return _of_legs(before, after) or _of_the_store(before.store, after.store) or _of_the_caller(before, after)


def _of_legs(before: State, after: State) -> str | None:
    """One leg at most; dialled for a caller who is there; and dialled only as the door has committed it."""
    legs = after.dialplan.legs
    if len(legs) > 1:
        return "two legs are dialled for one caller"
    if legs and legs != before.dialplan.legs:
        if after.dialplan.place == "over":
            return "a ghost leg: the caller's channel has ended"
        if after.store is None or after.store.life != legs[0]:
            return "a leg is dialled that the call does not wait for"
    return None


def _of_the_store(before: Record | None, after: Record | None) -> str | None:
    """A stale worker's commit never lands; each commit is one step; a call's life only moves forward."""
    if before is None or before == after:
        return None
    if after is None:
        return "the call is forgotten"
    if after.epoch < before.epoch:
        return "a stale worker's commit landed: the epoch went back"
    if after.step != before.step + 1:
        return "a commit was lost or doubled"
    if after.life < before.life:
        return "the life of the call went back"
    return None


def _of_the_caller(before: State, after: State) -> str | None:
    """Nobody is dropped by us, no talk is touched, nobody waits longer for an owner than a lease and a broadcast."""
    place = after.dialplan.place
    if after.dialplan.ended_by == "us":
        return "a talk is cut" if before.dialplan.place == "talk" else "a caller is dropped by us"
    if before.dialplan.place == "talk" and place not in ("talk", "over"):
        return "a talk is cut"
    if after.without > LEASE + BROADCAST:
        return "a caller has no owner for longer than a lease and a broadcast"
    if place in ("dial", "talk") and after.dialplan.target not in LEGS:
        return "somebody is dialled who was never asked for"
    return None
