"""CPU of the service while 200 browsers watch; ``python -m tests.bench.wallboard [--browsers 1000]`` for any number.

The real service takes simulated calls, first with nobody watching, then with all of them; each browser reads its
stream of the wallboard to the end of the time. Prints JSON: CPU seconds of the service a second, both ways; events
and octets that a browser got.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.figures import Verdict, at_most
from tests.bench.machine import running_ns
from tests.bench.running import MeasuredService
from tests.running import ROOT

CALLS_A_SECOND = 1.0  # London has 9,800 on a Saturday, one in nine seconds: its busiest hour is below this
WARM_UP_S = 10.0
HEAD = "GET /wallboard/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"


async def browser(port: int, until: float) -> tuple[int, int]:
    """Read one stream until then; events and octets that came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD.encode())
    events = octets = 0
    while (left := until - time.monotonic()) > 0:
        try:
            chunk = await asyncio.wait_for(reader.read(65_536), left)
        except TimeoutError:
            break
        if not chunk:
            raise RuntimeError("a stream ended before its time")
        octets += len(chunk)
        events += chunk.count(b"event: ")
    writer.close()
    return events, octets


async def watch(port: int, pid: int, browsers: int, seconds: float) -> dict[str, Any]:
    """The service's CPU over ``seconds`` in which all of them are connected."""
    until = time.monotonic() + WARM_UP_S + seconds
    reading = [asyncio.create_task(browser(port, until)) for _ in range(browsers)]
    await asyncio.sleep(WARM_UP_S)
    before, start = running_ns(pid), time.monotonic()
    got = await asyncio.gather(*reading) if reading else [await asyncio.sleep(seconds, (0, 0))]
    cpu = (running_ns(pid) - before) / 1e9 / (time.monotonic() - start)
    return {
        "browsers": browsers,
        "cpu_s_a_second": round(cpu, 3),
        "events": statistics.median(events for events, _ in got),
        "kilobytes_a_second": round(statistics.median(octets for _, octets in got) / (WARM_UP_S + seconds) / 1000, 1),
    }


@dataclass(frozen=True, slots=True)
class Size:
    """How many browsers, and for how many seconds."""

    browsers: int
    seconds: float


FULL = Size(browsers=200, seconds=30.0)
QUICK = Size(browsers=20, seconds=2.0)


def measure(folder: Path, size: Size) -> dict[str, Any]:
    """Nobody, then all of them, at one service."""
    folder.mkdir(parents=True, exist_ok=True)
    with MeasuredService(folder, {"OPEN_WALLBOARD": "true"}) as service:
        calls = str(round((2 * size.seconds + 3 * WARM_UP_S) * CALLS_A_SECOND))
        simulate = [sys.executable, "-m", "callrouter", "simulate", "--calls", calls, "--rate", str(CALLS_A_SECOND)]
        callers = subprocess.Popen([*simulate, "--json"], env=service.environment, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            nobody, all_of_them = (
                asyncio.run(watch(service.port, service.pid, count, size.seconds)) for count in (0, size.browsers)
            )
        finally:
            callers.terminate()
            callers.wait(20)
    return {
        "conditions": {"browsers": size.browsers, "seconds": size.seconds, "calls_a_second": CALLS_A_SECOND},
        "rounds": [{"nobody": nobody, "browsers": all_of_them}],
    }


def verdicts(rounds: Sequence[dict[str, Any]]) -> list[Verdict]:
    """Against one core."""
    spent = [float(each["browsers"]["cpu_s_a_second"]) for each in rounds]
    return [at_most("Browsers at the wallboard, CPU of the service a second, against one core", spent,
                    [1.0] * len(rounds), "s", 1.0)]  # fmt: skip


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.wallboard", description=__doc__)
    parser.add_argument("--browsers", type=int, default=FULL.browsers)
    parser.add_argument("--seconds", type=float, default=FULL.seconds)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="callrouter-bench-") as folder:
        found = measure(Path(folder), Size(options.browsers, options.seconds))
    print(json.dumps(found["rounds"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
