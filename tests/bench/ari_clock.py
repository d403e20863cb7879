"""An Asterisk without sound, which measures: from an event on the wire until the worker's command is back.

Prompts end as soon as they begin, so what is measured is the worker's own work and two hops over loopback.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

from tests.faults.ari_server import AriServer, Caller

SOON_S = 20.0
THINKING_S = 0.02
"""From the menu's begin until the key: the prompt, which has no length here, is over."""


class AriClock(AriServer):
    """:class:`AriServer` that notes when a command came in."""

    def __init__(self) -> None:
        super().__init__()
        self._awaited: dict[tuple[str, str], asyncio.Future[float]] = {}

    async def wait_connected(self) -> None:
        """Return when a worker is there."""
        async with asyncio.timeout(SOON_S), self._news:
            await self._news.wait_for(lambda: bool(self._sockets))

    async def timed(self, channel: str, event: Callable[[], Any], command: str) -> float:
        """Milliseconds from sending ``event`` until the worker sent ``command`` (end of its path) for the channel."""
        arrived = self.coming(channel, command)
        sent = time.perf_counter()
        await event()
        return (await self.within(arrived) - sent) * 1000

    def coming(self, channel: str, command: str) -> asyncio.Future[float]:
        """When (``perf_counter``) the next such command came in."""
        return self._awaited.setdefault((channel, command), asyncio.get_running_loop().create_future())

    async def within(self, arrived: asyncio.Future[float]) -> float:
        """Raises TimeoutError when the command does not come."""
        async with asyncio.timeout(SOON_S):
            return await arrived

    async def _answer(self, socket: ServerConnection, message: dict[str, Any]) -> None:
        now = time.perf_counter()
        parts = message["uri"].partition("?")[0].split("/")
        if len(parts) > 2 and parts[0] == "channels":
            waiting = self._awaited.pop((parts[1], parts[2]), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(now)
        await super()._answer(socket, message)
        self.asked.clear()  # thousands of calls; nobody looks back here


@asynccontextmanager
async def ari_clock() -> AsyncIterator[AriClock]:
    """On a port of its own."""
    one = AriClock()
    async with serve(one.talk, "127.0.0.1", 0, process_request=one.admit, compression=None) as server:
        one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/ari"
        yield one


async def menu_call(clock: AriClock, number: int, cli: str) -> tuple[float, float, float]:
    """One whole call: ms from StasisStart to the answer, from a key that is not on offer to the menu's next prompt,
    and from key 1, with two look-ups in between, to the order to dial."""
    caller = Caller(f"{number}", f"{number:032x}", facts={"CLI": cli})
    answer = await clock.timed(caller.id, lambda: clock.enter_stasis(caller), "answer")
    for _ in range(2):
        await clock.within(clock.coming(caller.id, "play"))
    await asyncio.sleep(THINKING_S)
    again = await clock.timed(caller.id, lambda: clock.press(caller, "9"), "play")
    await asyncio.sleep(THINKING_S)
    dial = await clock.timed(caller.id, lambda: clock.press(caller, "1"), "continue")
    await clock.hang_up(caller)
    return answer, again, dial
