"""A program that runs beside us: its own log, its own end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

START_S = 30.0
STOP_S = 28.0
"""A worker promises to be gone 25 s after SIGTERM."""


class NotStarted(Exception):
    """A program did not come up; the text says which, and ends with its log."""


class Process:
    """``with Process("redis", [...], log, ready=...)``: started and ready; ended by SIGTERM, after a while by force.

    It is the leader of a process group of its own, so that Ctrl-C reaches us alone and it is ended in its turn.
    ``user``: numeric id to run as, if not ours.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
        user: int | None = None,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._log = log
        self._ready = ready
        self._environment = dict(os.environ if environment is None else environment)
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = False

    @property
    def status(self) -> int | None:
        """How it ended; None while it runs."""
        return None if self._process is None else self._process.poll()

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise NotStarted(f"{self.name} was not started")
        return self._process.pid

    def __enter__(self) -> Process:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                user=self._user,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while not self._ready():
            if self.status is not None or time.monotonic() > deadline:
                self.stop()
                raise NotStarted(f"{self.name} did not start:\n{self._log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)  # a starting program has no event to wait for
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def ask_to_stop(self) -> None:
        """Begin its end, once; harmless when it has ended."""
        if self._process is not None and self.status is None and not self._asked:
            self._asked = True
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """End it; returns its exit status."""
        if self._process is None:
            return 0
        self.ask_to_stop()
        try:
            return self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
