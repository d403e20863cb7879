"""A real PostgreSQL of the tests' own, on a free loopback port, in a folder that goes away."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from tests.running import free_port

USER = "callrouter"
START_S = 30.0


class PostgresMissing(Exception):
    """No PostgreSQL server on this machine: as root, apt-get install postgresql."""


def find_binaries() -> Path:
    """The folder of ``initdb`` and ``postgres``, newest version first; raises :class:`PostgresMissing`."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    for folder in [*folders, *([Path(on_path).resolve().parent] if on_path else [])]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise PostgresMissing("no PostgreSQL server: as root, apt-get install postgresql")


class Postgres:
    """``with Postgres() as server: server.url``. Nothing survives it; it never syncs to disk."""

    def __init__(self) -> None:
        self._binaries = find_binaries()
        # not below the tests' own folder, which nobody but root may enter
        self._folder = tempfile.TemporaryDirectory(prefix="callrouter-postgres-")
        self._data = Path(self._folder.name)
        self._log = self._data / "server.log"
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        # PostgreSQL refuses to run as root
        self._user: int | None = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
        self.url = f"postgresql+asyncpg://{USER}@127.0.0.1:{self._port}/postgres"

    def __enter__(self) -> Postgres:
        if self._user is not None:
            os.chown(self._data, self._user, -1)
        make = [self._binaries / "initdb", "-D", self._data, "-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(make, check=True, capture_output=True, user=self._user, cwd="/")
        settings = (f"port={self._port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off")
        run = [self._binaries / "postgres", "-D", self._data, *(part for each in settings for part in ("-c", each))]
        with self._log.open("wb") as log:  # beside the data: initdb is done with the folder
            self._process = subprocess.Popen(run, stdout=log, stderr=log, user=self._user, cwd="/")
        self._wait_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
        self._folder.cleanup()

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_S
        ask = [self._binaries / "pg_isready", "-h", "127.0.0.1", "-p", str(self._port), "-q"]
        while subprocess.run(ask, check=False).returncode != 0:
            if time.monotonic() > deadline:
                raise AssertionError(f"PostgreSQL did not start:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.05)  # a starting process has no event to wait for
