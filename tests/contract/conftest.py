"""What the contract suites run on: SQLite and PostgreSQL; this process and Redis. Real servers, where installed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from infra.redis import RedisAddress, RedisLink
from infra.sql import Database, connect_database
from tests.migrated import Migrated
from tests.missing import or_skip
from tests.postgres import Postgres
from tests.redis_server import RedisNodes, RedisServer, RedisWithSentinel


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Each kind in turn; ``parametrize("database_kind", ["sqlite"])`` for what is told by our own code alone."""
    return str(request.param)


@pytest.fixture
async def empty_database(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database without a table."""
    url = f"sqlite:///{tmp_path}/contract.db"
    if database_kind == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_database()
    database = connect_database(url)
    yield database
    await database.close()


@pytest.fixture
async def database(
    database_kind: str, migrated: Migrated, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Database]:
    """A database with the tables that the migrations make, on each kind in turn."""
    if database_kind == "postgresql":
        url = migrated.postgresql(request.getfixturevalue("postgres"))
    else:
        url = migrated.sqlite(tmp_path)
    database = connect_database(url)
    yield database
    await database.close()


PATIENT_S = 20.0
"""A command's budget in these suites: they are about what Redis does, not about how soon a busy machine does it."""

REDIS: dict[str, Callable[[], RedisServer | RedisWithSentinel | RedisNodes]] = {
    "redis": RedisServer,
    "sentinel": partial(RedisWithSentinel, down_after_ms=60_000),  # nobody fails over here
    "cluster": RedisNodes,
}


class Servers:
    """Every kind of Redis, started when it is first asked for."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._running: dict[str, RedisServer | RedisWithSentinel | RedisNodes] = {}

    def empty(self, kind: str) -> str:
        """The address of one without data; skips, saying so, where none is installed."""
        with or_skip():
            server = self._running.get(kind) or self._stack.enter_context(REDIS[kind]())
        self._running[kind] = server
        for each in server.masters:
            each.client.flushall()
        return server.url


@pytest.fixture(scope="session")
def redis_servers() -> Iterator[Servers]:
    """The Redis servers of this run."""
    with ExitStack() as stack:
        yield Servers(stack)


@pytest.fixture(params=["in process", "redis", pytest.param("sentinel", marks=pytest.mark.slow), "cluster"])
async def link(request: pytest.FixtureRequest, redis_servers: Servers) -> AsyncIterator[RedisLink | None]:
    """A connection to each kind of Redis in turn, empty; None for what lives in this process."""
    if request.param == "in process":
        yield None
        return
    made = RedisLink(RedisAddress.parse(redis_servers.empty(request.param)), budget_s=PATIENT_S)
    yield made
    await made.close()
