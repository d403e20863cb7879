"""Processes that are measured: started, known by their pid, ended by it."""

from __future__ import annotations

import base64
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.running import ROOT, RunningService

START_S = 30.0
PUBLIC_URL = "https://calls.example"
TOKEN = "a-bench-auth-token"
KEYS = base64.b64encode(bytes(range(64))).decode()
"""One key ring for all: so the same CallSid becomes the same call everywhere, and documents can be compared."""


class MeasuredService(RunningService):
    """The real service; its pid is known."""

    @property
    def pid(self) -> int:
        """Of the one process that it is."""
        assert self._process is not None
        return self._process.pid


class Rival:
    """Another program that listens on a port, from start to a clean end."""

    def __init__(self, command: Sequence[str], port: int, log: Path, environment: Mapping[str, str]) -> None:
        self.port = port
        self._command = [sys.executable, "-m", *command]
        self._log = log
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process that was started; its workers are its children."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log, cwd=ROOT)
        wait_for(lambda: listens(self.port), START_S, f"{self._command[2]} does not listen; see {self._log.name}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(true: Callable[[], bool], within: float, otherwise: str, pause: float = 0.02) -> None:
    """Return as soon as it is true. Raises RuntimeError when it does not come true in time."""
    deadline = time.monotonic() + within
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError(otherwise)
        time.sleep(pause)


class Rows:
    """The rows that a measured program has committed, read beside it."""

    def __init__(self, database: Path) -> None:
        self._connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)

    def newest(self) -> int:
        """The number of the last journal row: cheap enough to be asked every few milliseconds."""
        return int(self._connection.execute("SELECT coalesce(max(rowid), 0) FROM journal").fetchone()[0])

    def count(self) -> dict[str, int]:
        """Rows by table; the journal's also by kind."""
        found = {table: self._one(f"SELECT count(*) FROM {table}") for table in ("calls", "journal", "encounters")}
        kinds = self._connection.execute("SELECT kind, count(*) FROM journal GROUP BY kind ORDER BY kind")
        return found | {f"journal.{kind}": number for kind, number in kinds}

    def ended(self) -> int:
        """Calls whose encounter is kept: the last row of a call that was answered."""
        return self._one("SELECT count(*) FROM encounters")

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    def _one(self, query: str) -> int:
        return int(self._connection.execute(query).fetchone()[0])
