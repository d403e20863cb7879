"""The end of the connection to Redis, whatever its connections do."""

from __future__ import annotations

import pytest
from redis.asyncio import ConnectionPool
from redis.exceptions import TimeoutError as CloseTimeout

from infra.redis import RedisAddress, RedisLink


@pytest.mark.parametrize("address", ["redis://127.0.0.1:1", "redis+sentinel://127.0.0.1:1/main"])
async def test_a_connection_that_does_not_close_in_time_keeps_nobody_from_stopping(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def too_late(_: ConnectionPool, *_how: object) -> None:
        nonlocal asked
        asked += 1
        raise CloseTimeout("Timed out closing connection")

    link = RedisLink(RedisAddress.parse(address))
    monkeypatch.setattr(ConnectionPool, "disconnect", too_late)
    await link.close()
    assert asked
