"""A wire between the service and a server that a test can cut and mend, or hold so that nothing passes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Any


class Wire:
    """``with Wire(port) as wire``: what connects to ``wire.port`` speaks with 127.0.0.1:``port``.

    Runs in a thread of its own, so that tests which block may use it.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()

    def __enter__(self) -> Wire:
        self._thread.start()
        self.mend()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def cut(self) -> None:
        """Every connection breaks, and new ones are refused."""
        self._do(self._cut())

    def mend(self) -> None:
        """New connections pass again, under the same port."""
        self._do(self._mend())

    def hold(self) -> None:
        """Nothing passes any more, and no connection breaks: a partition without a word."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def release(self) -> None:
        """What was held passes."""
        self._loop.call_soon_threadsafe(self._flows.set)

    def _do(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]

    async def _mend(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
        await _cancelled(self._passing)

    async def _end(self) -> None:
        await _cancelled(asyncio.all_tasks() - {asyncio.current_task()})

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on until one side ends or the wire is cut, be it before the server has accepted."""
        ends = [writer]
        own = asyncio.current_task()
        assert own is not None
        self._passing.add(own)
        try:
            if self._server is not None and self._server.is_serving():  # else cut since it was accepted
                there, back = await asyncio.open_connection("127.0.0.1", self.target)
                ends.append(back)
                await asyncio.gather(self._pass(reader, back), self._pass(there, writer), return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # a server that refuses, or the wire is cut: nobody else asks how this ended
        finally:
            self._passing.discard(own)
            for each in ends:
                each.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


async def _cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel these, and wait until they are over."""
    waited_for = list(tasks)
    for each in waited_for:
        each.cancel()
    await asyncio.gather(*waited_for, return_exceptions=True)
