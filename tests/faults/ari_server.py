"""A small Asterisk for tests: a websocket that speaks ARI, with callers whom the test moves.

The worker's own client and the real door run against it. It knows no dialplan: what Asterisk would do next, the
test says (:meth:`AriServer.enter_stasis`, :meth:`AriServer.hang_up`, …). Prompts end as soon as they begin.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

SOON_S = 30.0  # how long a test waits for something that comes at once


@dataclass(frozen=True)
class Asked:
    """One request of the worker: ``path`` below ``/ari/``, unquoted."""

    method: str
    path: str
    query: dict[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Caller:
    """A channel of a caller, with what the dialplan has set on it."""

    id: str
    call_ref: str
    state: str = "Ring"
    facts: dict[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """As an event shows it."""
        known = {"CALL_REF": self.call_ref, "STAGE": "new", "DIALLED": "111", "CLI": "+447700900123",
                 "SIP_CALL_ID": self.id, "FROM_TAG": "tag", "DIALNO": "0"}  # fmt: skip
        return {"id": self.id, "name": f"PJSIP/{self.id}", "state": self.state, "channelvars": known | self.facts}


class AriServer:
    """What the worker is connected to."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.gone: set[str] = set()
        self.silent_about: set[str] = set()
        self.refused: set[str] = set()  # requests whose `METHOD path` holds one of these get a 500
        self.started_at = "first"
        self.endless = False  # prompts go on until they are stopped
        self._up = True
        self._sockets: list[ServerConnection] = []
        self._news = asyncio.Condition()
        self.url = ""

    # ------------------------------------------------------------------ what the worker asked for

    async def wait_asked(self, what: str, count: int = 1) -> Asked:
        """The ``count``-th request whose ``METHOD path`` or query holds the text."""
        async with asyncio.timeout(SOON_S), self._news:
            await self._news.wait_for(lambda: len(self.requests(what)) >= count)
        return self.requests(what)[count - 1]

    def requests(self, what: str) -> list[Asked]:
        """All requests so far whose ``METHOD path`` or query holds the text."""
        return [each for each in self.asked if what in str(each) or any(what in v for v in each.query.values())]

    # ------------------------------------------------------------------ what happens to callers

    async def send(self, kind: str, **body: Any) -> None:
        """One event to every worker."""
        await self.send_text(json.dumps({"type": kind, **body}))

    async def send_text(self, text: str) -> None:
        """Anything at all to every worker."""
        for socket in list(self._sockets):
            await socket.send(text)

    async def enter_stasis(self, caller: Caller, epoch: int = 1, **facts: str) -> None:
        """The worker has claimed the caller."""
        caller.facts |= facts
        await self.send("StasisStart", channel=caller.body(), args=[caller.call_ref, str(epoch)])

    async def leave_stasis(self, caller: Caller) -> None:
        """The dialplan has the caller."""
        await self.send("StasisEnd", channel=caller.body())

    async def press(self, caller: Caller, digit: str) -> None:
        """A key, at its end."""
        await self.send("ChannelDtmfReceived", channel=caller.body(), digit=digit, timestamp=str(len(self.asked)))

    async def dial(self, caller: Caller, status: str) -> None:
        """What a provider's telephone says."""
        await self.send("Dial", caller=caller.body() | {"channelvars": {"DIALNO": "1"}}, dialstatus=status)

    async def hang_up(self, caller: Caller, *, talked: bool = False, by: str = "caller") -> None:
        """The caller hangs up, or the dialplan does, and the hangup handler tells it."""
        self.gone.add(caller.id)
        name = "talk_ended" if talked else "call_ended"
        told = {"call_ref": caller.call_ref, "by": by, "cause": "16"}
        if not talked:
            await self.leave_stasis(caller)
        await self.send("ChannelUserevent", channel=caller.body(), eventname=name, userevent=told)
        await self.vanish(caller)

    async def vanish(self, caller: Caller) -> None:
        """The channel is destroyed, and no hangup handler told why."""
        self.gone.add(caller.id)
        await self.send("ChannelDestroyed", channel=caller.body(), cause=16)

    # ------------------------------------------------------------------ the connection

    def drop(self) -> None:
        """Break every connection and let no worker in until :meth:`come_back`."""
        self._up = False
        for socket in self._sockets:
            socket.transport.abort()

    async def come_back(self) -> None:
        """Let workers in again; returns when one is there, filter and all."""
        filters = len(self.requests("eventFilter"))
        self._up = True
        await self.wait_asked("eventFilter", filters + 1)

    async def wait_dropped(self) -> None:
        """Return when no worker is connected."""
        async with asyncio.timeout(SOON_S), self._news:
            await self._news.wait_for(lambda: not self._sockets)

    def admit(self, socket: ServerConnection, request: Request) -> Response | None:
        """Refuse during a gap."""
        return None if self._up else socket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "down\n")

    async def talk(self, socket: ServerConnection) -> None:
        """One worker's connection, or the watch's, which is told nothing: here is nobody whom it could see."""
        assert socket.request is not None
        if socket.request.path.startswith("/ari/events?app=watch-"):
            async for text in socket:
                refusal = {"type": "RESTResponse", "request_id": json.loads(text)["request_id"], "status_code": 500}
                await socket.send(json.dumps(refusal | {"reason_phrase": "", "message_body": ""}))
            return
        assert socket.request.path.startswith("/ari/events?app=callrouter-")
        self._sockets.append(socket)
        with contextlib.suppress(ConnectionClosed):  # broken by the test
            async for text in socket:
                await self._answer(socket, json.loads(text))
        self._sockets.remove(socket)
        async with self._news:
            self._news.notify_all()

    async def _answer(self, socket: ServerConnection, message: dict[str, Any]) -> None:
        uri = urlsplit(message["uri"])
        query = {name: values[0] for name, values in parse_qs(uri.query).items()}
        asked = Asked(message["method"], unquote(uri.path), query)
        status, body = self._do(asked)
        async with self._news:
            self.asked.append(asked)
            self._news.notify_all()
        if any(each in str(asked) for each in self.silent_about):
            return
        response = {"type": "RESTResponse", "request_id": message["request_id"], "status_code": status}
        await socket.send(json.dumps(response | {"reason_phrase": "", "message_body": body}))
        if "/play/" in asked.path and status < 300 and not self.endless:
            channel_id, playback_id = asked.path.removeprefix("channels/").split("/play/")
            playback = {"id": playback_id, "target_uri": f"channel:{channel_id}", "state": "done"}
            await self.send("PlaybackFinished", playback=playback)
        if asked.path.endswith("/continue") and asked.query["extension"].endswith("-claim") and status < 300:
            await self.send("StasisEnd", channel=Caller(asked.path.split("/")[1], "").body())

    def _do(self, asked: Asked) -> tuple[int, str]:
        """Status and body, as Asterisk gives them for a channel that lives, or is gone."""
        folder, _, rest = asked.path.partition("/")
        if any(each in str(asked) for each in self.refused):
            return 500, ""
        if asked.query.get("eventSource", "").removeprefix("channel:") in self.gone:
            return 422, ""  # "Event source does not exist"
        if folder == "channels" and rest.partition("/")[0] in self.gone:
            return 404, ""
        if folder == "playbacks":
            return 404, ""  # each ends at once
        if asked.path == "asterisk/info":
            return 200, json.dumps({"status": {"startup_time": self.started_at}})
        if asked.method == "GET":
            return 200, json.dumps(Caller(rest, "").body())
        return 204, ""


@asynccontextmanager
async def asterisk() -> AsyncIterator[AriServer]:
    """An Asterisk on a port of its own."""
    one = AriServer()
    async with serve(one.talk, "127.0.0.1", 0, process_request=one.admit) as server:
        one.url = f"http://127.0.0.1:{_port(server)}/ari"
        yield one


def _port(server: Server) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])
