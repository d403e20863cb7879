"""The engine alone: whole calls a second of CPU on a menu of five states, against state machines from PyPI.

Between every two inputs our session is written to JSON and read back, as the door does; a rival's stays in memory.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivr import engine
from ivr.flow import Flow, read_flow
from ivr.model import GoneWait, Heard, InputKind, read_session, written
from tests.bench.rivals.machines import INPUTS, RIVALS
from tests.bench.running import rival_packages
from tests.running import ROOT

FLOW = {
    "flow": "menu", "title": "The five-state menu", "languages": ["en"], "start": "menu",
    "nodes": {
        "menu": {"action": "menu", "prompts": ["welcome", "menu"], "keys": {"1": "handler"}, "timeout_s": 4,
                 "no_input": {"limit": 0}, "no_match": {"limit": 2, "prompts": ["not_understood"]},
                 "exits": {"handler": "queue", "no_input": "queue", "no_match": "queue"}},
        "queue": {"action": "queue", "services": ["111"], "hold_s": 600, "hold_prompts": ["hold_111"]},
    },
}  # fmt: skip

_INPUTS = tuple((InputKind(kind), value) for kind, value in INPUTS)


@dataclass(frozen=True, slots=True)
class Size:
    """Calls of each program in a round."""

    calls: int
    rounds: int


FULL = Size(calls=3000, rounds=5)
QUICK = Size(calls=50, rounds=1)


def measure(folder: Path, size: Size) -> dict[str, Any]:
    """Calls a second of CPU of everybody, in rounds of changing order."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(rival_packages()), str(ROOT)))}
    rounds: list[dict[str, float]] = []
    for number in range(size.rounds):
        names = ["ours", *RIVALS]
        found = {}
        for name in names if number % 2 == 0 else reversed(names):
            command = [sys.executable, "-m", _module(name), name, str(size.calls)]
            done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
            found[name] = round(size.calls / float(done.stdout), 1)
        rounds.append(found)
    return {"conditions": {"calls_a_round": size.calls, "inputs": len(INPUTS)}, "rounds": rounds}


def _module(name: str) -> str:
    return "tests.bench.engine" if name == "ours" else "tests.bench.rivals.machines"


def _call(flow: Flow) -> None:
    session = engine.start(flow).session
    for kind, value in _INPUTS:
        session = read_session(written(session))
        session = engine.resume(flow, session, Heard(kind, value)).session
    assert isinstance(session.wait, GoneWait)


if __name__ == "__main__":
    own = read_flow(FLOW)
    _call(own)
    began = time.process_time()
    for _ in range(int(sys.argv[2])):
        _call(own)
    print(time.process_time() - began)
