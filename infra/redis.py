"""The connection to Redis 7: one server, one behind Sentinel, or a Cluster, from an address.

::

    redis://[user:password@]host[:port][/database]
    redis+sentinel://[user:password@]host:port,host:port/master-name
    redis+cluster://[user:password@]host:port,host:port

``rediss…`` instead of ``redis…`` speaks TLS and checks the server's certificate. Nothing is tried twice in here: what
a time-out leaves unknown, the caller must settle. No address and no password is ever in an error or a log.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.client import PubSub
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from infra.errors import StateUnavailable
from infra.turns import within

BUDGET_S = 0.5
"""Longest that connecting and one command may take together while a caller waits for it. Shorter, and the pauses of a
busy machine look like an outage (at 0.25 s workers flapped at a load of ten); longer, and a caller hears them."""

REPLICA_SHARE = 0.4
"""Of the budget, what a commit waits for one replica. Without it a fail-over could forget what was answered."""

REPLICA_PAUSE_S = 5.0
"""After a wait in vain: a replica that is away must not cost every answer a tenth of a second."""

MOST_CONNECTIONS = 1000

_SCHEMES = {
    f"redis{tls}{plus}": (kind, bool(tls))
    for tls in ("", "s")
    for plus, kind in (("", "alone"), ("+sentinel", "sentinel"), ("+cluster", "cluster"))
}


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where Redis is, and how to enter."""

    kind: Literal["alone", "sentinel", "cluster"]
    hosts: tuple[tuple[str, int], ...]
    name: str = ""
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @staticmethod
    def parse(url: str) -> RedisAddress:
        """Raises ValueError, whose text shows nothing of the address."""
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES:
            raise ValueError(f"must begin with one of {', '.join(f'{each}://' for each in _SCHEMES)}")
        kind, tls = _SCHEMES[parts.scheme]
        entry, _, hosts = parts.netloc.rpartition("@")
        user, _, password = entry.partition(":")
        port = 26379 if kind == "sentinel" else 6379
        found = tuple(_host(each, port) for each in hosts.split(","))
        name = parts.path.strip("/")
        if kind == "sentinel" and not name:
            raise ValueError("needs the master's name after the Sentinels: …/name")
        if kind == "alone" and (len(found) != 1 or not (name or "0").isdecimal()):
            raise ValueError("names one server, and after it at most the number of a database")
        return RedisAddress(kind, found, name, tls, unquote(user) or None, unquote(password) or None)  # type: ignore[arg-type]


def _host(text: str, default_port: int) -> tuple[str, int]:
    host, _, port = text.rpartition(":") if ":" in text.rpartition("]")[2] else (text, "", "")
    if not host or (port and not port.isdecimal()):
        raise ValueError("needs a host, and a number as its port")
    return host.strip("[]"), int(port or default_port)


