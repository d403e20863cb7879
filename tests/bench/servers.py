"""The production servers of a run: one Redis, one PostgreSQL, fresh for each round."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.postgres import Postgres, PostgresMissing, find_binaries
from tests.redis_server import RedisServer
from tests.running import run_command


@dataclass(frozen=True, slots=True)
class Servers:
    """What all programs share: a database of its own for each round, an empty Redis."""

    postgres: Postgres
    redis: RedisServer
    template: str

    def fresh(self) -> str:
        """The address of a database with the service's tables and no rows; Redis is emptied."""
        with redis.Redis.from_url(self.redis.url) as client:
            client.flushall()
        return self.postgres.new_database(f"TEMPLATE {self.template}")


def missing() -> list[str]:
    """Which of the two is not installed here."""
    found = []
    if shutil.which("redis-server") is None:
        found.append("no redis-server: apt-get install redis-server")
    try:
        find_binaries()
    except PostgresMissing as reason:
        found.append(str(reason))
    return found


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    with Postgres() as postgres, RedisServer("--appendonly", "no") as cache:
        postgres.sql("CREATE DATABASE bench")
        environment = {**os.environ, "CALLROUTER_DATABASE_URL": postgres.url_of("bench"),
                       "CALLROUTER_DATA_DIR": str(folder / "data")}  # fmt: skip
        done = run_command(environment, "db", "upgrade")
        if done.returncode:
            raise RuntimeError(done.stderr)
        yield Servers(postgres, cache, "bench")
