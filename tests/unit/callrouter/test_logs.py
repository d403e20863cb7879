"""What the log says of failures: where, never the words, which may be a caller's."""

from __future__ import annotations

import json
import subprocess
import sys

NUMBER = "07700 900123"

PROGRAM = f"""
import asyncio, structlog
from callrouter.logs import set_up_logs

async def nobody_awaits_this():
    raise ValueError("{NUMBER}")

async def main():
    task = asyncio.create_task(nobody_awaits_this())
    await asyncio.wait([task])
    del task

set_up_logs()
try:
    int("{NUMBER}")
except ValueError as error:
    structlog.get_logger().error("number_unreadable", error=type(error).__name__)
structlog.get_logger().info("no_failure")
asyncio.run(main())
"""


def test_a_failure_is_logged_by_its_kind_and_place_and_one_that_nobody_awaited_too() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    ours, fine, library = (json.loads(line) for line in done.stderr.splitlines())
    assert (ours["event"], ours["error"], ours["at"]) == ("number_unreadable", "ValueError", ["<string>:15"])
    assert (fine["event"], "at" in fine) == ("no_failure", False)
    assert (library["event"], library["library"]) == ("library_failed", "asyncio")
    assert (library["error"], library["at"]) == ("ValueError", ["<string>:6"])
    assert NUMBER not in done.stderr