class Script:
    """A Lua script. All its keys stand in one hash slot, so that it is one step on a Cluster, too."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class RedisLink:
    """What the stores do with Redis. Every method raises :class:`StateUnavailable` when its time is over."""

    def __init__(self, address: RedisAddress, *, budget_s: float = BUDGET_S) -> None:
        self._budget_s = budget_s
        self._replicated = address.kind == "sentinel"
        self._wait_from = 0.0  # monotonic: until then no commit waits for a replica
        self._spread = address.kind == "cluster"
        self._sentinel: Sentinel | None = None
        self._finding = asyncio.Lock()
        self._client = self._connect(address)
        self._listening = [self._client]
        if isinstance(self._client, RedisCluster):  # what is published at one node is heard at every other
            self._listening = [self._connect(replace(address, kind="alone", hosts=(each,))) for each in address.hosts]

    def _connect(self, address: RedisAddress) -> Redis | RedisCluster:
        how: dict[str, Any] = {
            "username": address.user,
            "password": address.password,
            "ssl": address.tls,
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0),
            "max_connections": MOST_CONNECTIONS,
            "socket_connect_timeout": self._budget_s,
            "socket_timeout": None,  # the budget is the only clock
        }
        if address.kind == "cluster":
            nodes = [ClusterNode(host, port) for host, port in address.hosts]
            return RedisCluster(startup_nodes=nodes, **how)
        if address.kind == "alone":
            host, port = address.hosts[0]
            return Redis(host=host, port=port, db=int(address.name or 0), **how)
        asking = {"ssl": address.tls, "retry": how["retry"], "socket_connect_timeout": self._budget_s / 3}
        asking["socket_timeout"] = self._budget_s / 3  # the next Sentinel has a chance within the budget
        self._sentinel = Sentinel(address.hosts, sentinel_kwargs=asking, **how)  # type: ignore[no-untyped-call]
        master: Redis = self._sentinel.master_for(address.name)
        return master

    async def do(self, *command: Any, within_s: float | None = None) -> Any:
        """One command."""
        async with self._budget(within_s):
            return await self._client.execute_command(*command)

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Any], within_s: float | None = None) -> Any:
        """One script. It has been run as a whole or not at all."""
        call = (len(keys), *keys, *args)
        async with self._budget(within_s):
            try:
                return await self._client.execute_command("EVALSHA", script.sha, *call)
            except NoScriptError:
                return await self._client.execute_command("EVAL", script.text, *call)

    async def run_kept(self, script: Script, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """As :meth:`run`; where Sentinel may put a replica in the master's place, one replica has it, too.

        With no replica that answers in time, the master alone must do: callers come first.
        """
        if not self._replicated or time.monotonic() < self._wait_from:
            return await self.run(script, keys, args)
        call = (len(keys), *keys, *args)
        async with self._budget(None):
            try:
                return await self._run_and_wait("EVALSHA", script.sha, call)
            except NoScriptError:
                return await self._run_and_wait("EVAL", script.text, call)

    async def _run_and_wait(self, how: str, script: str, call: tuple[Any, ...]) -> Any:
        assert isinstance(self._client, Redis)
        async with self._client.pipeline(transaction=False) as pipe:  # WAIT speaks of its own connection
            pipe.execute_command(how, script, *call)
            pipe.execute_command("WAIT", 1, int(REPLICA_SHARE * self._budget_s * 1000))
            result, replicas = await pipe.execute(raise_on_error=False)
        if isinstance(result, Exception):
            raise result
        if isinstance(replicas, Exception) or not replicas:
            self._wait_from = time.monotonic() + REPLICA_PAUSE_S
        return result

    def together(self, keys: Sequence[str]) -> list[list[str]]:
        """The keys by what one command may name: all at once, or one at a time on a Cluster."""
        return [[key] for key in keys] if self._spread else [list(keys)]

    def pubsub(self) -> PubSub:
        """A connection that listens, each time to the next node. Outside the budgets: RedisError, OSError."""
        self._listening.append(self._listening.pop(0))
        listening: PubSub = self._listening[0].pubsub()
        return listening

    async def close(self) -> None:
        """Close every connection. One that does not close in time is left: who stops must come to an end."""
        for client in {self._client, *self._listening}:
            with suppress(RedisError, OSError):
                await client.aclose()
                if isinstance(client, Redis):
                    await client.connection_pool.disconnect()
        if self._sentinel is not None:
            for each in self._sentinel.sentinels:
                with suppress(RedisError, OSError):
                    await each.aclose()

    @asynccontextmanager
    async def _budget(self, within_s: float | None) -> AsyncIterator[None]:
        task = asyncio.current_task()
        cancels = task.cancelling() if task else 0
        try:
            async with within(within_s or self._budget_s):
                if isinstance(self._client, RedisCluster):
                    async with self._finding:  # commands that come while it finds its nodes would lose theirs
                        await self._client.initialize()
                yield
            if task and task.cancelling() > cancels:
                raise asyncio.CancelledError  # the client swallows one that meets its answer (asyncio.wait_for, 3.11)
        except (RedisError, OSError, TimeoutError) as error:
            raise StateUnavailable(type(error).__name__) from error
