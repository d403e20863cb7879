"""The real service as a process of its own, for tests that go through its front door."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]
START_S = 90.0
"""A start is some 3 s of CPU. At a load of 24 on two cores it takes 34 to 70 s, most of them waiting for a core."""
END_S = 40.0  # it promises 25
ANSWER_S = 5.0  # a machine that others keep busy has needed more than one


def free_port() -> int:
    """A loopback TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RunningService:
    """``callrouter serve`` with these settings (names without the prefix), from start to a clean end."""

    COMMAND = "serve"

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        own = {"DATA_DIR": str(folder / "data"), "PORT": str(self.port), **(settings or {})}
        clean = {k: v for k, v in os.environ.items() if not k.startswith("CALLROUTER_") or k == "CALLROUTER_CACHE"}
        self.environment = clean | {f"CALLROUTER_{name}": value for name, value in own.items()}
        self.environment["PYTHONFAULTHANDLER"] = "1"  # one that does not start says where it is
        self.log = folder / "service.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RunningService:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "callrouter", self.COMMAND]
            self._process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, cwd=ROOT)
        self._wait_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def kill(self) -> None:
        """End it as a crash would: no handler of its own runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)

    def stop(self) -> int:
        """End it as an operator does (SIGTERM); returns its exit status. Harmless for one that has ended."""
        if self._process is None:
            return 0
        self._process.terminate()
        return self.wait()

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def ended(self) -> int | None:
        """Its exit status; None while it runs."""
        return None if self._process is None else self._process.poll()

    def wait(self) -> int:
        """Wait for the process to end by itself; returns its exit status."""
        assert self._process is not None
        try:
            return self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A command of the command line, with the same settings."""
        return run_command(self.environment, *arguments, stdin=stdin)

    def events(self, call: str) -> list[dict[str, Any]]:
        """The call's events as ``callrouter call show`` prints them, personal fields too."""
        shown = self.run("call", "show", call, "--json", "--personal")
        return [json.loads(line) for line in shown.stdout.splitlines()]

    def ended_events(self, call: str) -> list[dict[str, Any]]:
        """The same, as soon as the end of the call is among them: what a caller hears may be ahead of the journal."""
        deadline = time.monotonic() + START_S
        while True:
            events = self.events(call)
            if any(each["kind"] == "ended" for each in events):
                return events
            assert time.monotonic() < deadline, f"no end of the call: {[each['kind'] for each in events]}"

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_S
        with httpx.Client(timeout=ANSWER_S, trust_env=False) as client:  # made once: to make one is 30 ms of CPU
            while time.monotonic() < deadline and self.ended is None:
                with suppress(httpx.TransportError):
                    if client.get(f"{self.url}/ready").status_code == 200:
                        return
                time.sleep(0.05)  # a starting process has no event to wait for
        status, why = self.ended, "it has ended"
        if self._process is not None and status is None:
            why = _cpu_of(self._process.pid)
            self._process.send_signal(signal.SIGABRT)  # its threads' stacks go into the log
            self.wait()
        said = self.log.read_text()[-4000:]
        raise AssertionError(f"not started within {START_S:g} s (exit status {status}; {why}):\n{said}")


def _cpu_of(pid: int) -> str:
    """Whether a slow process had work or waited: its main thread's seconds on a core, and waiting for one."""
    on, waiting, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    return f"{int(on) / 1e9:.1f} s on a core, {int(waiting) / 1e9:.1f} s waiting for one"


def run_command(environment: Mapping[str, str], *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """``callrouter ARGUMENTS`` as a person types it."""
    return subprocess.run(
        [sys.executable, "-m", "callrouter", *arguments],
        env=dict(environment), input=stdin, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False,
    )  # fmt: skip
