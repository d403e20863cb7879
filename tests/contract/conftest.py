"""What the contract suites run on: SQLite and PostgreSQL; this process and Redis. Real servers, where installed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra.migrate import upgrade_database
from infra.redis import RedisAddress, RedisLink
from infra.sql import Database, connect_database
from tests.postgres import Postgres
from tests.redis_server import RedisMissing, RedisNodes, RedisServer, RedisWithSentinel


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database without a table, on each kind in turn."""
    url = f"sqlite:///{tmp_path}/contract.db"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_database()
    database = connect_database(url)
    yield database
    await database.close()


@pytest.fixture
async def database(empty_database: Database) -> Database:
    """A database with the tables that the migrations make."""
    await upgrade_database(empty_database)
    return empty_database


PATIENT_S = 20.0
"""A command's budget in these suites: they are about what Redis does, not about how soon a busy machine does it."""

REDIS = {"redis": RedisServer, "sentinel": RedisWithSentinel, "cluster": RedisNodes}


class Servers:
    """Every kind of Redis, started when it is first asked for."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._running: dict[str, RedisServer | RedisWithSentinel | RedisNodes] = {}

    def empty(self, kind: str) -> str:
        """The address of one without data; skips, saying so, where none is installed."""
        try:
            server = self._running.get(kind) or self._stack.enter_context(REDIS[kind]())
        except RedisMissing as reason:
            pytest.skip(f"NO REDIS: {reason}")
        self._running[kind] = server
        for each in server.masters:
            each.client.flushall()
        return server.url


@pytest.fixture(scope="session")
def redis_servers() -> Iterator[Servers]:
    """The Redis servers of this run."""
    with ExitStack() as stack:
        yield Servers(stack)


@pytest.fixture(params=["in process", *REDIS])
async def link(request: pytest.FixtureRequest, redis_servers: Servers) -> AsyncIterator[RedisLink | None]:
    """A connection to each kind of Redis in turn, empty; None for what lives in this process."""
    if request.param == "in process":
        yield None
        return
    made = RedisLink(RedisAddress.parse(redis_servers.empty(request.param)), budget_s=PATIENT_S)
    yield made
    await made.close()
