"""How many whole menu calls a second one worker on one core carries, against dialplan alone on the same machine.

The rate rises step by step until a call goes another way than written (SIPp gives it up, or Asterisk's fall-back takes
it), or the first prompt comes too late. The last rate before that is what is sustained.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.asterisk.instance import find_installation
from tests.bench import first_prompt
from tests.bench.figures import percentiles
from tests.bench.line import House, house
from tests.bench.machine import Busy, cpu_seconds, pin
from tests.bench.numbers import fictional_numbers
from tests.bench.running import Rows
from tests.bench.sip import VARIANTS, OtherCall, call_many, drained
from tests.running import free_port

LATE_MS = 500.0
"""The first prompt's p99 may be this late: Asterisk waits half a second for a claim before the fall-back rings."""
CORE = 0
MOST_RATE = 152
"""A climb to here calls from nearly every fictional number there is, once."""
BETWEEN_S = 0.1  # from one call of the telephone that listens to the next


@dataclass(frozen=True, slots=True)
class Size:
    """Seconds a step, calls a second of the first step, and how much more each next one has."""

    step_s: float
    first: int
    more: int
    rounds: int
    most: int = MOST_RATE


FULL = Size(step_s=6, first=8, more=8, rounds=2)
QUICK = Size(step_s=2, first=4, more=4, rounds=1, most=8)


def measure(folder: Path, size: Size) -> dict[str, Any]:
    """Every step of every round, and the rate that each round sustained."""
    rounds: list[dict[str, Any]] = []
    with house(folder, find_installation(), free_port()) as line:
        for number in range(size.rounds):
            names = ("dialplan", "full") if number % 2 == 0 else ("full", "dialplan")
            rounds.append({name: _climb(line, name, folder / f"{number}-{name}", size) for name in names})
    return {"conditions": {"step_s": size.step_s, "late_ms": LATE_MS, "most_rate": size.most}, "rounds": rounds}


def _climb(line: House, name: str, folder: Path, size: Size) -> dict[str, Any]:
    variant, steps, numbers = VARIANTS[name], [], fictional_numbers()  # the database is new, too
    folder.mkdir(parents=True)
    sustained = begun = 0
    with ExitStack() as stack:
        program = stack.enter_context(variant.program(line, folder))
        rows = Rows(folder / variant.database) if variant.database else None
        pids = {"asterisk": line.asterisk.pid}
        if program is not None:
            pin(program.pid, CORE)
            pids["program"] = program.pid
        for rate in range(size.first, size.most + 1, size.more):
            calls = int(rate * size.step_s)
            begun += calls
            before, busy = {who: cpu_seconds(pid) for who, pid in pids.items()}, Busy.now()
            with _Listener(line, variant.extension, numbers) as listener:
                why = _wrong(line, name, folder / str(rate), rate, calls, begun, rows, numbers)
            used = {who: cpu_seconds(pid) - before[who] for who, pid in pids.items()}
            sound = percentiles(listener.sound_ms) if len(listener.sound_ms) > 1 else {}
            if not why and (listener.lost or sound.get("p99_ms", LATE_MS + 1) > LATE_MS):
                why = "the first prompt came too late"
            steps.append({"rate": rate, "calls": calls, "why_not": why, "first_prompt": sound,
                          "first_prompts_lost": listener.lost, "sound_ms": listener.sound_ms,
                          "cpu_ms_a_call": {who: round(each / calls * 1000, 2) for who, each in used.items()},
                          "other_cores_busy": Busy.now().others(busy, sum(used.values()))})  # fmt: skip
            if why:
                break
            sustained = rate
        if rows:
            rows.close()
    return {"sustained": sustained, "steps": steps}


def _wrong(
    line: House, name: str, folder: Path, rate: int, calls: int, begun: int, rows: Rows | None, numbers: Iterator[str]
) -> str:
    """What kept this rate from being sustained; empty if nothing did."""
    try:
        call_many(line, VARIANTS[name], folder, calls, rate, numbers)
        drained(rows, begun)
    except OtherCall as reason:
        return str(reason).partition(";")[0]
    return ""


class _Listener:
    """A telephone that calls again and again meanwhile, and hears when the first prompt comes."""

    def __init__(self, line: House, extension: str, numbers: Iterator[str]) -> None:
        self.sound_ms: list[float] = []
        self.lost = 0
        self._line = line
        self._extension = extension
        self._numbers = [next(numbers) for _ in range(200)]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> _Listener:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        for number in self._numbers:
            if self._over.wait(BETWEEN_S):
                return
            try:
                heard = first_prompt.call(self._extension, number, self._line.asterisk.ports.sip)
                self.sound_ms.append(heard.sound_ms)
            except TimeoutError:
                self.lost += 1
