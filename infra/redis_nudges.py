"""Nudges on Redis: published, heard by who listens at that moment, the connection made again when it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from redis.exceptions import RedisError

from infra.errors import StateUnavailable
from infra.failing import Failing
from infra.redis import RedisLink
from infra.redis_keys import LISTEN

QUIET_S = 5.0  # after this long without a word the connection is asked for one; after twice, made again
AGAIN_S = 1.0


class RedisNudges:
    """:class:`infra.nudges.Nudges` on Redis."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def send(self, call_ref: str) -> None:
        with suppress(StateUnavailable):
            await self._link.do("PUBLISH", LISTEN, call_ref)

    async def listen(self) -> AsyncIterator[str]:
        failing = Failing("nudges_unheard", "nudges_heard_again")
        while True:
            try:
                async with self._link.pubsub() as listening:
                    await listening.subscribe(LISTEN)
                    asked = False
                    while True:
                        message = await listening.get_message(ignore_subscribe_messages=True, timeout=QUIET_S)
                        if message is not None:
                            failing.goes()
                        if message is not None and message["type"] == "message":
                            yield message["data"].decode()
                        elif message is None and asked:
                            raise TimeoutError
                        asked = message is None
                        if asked:
                            await listening.ping()
            except (RedisError, OSError, TimeoutError) as error:
                failing.failed(error, AGAIN_S)
                await asyncio.sleep(AGAIN_S)
