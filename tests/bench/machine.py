"""What ran where, and how much CPU it took: read from /proc, so Linux only."""

from __future__ import annotations

import contextlib
import os
import platform
import sqlite3
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PACKAGES = ("fastapi", "uvicorn", "uvloop", "httptools", "websockets", "pydantic", "sqlalchemy", "twilio", "flask",
            "gunicorn", "cryptography", "redis", "asyncpg")  # fmt: skip


def facts(asterisk: Path | None = None) -> dict[str, Any]:
    """What a reader needs to place the figures; nothing that names the machine or the day."""
    model = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if "model name" in line), "unknown")
    found = {
        "cores": os.cpu_count(),
        "processor": model,
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "packages": {name: version(name) for name in PACKAGES},
    }
    if asterisk is not None:
        said = subprocess.run([str(asterisk), "-V"], capture_output=True, text=True, check=True).stdout
        found["asterisk"] = said.split()[1].split("+")[0]
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, of its children that ended, and of its children that still run."""
    children = 0.0
    for child in _children(pid):
        with contextlib.suppress(
            FileNotFoundError, ProcessLookupError
        ):  # ended meanwhile: its time is its parent's now
            children += cpu_seconds(child)
    return children + sum(int(each) for each in _stat(pid)[11:15]) * TICK_S


def running_ns(pid: int) -> int:
    """Nanoseconds that a process and its threads have run, by the scheduler's own account."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())


def pin(pid: int, core: int) -> None:
    """Let a process, its threads and its children run on this core alone; what they start later inherits it."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})
    for child in _children(pid):
        pin(child, core)


@dataclass(frozen=True, slots=True)
class Busy:
    """How busy the whole machine was: CPU seconds of everybody, and the time on the clock."""

    at: float
    cpu_s: float

    @classmethod
    def now(cls) -> Busy:
        """Since the machine's start."""
        fields = [int(each) for each in _lines("/proc/stat")[0].split()[1:9]]
        idle = fields[3] + fields[4]
        return cls(time.monotonic(), (sum(fields) - idle) * TICK_S)

    def others(self, since: Busy, measured_s: float) -> float:
        """Cores that something else than what we measure kept busy, on average, between ``since`` and this."""
        return round((self.cpu_s - since.cpu_s - measured_s) / (self.at - since.at), 2)


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _stat(pid: int) -> list[str]:
    # The name may hold blanks and brackets; what follows its last bracket is fields 3 on of proc(5).
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
            found += [int(each) for each in (task / "children").read_text().split()]
    return found
