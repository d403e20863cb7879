"""A real PostgreSQL of the tests' own, on a free loopback port, in a folder that goes away; it can be harmed."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from tests.missing import Missing, or_skip
from tests.running import free_port

USER = "callrouter"
START_S = 60.0


class PostgresMissing(Missing):
    """No PostgreSQL server on this machine: as root, apt-get install postgresql."""

    what = "POSTGRESQL"


def find_binaries() -> Path:
    """The folder of ``initdb`` and ``postgres``, newest version first; raises :class:`PostgresMissing`."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    for folder in [*folders, *([Path(on_path).resolve().parent] if on_path else [])]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise PostgresMissing("no PostgreSQL server: as root, apt-get install postgresql")


class Postgres:
    """``with Postgres() as server: server.url``. Nothing survives it; it never syncs to disk.

    ``settings`` are further ones of the server's own, ``name=value``.
    """

    def __init__(self, *settings: str) -> None:
        self._settings = settings
        self._binaries = find_binaries()
        # not below the tests' own folder, which nobody but root may enter
        self._data = Path(tempfile.mkdtemp(prefix="callrouter-postgres-"))
        self.data = self._data
        """Its files."""
        self._log = self._data / "server.log"
        self.log = self._log
        """What it wrote of its work and of statements that failed."""
        self.last_url = ""
        """The address of the newest database."""
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        # PostgreSQL refuses to run as root
        self._user: int | None = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
        self._names = (f"test_{number}" for number in itertools.count(1))
        self._disks: list[Path] = []
        self.url = self.url_of("postgres")

    def __enter__(self) -> Postgres:
        if self._user is not None:
            os.chown(self._data, self._user, -1)
        make = [self._binaries / "initdb", "-D", self._data, "-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(make, check=True, capture_output=True, user=self._user, cwd="/")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.thaw()
            self.stop()
        for disk in self._disks:
            subprocess.run(["umount", disk], check=False)
            disk.rmdir()
        # gigabytes of small files, for which nobody need wait
        os.posix_spawnp("rm", ["rm", "-rf", str(self._data)], os.environ)

    @property
    def pid(self) -> int:
        """Its first process, whose children the others are."""
        assert self._process is not None
        return self._process.pid

    def url_of(self, database: str) -> str:
        """The address of one of its databases."""
        return f"postgresql://{USER}@127.0.0.1:{self._port}/{database}"

    def new_database(self, *options: str) -> str:
        """The address of an empty database; ``options`` are those of CREATE DATABASE."""
        name = next(self._names)
        self.sql(f"CREATE DATABASE {name} {' '.join(options)}")
        self.last_url = self.url_of(name)
        return self.last_url

    def sql(self, statement: str, url: str | None = None) -> str:
        """What psql prints. Raises AssertionError with what it says if the server refuses."""
        psql = [self._binaries / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, url or self.url]
        done = subprocess.run(psql, check=False, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def session(self, url: str) -> Session:
        """A session of somebody else, whose locks last until its block ends."""
        return Session([str(self._binaries / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", url])

    # ------------------------------------------------------------------ faults

    def start(self) -> None:
        """Start it; returns when it takes connections."""
        settings = (f"port={self._port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off",
                    "wal_keep_size=64MB",  # who looks through what a test wrote finds it after a checkpoint, too
                    *self._settings)  # fmt: skip
        run = [self._binaries / "postgres", "-D", self._data, *(part for each in settings for part in ("-c", each))]
        with self._log.open("ab") as log:  # beside the data: initdb is done with the folder
            self._process = subprocess.Popen(run, stdout=log, stderr=log, user=self._user, cwd="/")
        deadline = time.monotonic() + START_S
        ask = [self._binaries / "pg_isready", "-h", "127.0.0.1", "-p", str(self._port), "-q"]
        while subprocess.run(ask, check=False).returncode != 0:
            if time.monotonic() > deadline:
                raise AssertionError(f"PostgreSQL did not start:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.05)  # a starting process has no event to wait for

    def stop(self) -> None:
        """Stop it as a crash does: every connection breaks, and it recovers from its log at the next start."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)
        self._process = None

    def freeze(self) -> None:
        """Stop every one of its processes without a word: connections stay, nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def read_only(self, on: bool) -> None:
        """Refuse every write of every session, as a standby does, or allow them again."""
        value = "on" if on else "off"
        self.sql(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        self.sql("SELECT pg_reload_conf()")
        deadline = time.monotonic() + START_S
        while self.sql("SHOW default_transaction_read_only") != value:
            assert time.monotonic() < deadline
            time.sleep(0.05)  # it reads its settings again when it comes to it

    def small_disk(self, name: str, megabytes: int) -> None:
        """A tablespace ``name`` on a disk of its own that is soon full. Only root may mount one: PermissionError."""
        disk = self._data.parent / f"{self._data.name}-{name}"
        disk.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700,uid={self._user}", "tmpfs", disk],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode != 0:
            disk.rmdir()
            raise PermissionError(done.stderr.strip())
        self._disks.append(disk)
        self.sql(f"CREATE TABLESPACE {name} LOCATION '{disk}'")

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in (self._process.pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):  # one of them has just ended
                os.kill(pid, number)


class Session:
    """``with server.session(url) as other: other.sql("BEGIN; LOCK …")``"""

    def __init__(self, command: list[str]) -> None:
        self._command = command

    def __enter__(self) -> Session:
        pipe = subprocess.PIPE
        self._psql = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._psql.communicate(timeout=30)

    def sql(self, statements: str) -> None:
        """Returns when they are done."""
        assert self._psql.stdin is not None
        assert self._psql.stdout is not None
        self._psql.stdin.write(f"{statements};\n\\echo done\n")
        self._psql.stdin.flush()
        assert (said := self._psql.stdout.readline()) == "done\n", said


@contextlib.contextmanager
def own_postgres() -> Iterator[Postgres]:
    """A server that may come to harm; the test is skipped, saying so, where none is installed."""
    with or_skip(), Postgres() as server:
        yield server
