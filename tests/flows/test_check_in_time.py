"""`flow check`, the whole command, takes less than 2 s of one core for a thousand nodes of awkward shapes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.running import ROOT

ENOUGH_S = 2.0
ROUNDS = 3
"""The quickest counts: what others do on the machine slows a core down, too."""

NODES = 1000
Nodes = dict[str, Any]


def menus_with_nine_keys() -> Nodes:
    """Each leads to nine places further on, and knows eighteen words."""
    return {
        f"n{i}": {
            "action": "menu", "prompts": ["main_menu_short"], "keys": {str(k): f"k{k}" for k in range(1, 10)},
            "words": {f"k{k}": [f"word{k}", f"other{k}"] for k in range(1, 10)},
            "exits": {f"k{k}": _further(i + 1 + (k - 1) * (k + 3)) for k in range(1, 10)},
        }
        for i in range(NODES)
    }  # fmt: skip


def dates_of_birth() -> Nodes:
    """Asked, looked up and decided on, again and again: many places with facts, and a plan in each."""
    nodes: Nodes = {}
    condition = "open == open and known(born) and not (plan in {asserted, confirmed})"
    for i in range(0, NODES, 4):
        then = _further(i + 4)
        nodes |= {
            f"n{i}": {"action": "ask_date", "prompts": ["ask_birth_date"], "into": "born", "exits": {"next": f"l{i}"}},
            f"l{i}": {
                "action": "lookup", "what": "birth_date", "given": "born", "into": "plan", "exits": {"next": f"h{i}"},
            },
            f"h{i}": {
                "action": "lookup", "what": "hours", "service": "dental", "into": "open", "exits": {"next": f"b{i}"},
            },
            f"b{i}": {
                "action": "branch", "when": [{"if": condition, "exit": "one"}], "exits": {"one": then, "else": then},
            },
        }  # fmt: skip
    return nodes


def ways_back() -> Nodes:
    """A loop that is none of the allowed ones, through all of the flow."""
    return {
        f"n{i}": {
            "action": "menu", "prompts": ["main_menu_short"], "keys": {"1": "on", "2": "back"},
            "exits": {"on": _further(i + 1), "back": f"n{i // 2}"},
        }
        for i in range(NODES)
    }  # fmt: skip


def _further(place: int) -> str:
    return f"n{place}" if place < NODES else "handler"


FACTS = {
    "plan": {"values": ["none", "candidates", "asserted", "confirmed", "unavailable"]},
    "born": {"type": "date"},
    "open": {"values": ["open", "closed", "unknown"]},
}
FIRST: Nodes = {
    "hello": {
        "action": "say", "prompts": ["emergency_999", "recording_notice"], "barge_in": False, "exits": {"next": "n0"},
    },
    "handler": {"action": "queue", "services": ["111"], "hold_s": 900, "hold_prompts": ["hold_111"]},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "says"),
    [
        (menus_with_nine_keys, "every path ends with a person"), (dates_of_birth, "every path ends with a person"),
        (ways_back, "callers can go round for ever"),
    ],
)  # fmt: skip
def test_the_command_is_done_while_the_author_waits(tmp_path: Path, shape: Callable[[], Nodes], says: str) -> None:
    file = tmp_path / "large.yaml"
    flow = {"flow": "large", "title": "Large", "start": "hello", "facts": FACTS, "nodes": {**FIRST, **shape()}}
    file.write_text(yaml.safe_dump(flow, sort_keys=False))
    took: list[float] = []
    for _ in range(ROUNDS):
        before = _of_children()
        done = subprocess.run(
            [sys.executable, "-m", "callrouter", "flow", "check", str(file)],
            cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        took.append(_of_children() - before)
        assert says in done.stdout + done.stderr
        if took[-1] < ENOUGH_S:
            return
    pytest.fail(f"never under {ENOUGH_S:g} s of CPU: {took}")


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
