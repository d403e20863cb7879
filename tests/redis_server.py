"""Real Redis servers of the tests' own, on free loopback ports, in folders that go away: alone, Sentinel, Cluster."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import redis

from tests.missing import Missing
from tests.running import free_port

START_S = 30.0
MASTER = "calls"


class RedisMissing(Missing):
    """No Redis server on this machine: as root, apt-get install redis-server redis-sentinel."""

    what = "REDIS"


def until(true: Callable[[], Any], what: str) -> None:
    """Wait for what a server has no event for."""
    deadline = time.monotonic() + START_S
    while True:
        with suppress(redis.RedisError, OSError):
            if true():
                return
        if time.monotonic() > deadline:
            raise AssertionError(f"Redis: {what} did not come")
        time.sleep(0.02)


class RedisServer:
    """``with RedisServer() as server: server.url``. It writes every change to disk at once, and can be hurt."""

    def __init__(self, *arguments: str, password: str = "", tls: Path | None = None) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            raise RedisMissing("no redis-server: as root, apt-get install redis-server redis-sentinel")
        self.port = free_port()
        self.url = f"{'rediss' if tls else 'redis'}://{f':{password}@' if password else ''}127.0.0.1:{self.port}"
        self._folder = tempfile.TemporaryDirectory(prefix="callrouter-redis-")
        self.folder = Path(self._folder.name)
        port = ("--port", "0", "--tls-port", str(self.port)) if tls else ("--port", str(self.port))
        own = (*port, "--bind", "127.0.0.1", "--dir", self._folder.name, "--save", "")
        kept = ("--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0")
        secret = ("--requirepass", password) if password else ()
        self._command = [binary, *own, *kept, *secret, *arguments]
        self.masters = [self]
        self.client = redis.Redis(
            port=self.port, password=password or None, socket_timeout=START_S, ssl=tls is not None,
            ssl_ca_certs=str(tls) if tls else None, host="127.0.0.1",
        )  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.resume()
        self.kill()
        self.client.close()
        self._folder.cleanup()

    def start(self) -> None:
        """Start it, or start it again with what it had written."""
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until(self.client.ping, "the server")

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(START_S)
            self._process = None

    def pause(self) -> None:
        """SIGSTOP: the port is open, nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)


class RedisWithSentinel:
    """A master, a replica, and the Sentinel that puts the one in the other's place.

    It does so when the master was silent for ``down_after_ms``: on a busy machine a sound one may be for a while.
    """

    def __init__(self, down_after_ms: int = 500) -> None:
        self._down_after_ms = down_after_ms
        self.master = RedisServer()
        self.masters = [self.master]
        self.replica = RedisServer("--replicaof", "127.0.0.1", str(self.master.port))
        self._port = free_port()
        self.url = f"redis+sentinel://127.0.0.1:{self._port}/{MASTER}"
        self._folder = tempfile.TemporaryDirectory(prefix="callrouter-sentinel-")
        self._process: subprocess.Popen[bytes] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> RedisWithSentinel:
        self._stack.enter_context(self.master)
        self._stack.enter_context(self.replica)
        until(lambda: self.replica.client.info("replication")["master_link_status"] == "up", "the replica")
        file = Path(self._folder.name) / "sentinel.conf"
        file.write_text(
            f"port {self._port}\nbind 127.0.0.1\n"
            f"sentinel monitor {MASTER} 127.0.0.1 {self.master.port} 1\n"
            f"sentinel down-after-milliseconds {MASTER} {self._down_after_ms}\n"
            f"sentinel failover-timeout {MASTER} 5000\n"
        )
        binary = str(shutil.which("redis-server"))
        with (file.parent / "sentinel.log").open("wb") as log:
            self._process = subprocess.Popen([binary, file, "--sentinel"], stdout=log, stderr=log)
        sentinel = redis.Redis(port=self._port, socket_timeout=START_S)
        self._stack.callback(sentinel.close)
        until(lambda: sentinel.execute_command("SENTINEL REPLICAS", MASTER), "Sentinel's view of the replica")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(START_S)
        self._stack.close()
        self._folder.cleanup()


class RedisNodes:
    """Three nodes that share the hash slots."""

    def __init__(self) -> None:
        cluster = ("--cluster-enabled", "yes", "--cluster-node-timeout", "15000")
        self.masters = [RedisServer(*cluster, "--cluster-port", str(free_port())) for _ in range(3)]
        self.url = f"redis+cluster://{','.join(f'127.0.0.1:{node.port}' for node in self.masters)}"
        self._stack = ExitStack()

    def __enter__(self) -> RedisNodes:
        for node in self.masters:
            self._stack.enter_context(node)
        addresses = [f"127.0.0.1:{node.port}" for node in self.masters]
        make = [str(shutil.which("redis-cli")), "--cluster", "create", *addresses, "--cluster-yes"]
        subprocess.run(make, check=True, capture_output=True, timeout=60)
        for node in self.masters:
            until(lambda node=node: node.client.execute_command("CLUSTER INFO")["cluster_state"] == "ok", "the Cluster")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
