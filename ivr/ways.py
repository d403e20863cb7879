"""Checks of the ways that callers take: who never makes a choice, and whom a service sends back.

The way of a caller who makes no choice is followed with the values of all facts and the band, so that a branch
which they cannot take is not held against the flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from ivr.actions.announce import Announce
from ivr.actions.asking import Asking
from ivr.actions.branch import Branch
from ivr.actions.call_back import CallBack
from ivr.actions.connect import Connect
from ivr.actions.disclose import Disclose
from ivr.actions.hang_up import HangUp
from ivr.actions.lookup import OUTCOMES, Lookup
from ivr.actions.node import Node
from ivr.actions.offer import Offer
from ivr.actions.play import Play
from ivr.actions.record import Record
from ivr.actions.say import Say
from ivr.actions.seek import Seek
from ivr.actions.set import Set
from ivr.actions.survey import Survey
from ivr.errors import Defect
from ivr.flow import Flow
from ivr.model import Band, FactValue

MOST_STATES = 200_000
"""Places and facts together, above which a flow is refused: nobody could read it either."""

_State: TypeAlias = tuple[str, tuple[tuple[str, FactValue], ...], Band]


def without_a_choice(flow: Flow) -> Iterator[Defect]:
    """A caller who is silent, or not understood, comes to a person: never to another service, never to the end."""
    ahead: list[_State] = [_state(flow.start, flow.first_facts(), Band.NORMAL)]
    seen: set[_State] = set()
    told: set[str] = set()
    while ahead:
        state = ahead.pop()
        if state in seen:
            continue
        seen.add(state)
        if len(seen) > MOST_STATES:
            yield Defect((), "size", f"more than {MOST_STATES} combinations of places and facts")
            return
        node_id, facts, band = state
        node = flow.node(node_id)
        if isinstance(node, HangUp) or (isinstance(node, Connect) and node.diverts and band is Band.NORMAL):
            if node_id not in told:
                told.add(node_id)
                text = "a caller who says and presses nothing that we understand comes here, not to a person"
                yield Defect(("nodes", node_id), "silence", text)
        elif node is not None:
            ahead.extend(_state(to, after, raised) for to, after, raised in _next(flow, node_id, dict(facts), band))


def _state(node_id: str, facts: Mapping[str, FactValue], band: Band) -> _State:
    return node_id, tuple(sorted(facts.items())), band


def _next(
    flow: Flow, node_id: str, facts: dict[str, FactValue], band: Band
) -> Iterator[tuple[str, dict[str, FactValue], Band]]:
    node = flow.node(node_id)
    match node:
        case Asking():
            for missed in ("no_input", "no_match"):
                yield flow.target(node_id, missed), facts, band
        case Branch():
            yield flow.target(node_id, node.leaves_by(facts)), facts, band
        case Lookup():
            for outcome in OUTCOMES[node.what]:
                for after in (band, _higher(band, Band.RAISED)):
                    yield flow.target(node_id, "next"), {**facts, node.into: outcome}, after
        case Set():
            yield flow.target(node_id, "next"), {**facts, **node.facts}, _higher(band, node.band or band)
        case Offer():
            yield flow.target(node_id, "raised" if band is not Band.NORMAL else "declined"), facts, band
        case Say() | Play() | Announce() | CallBack() | Survey() | Record():
            yield flow.target(node_id, "next"), facts, band
        case Disclose():
            yield flow.target(node_id, node.enters_by(facts)), facts, band
        case Connect() if node.diverts:
            yield flow.target(node_id, "raised"), facts, band
        case _:
            return  # a person takes them, or nobody can: the failed exits have their own rules


def _higher(one: Band, other: Band) -> Band:
    return min(one, other, key=lambda band: band.rank)


def after_a_service(flow: Flow) -> Iterator[Defect]:
    """Whom a service cannot take goes back to a person, without another menu or message (safety rule 2)."""
    for node_id, node in flow.nodes.items():
        if isinstance(node, Seek):
            for name in sorted(node.exit_names() & set(node.exits)):
                if (asked := _asked_on_the_way(flow, node.exits[name])) is not None:
                    text = f"a caller whom the service cannot take meets {asked} instead of a person"
                    yield Defect(("nodes", node_id, "exits", name), "menu_after_service", text)


def _asked_on_the_way(flow: Flow, first: str) -> str | None:
    ahead, seen = [first], set[str]()
    while ahead:
        node_id = ahead.pop()
        node = flow.node(node_id)
        if node_id in seen or node is None or isinstance(node, Seek):
            continue
        if isinstance(node, Asking | Offer | Announce | CallBack | Survey):
            return node_id
        seen.add(node_id)
        ahead.extend(_exits(node))
    return None


def _exits(node: Node) -> tuple[str, ...]:
    return tuple(node.exits.values())
