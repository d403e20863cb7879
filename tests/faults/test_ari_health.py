"""Whoever keeps the health of Asterisk hears of each connection, and of each that is lost or refused."""

from __future__ import annotations

import asyncio

from ari_server import SOON_S, asterisk

from adapters.asterisk.ari import Ari


async def test_a_lost_connection_and_its_return_are_told() -> None:
    told: asyncio.Queue[bool] = asyncio.Queue()
    async with asterisk() as server:
        ari = Ari(server.url, "callrouter-w1", "user", "secret", retry_seconds=(0.02,), told=told.put_nowait)
        async with ari:
            assert await asyncio.wait_for(told.get(), SOON_S)
            server.drop()
            assert not await asyncio.wait_for(told.get(), SOON_S)
            await server.come_back()
            async with asyncio.timeout(SOON_S):
                while not await told.get():
                    pass  # each try that was refused meanwhile


async def test_a_closed_client_tells_nothing() -> None:
    told: list[bool] = []
    async with asterisk() as server:
        async with Ari(server.url, "callrouter-w1", "user", "secret", told=told.append) as ari:
            await ari.wait_connected()
        assert told == [True]
