"""The least that steers a call over ARI: a websocket, JSON, and what to send next. No door, no state, no records.

It sends what the service sends for the same call, in the same order, and waits for each answer before it goes on; the
service waits for all but that to the subscription.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
from typing import Any
from urllib.parse import quote, urlencode

import uvloop
from websockets.asyncio.client import ClientConnection, connect

PROMPTS = os.environ.get("BENCH_PROMPTS", "")


class Bare:
    """One connection, every call on it."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[str, asyncio.Future[None]] = {}
        self._finished: dict[str, asyncio.Future[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until the connection ends."""
        async for text in self._socket:
            message = json.loads(text)
            match message["type"]:
                case "RESTResponse":
                    self._answers[message["request_id"]].set_result(None)
                case "PlaybackFinished":
                    self._finished[message["playback"]["id"]].set_result(None)
                case "StasisStart":
                    self._start(self._take(message["channel"]["id"]))
                case "ChannelDtmfReceived":
                    offered = message["digit"] == "1"
                    self._start((self._connect if offered else self._say_again)(message["channel"]["id"]))

    async def _take(self, channel: str) -> None:
        app = "callrouter-bare"
        await self._ask("POST", f"applications/{app}/subscription", eventSource=f"channel:{channel}")
        await self._ask("POST", f"channels/{channel}/answer")
        await self._play(channel, "0", "emergency_999", "recording_notice")
        await self._play(channel, "1", "main_menu")

    async def _say_again(self, channel: str) -> None:
        await self._play(channel, "2", "not_understood", "main_menu")

    async def _play(self, channel: str, name: str, *prompts: str) -> None:
        playback = f"{channel}.{name}"
        finished = self._finished[playback] = asyncio.get_running_loop().create_future()
        media = ",".join(f"sound:{PROMPTS}/{each}" for each in prompts)
        await self._ask("POST", f"channels/{channel}/play/{playback}", media=media)
        await finished
        del self._finished[playback]

    async def _connect(self, channel: str) -> None:
        await self._ask(
            "POST", f"channels/{channel}/continue",
            context="fenced", extension="e1-to-00000000000000000000000000000000-one-eleven", priority="1",
        )  # fmt: skip

    async def _ask(self, method: str, path: str, **query: str) -> None:
        number = str(next(self._numbers))
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        message: dict[str, Any] = {"type": "RESTRequest", "transaction_id": number, "request_id": number,
                                   "method": method, "uri": f"{quote(path)}?{urlencode(query)}"}  # fmt: skip
        await self._socket.send(json.dumps(message))
        await answer
        del self._answers[number]

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _run() -> None:
    url = os.environ["BENCH_ARI_URL"].replace("http://", "ws://") + "/events?app=callrouter-bare"
    async with connect(url, compression=None, proxy=None) as socket:
        running = asyncio.create_task(Bare(socket).run())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
        async with await asyncio.start_server(_say_nothing, "127.0.0.1", int(os.environ["BENCH_PORT"])):
            await asyncio.gather(running, return_exceptions=True)


async def _say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


if __name__ == "__main__":
    uvloop.run(_run())
