"""PostgreSQL and Redis of one's own, on free loopback ports, in folders that go away with them."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.up.process import Process

USER = "callrouter"


class ServerMissing(Exception):
    """A server is not installed; the text says what to install."""


@dataclass(frozen=True, slots=True)
class Store:
    """A running server: where it is, and its process."""

    url: str
    process: Process


def free_port() -> int:
    """A loopback TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def postgres(log: Path) -> Iterator[Store]:
    """A PostgreSQL whose data are gone afterwards; raises :class:`ServerMissing`."""
    binaries = _postgres_binaries()
    # it refuses to run as root
    user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="callrouter-postgres-") as folder:
        if user is not None:
            os.chown(folder, user, -1)
        made = subprocess.run(  # noqa: S603
            [str(binaries / "initdb"), "-D", folder, "-U", USER, "--auth=trust", "-E", "UTF8"],
            capture_output=True, text=True, check=False, user=user, cwd="/",
        )  # fmt: skip
        if made.returncode != 0:
            raise ServerMissing(f"initdb failed: {made.stderr.strip()[-500:]}")
        options = (f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=")
        command = [str(binaries / "postgres"), "-D", folder, *(part for each in options for part in ("-c", each))]
        ask = [str(binaries / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-q"]

        def ready() -> bool:
            return subprocess.run(ask, check=False).returncode == 0  # noqa: S603

        with Process("PostgreSQL", command, log, ready=ready, user=user) as process:
            yield Store(f"postgresql://{USER}@127.0.0.1:{port}/postgres", process)


@contextmanager
def redis(log: Path) -> Iterator[Store]:
    """A Redis that evicts nothing and keeps an append-only file while it runs; raises :class:`ServerMissing`."""
    program = shutil.which("redis-server")
    if program is None:
        raise ServerMissing("no Redis: as root, apt-get install redis-server")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="callrouter-redis-") as folder:
        options = {
            "port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "yes",
            "appendfsync": "everysec", "maxmemory-policy": "noeviction",
        }  # fmt: skip
        command = [program, *(part for name, value in options.items() for part in (f"--{name}", str(value)))]
        with Process("Redis", command, log, ready=lambda: _pongs(port)) as process:
            yield Store(f"redis://127.0.0.1:{port}", process)


def _pongs(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _postgres_binaries() -> Path:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    for folder in [*folders, *([Path(on_path).resolve().parent] if on_path else [])]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise ServerMissing("no PostgreSQL server: as root, apt-get install postgresql")
