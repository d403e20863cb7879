"""``python -m tests.bench.wallboard [--browsers 200]``: CPU of the service while that many browsers watch.

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
from pathlib import Path
from typing import Any

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


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.wallboard", description=__doc__)
    parser.add_argument("--browsers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="callrouter-bench-") as folder,
        MeasuredService(Path(folder), {"OPEN_WALLBOARD": "true"}) as service,
    ):
        calls = str(round((2 * options.seconds + 3 * WARM_UP_S) * CALLS_A_SECOND))
        simulate = [sys.executable, "-m", "callrouter", "simulate", "--calls", calls, "--rate", str(CALLS_A_SECOND)]
        callers = subprocess.Popen([*simulate, "--json"], env=service.environment, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            found = [
                asyncio.run(watch(service.port, service.pid, count, options.seconds)) for count in (0, options.browsers)
            ]
        finally:
            callers.terminate()
            callers.wait(20)
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
