"""A person at the terminal phone (``callrouter dial``), as a process that tests type into."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from types import TracebackType

from tests.running import ROOT, RunningService


class TerminalCall:
    """One call, from dialling to its end; ``heard`` is everything printed so far."""

    def __init__(self, service: RunningService, number: str, *, speed: float = 20.0) -> None:
        command = [sys.executable, "-m", "callrouter", "dial", number, "--speed", str(speed)]
        self._process = subprocess.Popen(
            command, env={**service.environment, "COLUMNS": "500"}, cwd=ROOT, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def heard(self) -> str:
        with self._news:
            return "\n".join(self._lines)

    def type(self, line: str) -> None:
        """Type a line and press Enter."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def wait(self, words: str, within: float = 20.0) -> None:
        """Return as soon as ``words`` were printed."""
        deadline = time.monotonic() + within
        with self._news:
            while words not in "\n".join(self._lines):
                left = deadline - time.monotonic()
                assert left > 0, f"{words!r} was not heard in:\n" + "\n".join(self._lines)
                self._news.wait(left)

    def hang_up(self) -> int:
        """Hang up and wait for the end; returns the exit status."""
        if self._process.poll() is None:
            self.type("h")
        return self._process.wait(20)

    def __enter__(self) -> TerminalCall:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self._lines.append(line.rstrip())
                self._news.notify_all()
