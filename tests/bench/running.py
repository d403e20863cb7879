"""Processes that are measured: started, known by their pid, ended by it."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import asyncpg

from tests.running import ROOT, RunningService

START_S = 30.0
PUBLIC_URL = "https://calls.example"
TOKEN = "a-bench-auth-token"
KEYS = base64.b64encode(bytes(range(64))).decode()
"""One key ring for all: so the same CallSid becomes the same call everywhere, and documents can be compared."""


def rival_packages() -> Path:
    """The folder with the rivals' own packages, installed when their lock is new; it is not kept with the source."""
    rivals = ROOT / "tests" / "bench" / "rivals"
    lock, folder = rivals / "packages.lock", rivals / "packages"
    stamp = folder / ".lock"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        shutil.rmtree(folder, ignore_errors=True)
        uv = [sys.executable, "-m", "uv", "pip", "install", "-q", "--require-hashes", "--no-deps"]
        subprocess.run([*uv, "--target", folder, "-r", lock], check=True)
        stamp.write_bytes(lock.read_bytes())
    return folder


class MeasuredService(RunningService):
    """The real service; its pid is known."""

    @property
    def pid(self) -> int:
        """Of the one process that it is."""
        assert self._process is not None
        return self._process.pid


class Rival:
    """Another program that listens on a port, from start to a clean end."""

    def __init__(
        self,
        command: Sequence[str],
        port: int,
        log: Path,
        environment: Mapping[str, str],
        program: Sequence[str] = (sys.executable, "-m"),
    ) -> None:
        self.port = port
        self._command = [*program, *command]
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
        wait_for(lambda: listens(self.port), START_S, f"{self._command} does not listen; see {self._log.name}")
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


class AnyRows(Protocol):
    """What a measured program has committed, read beside it."""

    PAUSE_S: float

    def newest(self) -> int:
        """How many rows the journal has: asked every few milliseconds."""

    def count(self) -> dict[str, int]:
        """Rows by table; the journal's also by kind."""

    def close(self) -> None:
        """Give the database back."""


class Rows:
    """The rows that a measured program has committed to SQLite, read beside it."""

    PAUSE_S = 0.002

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

    def kind(self, kind: str) -> int:
        """Journal rows of this kind."""
        return int(self._connection.execute("SELECT count(*) FROM journal WHERE kind = ?", (kind,)).fetchone()[0])

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    def _one(self, query: str) -> int:
        return int(self._connection.execute(query).fetchone()[0])


class PostgresRows:
    """As :class:`Rows`, in PostgreSQL, on a connection of its own."""

    PAUSE_S = 0.02

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._connection = self._loop.run_until_complete(asyncpg.connect(url))

    def newest(self) -> int:
        """How many rows the journal has: some milliseconds of work, so not to be asked too often."""
        return self._one("SELECT count(*) FROM journal")

    def count(self) -> dict[str, int]:
        """Rows by table; the journal's also by kind."""
        found = {table: self._one(f"SELECT count(*) FROM {table}") for table in ("calls", "journal", "encounters")}
        kinds = self._loop.run_until_complete(
            self._connection.fetch("SELECT kind, count(*) FROM journal GROUP BY kind ORDER BY kind")
        )
        return found | {f"journal.{kind}": number for kind, number in kinds}

    def close(self) -> None:
        """End the connection."""
        self._loop.run_until_complete(self._connection.close())
        self._loop.close()

    def _one(self, query: str) -> int:
        return int(self._loop.run_until_complete(self._connection.fetchval(query)))
