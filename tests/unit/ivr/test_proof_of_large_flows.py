"""A flow of a thousand nodes is checked while its author waits, and one that is too large is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from typing import Any, TypeVar

import pytest

from ivr.check import World, check
from ivr.flow import Flow, read_flow
from ivr.model import MAX_NODES
from ivr.proof.lengths import Lengths, estimate_lengths
from ivr.proof.prove import Proof, prove
from ivr.proof.report import report

T = TypeVar("T")

ENOUGH_S = 2.0
"""Of one core, for a thousand nodes; it takes some tenths of a second where nobody else uses the machine."""
ROUNDS = 3
"""The quickest counts: what others do on the machine slows a core down, too."""

TEXTS = {
    "emergency_999": "Dial 999.",
    "recording_notice": "Calls are recorded.",
    "hold_111": "Please wait.",
    "q": "Press 1.",
}
NEEDED = ("red_flag_connecting", "sorry_missed_that", "sorry_cut_off")


def pathways(number: int, *, broken: bool = False) -> Flow:
    """A front menu of nine pathways, each a long row of questions, look-ups, branches and queues: 9 · number nodes."""
    nodes: dict[str, Any] = {
        "hello": {
            "action": "say", "prompts": ["emergency_999", "recording_notice"], "barge_in": False,
            "exits": {"next": "front"},
        },
        "front": {
            "action": "menu", "prompts": ["q"], "keys": {str(n): f"way{n}" for n in range(1, 10)},
            "exits": {f"way{n}": f"find{n}_0" for n in range(1, 10)},
        },
        "handler": {"action": "queue", "services": ["111"], "hold_s": 900, "hold_prompts": ["hold_111"]},
    }  # fmt: skip
    last = number // 6 - 1
    for way in range(1, 10):
        for step in range(last + 1):
            nodes |= _step(f"{way}_{step}", f"find{way}_{step + 1}" if step < last else "handler")
    if broken:
        nodes["set9_0"]["exits"] = {"next": "find9_0"}
    facts = {
        "open": {"values": ["open", "closed", "unknown"]},
        "reason": {"values": ["one", "two"]},
        "plan": {"values": ["none", "candidates", "asserted", "confirmed", "unavailable"]},
    }
    return read_flow({"flow": "large", "title": "Large", "start": "hello", "facts": facts, "nodes": nodes})


def _step(name: str, then: str) -> dict[str, Any]:
    return {
        f"find{name}": {
            "action": "lookup", "what": "hours", "service": "111", "into": "open", "exits": {"next": f"plan{name}"},
        },
        f"plan{name}": {"action": "lookup", "what": "plan", "into": "plan", "exits": {"next": f"fork{name}"}},
        f"fork{name}": {
            "action": "branch", "fact": "open", "exits": {"closed": "handler", "else": f"ask{name}"},
        },
        f"ask{name}": {
            "action": "menu", "prompts": ["q"], "keys": {"1": "one", "2": "two"}, "words": {"one": ["yes"]},
            "exits": {"one": f"set{name}", "two": f"line{name}"},
        },
        f"set{name}": {"action": "set", "facts": {"reason": "one"}, "exits": {"next": then}},
        f"line{name}": {"action": "connect", "services": ["111"], "exits": {"failed": "handler"}},
    }  # fmt: skip


def lengths() -> Lengths:
    return estimate_lengths([TEXTS | dict.fromkeys(NEEDED, "Please wait.")])


def in_time(work: Callable[[], T]) -> T:
    """What ``work`` gives; fails if no round is done in time."""
    took: list[float] = []
    while len(took) < ROUNDS:
        began = process_time()
        done = work()
        took.append(process_time() - began)
        if took[-1] < ENOUGH_S:
            return done
    pytest.fail(f"never under {ENOUGH_S:g} s of CPU: {took}")


def test_a_thousand_nodes_are_proved_and_reported_while_the_author_waits() -> None:
    flow = pathways(115)

    def proved() -> tuple[Proof, str]:
        found = prove(flow, lengths())
        return found, report(found).verdict()

    found, verdict = in_time(proved)

    assert len(flow.nodes) > 1000
    assert found.defects == ()
    assert "every path ends with a person" in verdict


def test_a_way_round_among_a_thousand_nodes_is_found_while_the_author_waits() -> None:
    flow = pathways(115, broken=True)
    found = in_time(lambda: prove(flow, lengths()))

    assert [defect.rule for defect in found.defects if defect.rule == "loop"] == ["loop"]


def test_flow_that_fails_and_has_more_states_than_the_cap_is_refused_by_name() -> None:
    found = prove(pathways(115, broken=True), lengths(), most=500)

    assert [(defect.rule, defect.text.split(":")[0]) for defect in found.defects if defect.rule == "size"] == [
        ("size", "more than 500 combinations of places and facts"),
    ]


@pytest.mark.parametrize(("nodes", "rules"), [(MAX_NODES, set()), (MAX_NODES + 1, {"size"})])
def test_flow_of_too_many_nodes_is_refused(nodes: int, rules: set[str]) -> None:
    flow = pathways(6)
    spare = {f"n{n}": flow.nodes["handler"] for n in range(nodes - len(flow.nodes))}
    large = flow.model_copy(update={"nodes": {**flow.nodes, **spare}})

    assert {defect.rule for defect in check(large, World()) if defect.rule == "size"} == rules
