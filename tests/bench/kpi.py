"""Live figures: the engine's own rate, 1,000 events a second through Redis Streams on one core, a year of history."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.figures import Verdict, at_least, at_most
from tests.bench.servers import missing, servers
from tests.running import ROOT

__all__ = ["FULL", "QUICK", "measure", "missing", "verdicts"]

RATE = 1000  # events a second: about ten times London's busiest hour


@dataclass(frozen=True, slots=True)
class Size:
    """Calls of the engine alone; seconds through Redis."""

    calls: int
    seconds: int
    rounds: int


FULL = Size(calls=20_000, seconds=30, rounds=3)
QUICK = Size(calls=500, seconds=1, rounds=1)


def measure(folder: Path, size: Size) -> dict[str, Any]:
    """Each program in a process of its own, round by round."""
    folder.mkdir(parents=True)
    rounds = []
    with servers(folder) as running:
        for number in range(size.rounds):
            database = running.fresh()
            rounds.append(
                {
                    "in_process": _run("in-process", str(size.calls)),
                    "redis": _run("redis", running.redis.url, str(RATE), str(size.seconds)),
                    "sqlite": _run("year", f"sqlite:///{folder}/year-{number}.db"),
                    "postgresql": _run("year", database),
                }
            )
    return {"conditions": {"calls": size.calls, "seconds": size.seconds, "asked_events_per_s": RATE}, "rounds": rounds}


def _run(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.kpi_programs", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def verdicts(rounds: Sequence[dict[str, Any]]) -> list[Verdict]:
    """Against what was asked for."""

    def each(part: str, figure: str) -> list[float]:
        return [float(one[part][figure]) for one in rounds]

    def asked(value: float) -> list[float]:
        return [value] * len(rounds)

    return [
        at_least("Live figures in the process, against 300,000 events/s", each("in_process", "events_per_s"),
                 asked(300_000.0), "/s", 1.0),
        at_least("Live figures through Redis Streams on one core, exact, against the rate that was sent",
                 each("redis", "events_per_s"), asked(float(RATE)), "/s", 0.97),
        at_most("Live figures through Redis Streams, lag (p99), against 1 s", each("redis", "lag_p99_ms"),
                asked(1000.0), "ms", 1.0),
        at_most("A year by day by provider from SQLite, against 200 ms", each("sqlite", "year_median_ms"),
                asked(200.0), "ms", 1.0),
        at_most("A year by day by provider from PostgreSQL, against 200 ms", each("postgresql", "year_median_ms"),
                asked(200.0), "ms", 1.0),
    ]  # fmt: skip
