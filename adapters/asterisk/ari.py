"""A thin client of Asterisk's REST Interface: events and requests over one websocket.

Every request is limited in time. Every event goes into a bounded queue, so a slow consumer never delays the
answer to a request. When that queue is full the connection is given up: a worker that is so far behind is a dead
worker, and the leases of its calls must run out. The consumer hears of every loss by a `Lost` event, after which
it owns no call, and of every connection by `Connected`.

Errors:

    AriError              any of them: the call may be anywhere, the lease will bring it to somebody
    ├── AriRefused        Asterisk said no; `status` says how
    │   └── AriGone       404 or 409: the channel or playback has ended, has left us, or another one was quicker
    ├── AriTimeout        no answer in time; it may still be carried out
    └── AriLost           there is no connection, or it broke before the answer

Never send `answer` to a channel that is playing: Asterisk would hold it, and with it every later request of this
connection, until the prompt's end. All other requests below act at once (`continue_in_dialplan` at the prompt's
end: stop the playback first).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from msgspec.json import decode as from_json
from msgspec.json import encode as to_json
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from adapters.asterisk.channel import Channel
from adapters.asterisk.socket import Socket

# One lease: an answer that is later than that is of no use to the call.
REQUEST_SECONDS = 2.0
# About five seconds of events of 200 calls a second; further behind means that leases have long run out.
QUEUED_EVENTS = 10_000
RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
# Asterisk sends nothing else: each variable that is set and each dialplan line would be an event of its own.
# RESTResponse must be among them: the filter holds for the answers to our requests, too.
EVENTS = (
    "CallBroadcast",
    "ChannelDestroyed",
    "ChannelDtmfReceived",
    "ChannelUserevent",
    "Dial",
    "PlaybackFinished",
    "RESTResponse",
    "StasisEnd",
    "StasisStart",
)


class AriError(Exception):
    """Something asked of Asterisk did not happen, or nobody knows whether it did."""


class AriRefused(AriError):
    """Asterisk answered with an error; `status` is its HTTP status."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(f"{status}: {what}")
        self.status = status


class AriGone(AriRefused):
    """404 or 409: what was named has ended, or is no longer ours. Drop it; do not try again."""


class AriTimeout(AriError):
    """No answer in time. It may still be carried out: ask only for what can be asked for twice."""


class AriLost(AriError):
    """No connection. The client connects again by itself and says so by a `Connected` event."""


@dataclass(frozen=True, slots=True)
class AriEvent:
    """One event: its type, when it was read (monotonic seconds) and Asterisk's own JSON.

    Two types are the client's own: `Connected`, and `Lost` with `body["reason"]`.
    """

    type: str
    at: float
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def channel(self) -> Channel | None:
        """The channel that it is about; for `Dial` the caller's."""
        body = self.body.get("channel") or self.body.get("caller")
        return Channel.read(body) if isinstance(body, Mapping) else None


class Ari:
    """One connection under one application name, held up until closed.

        async with Ari("http://127.0.0.1:8088/ari", "callrouter-w1", "user", "password") as ari:
            async for event in ari.events():
                ...

    `app` must be unique on this Asterisk; a worker's begins with `callrouter-`: to those, callers are broadcast. `told`
    hears True for each connection and False for each one that is lost or fails.
    """

    def __init__(
        self,
        url: str,
        app: str,
        user: str,
        password: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        request_seconds: float = REQUEST_SECONDS,
        queued_events: int = QUEUED_EVENTS,
        retry_seconds: Sequence[float] = RETRY_SECONDS,
        told: Callable[[bool], None] = lambda _connected: None,
    ) -> None:
        self.app = app
        self._url = _websocket_url(url, app)
        # In the header, not as `api_key`: URLs are logged.
        self._login = "Basic " + b64encode(f"{user}:{password}".encode()).decode()
        self._clock = clock
        self._request_seconds = request_seconds
        self._retry_seconds = retry_seconds
        self._told = told
        self._events: asyncio.Queue[AriEvent] = asyncio.Queue(queued_events)
        self._waiting: dict[str, asyncio.Future[Mapping[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._socket: Socket | None = None
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._stay_connected(), name=f"ari {self.app}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def wait_connected(self, seconds: float = 30.0) -> None:
        """Return when connected and filtered. Raises AriLost."""
        try:
            async with asyncio.timeout(seconds):
                await self._connected.wait()
        except TimeoutError:
            raise AriLost(f"not connected within {seconds:g} s") from None

    async def events(self) -> AsyncIterator[AriEvent]:
        """All events in the order in which Asterisk sent them. One consumer only; never ends by itself."""
        while True:
            yield await self._events.get()

    # What a worker may ask for.

    async def claim(self, channel_id: str) -> None:
        """Take a channel that was broadcast; StasisStart follows. Raises AriGone when another one was quicker."""
        await self.request("POST", "/events/claim", channelId=channel_id, application=self.app)

    async def answer(self, channel_id: str) -> None:
        """Answer. Never while something plays."""
        await self.request("POST", f"/channels/{_part(channel_id)}/answer")

    async def play(self, channel_id: str, playback_id: str, media: Sequence[str]) -> None:
        """Play `sound:…` one after another; `PlaybackFinished` comes once, after the last (or when stopped)."""
        path = f"/channels/{_part(channel_id)}/play/{_part(playback_id)}"
        await self.request("POST", path, media=",".join(media))

    async def stop_playback(self, playback_id: str) -> None:
        """Stop at once. Raises AriGone when it had ended."""
        await self.request("DELETE", f"/playbacks/{_part(playback_id)}")

    async def start_moh(self, channel_id: str) -> None:
        """Hold music, until stopped or until the channel leaves us."""
        await self.request("POST", f"/channels/{_part(channel_id)}/moh")

    async def stop_moh(self, channel_id: str) -> None:
        """End of the hold music."""
        await self.request("DELETE", f"/channels/{_part(channel_id)}/moh")

    async def continue_in_dialplan(self, channel_id: str, context: str, extension: str) -> None:
        """Hand the channel back to the dialplan, there; StasisEnd follows."""
        where = {"context": context, "extension": extension, "priority": "1"}
        await self.request("POST", f"/channels/{_part(channel_id)}/continue", **where)

    async def subscribe(self, source: str) -> None:
        """Go on hearing of `channel:<id>` after it has left us."""
        await self.request("POST", f"/applications/{_part(self.app)}/subscription", eventSource=source)

    async def renew_lease(self, channel_id: str, epoch: int, seconds: float) -> None:
        """The caller is ours for so long from now, if `epoch` still owns them; else nothing happens.

        A *read* of an expression that sets: reading is not held up by a playing prompt, and Asterisk itself compares
        the dialplan's OWNER. So a renewal that was long on its way (a worker hung, a network mended) can neither cut
        a talk nor keep a caller from the next owner. StasisEnd tells that they are gone; AriGone that they hung up.
        """
        what = f'${{IF($["${{OWNER}}"="{epoch}"]?TIMEOUT(absolute):LATE)}}'
        variable = f"EVAL(${{SET({what}={seconds:g})}})"
        await self.request("GET", f"/channels/{_part(channel_id)}/variable", variable=variable)

    async def started_at(self) -> str:
        """When this Asterisk was started, in its own words: another answer than before means that it was restarted."""
        info = await self.request("GET", "/asterisk/info", only="status")
        return str(info["status"]["startup_time"])

    async def get_channel(self, channel_id: str) -> Channel:
        """The channel as it is now. Raises AriGone."""
        return Channel.read(await self.request("GET", f"/channels/{_part(channel_id)}"))

    # What a call to staff asks for; a caller's channel is dialled and ended by the dialplan alone.

    async def originate(self, channel_id: str, endpoint: str, *, caller: str, ring_s: int, longest_s: int) -> None:
        """Dial; StasisStart follows with the answer. Asterisk ends the call after ``longest_s``, whoever has died.

        Raises AriGone (409) when there is a channel of that id. The number stands in the body, in no address.
        """
        body = {
            "endpoint": endpoint,
            "app": self.app,
            "callerId": caller,
            "timeout": ring_s,
            "variables": {"TIMEOUT(absolute)": str(longest_s)},
        }
        await self.request("POST", f"/channels/{_part(channel_id)}", body=body)

    async def hang_up(self, channel_id: str) -> None:
        """End a channel that :meth:`originate` made. Raises AriGone when it had ended."""
        await self.request("DELETE", f"/channels/{_part(channel_id)}")

    async def channel_ids(self) -> list[str]:
        """The ids of all channels."""
        return [str(each["id"]) for each in await self.request("GET", "/channels")]

    async def held(self) -> list[str]:
        """The ids of the channels that this application holds, from before a connection was lost, too."""
        return list((await self.request("GET", f"/applications/{_part(self.app)}"))["channel_ids"])

    # How it is said.

    async def request(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """One REST request; returns the decoded JSON, or None for an empty answer."""
        socket = self._socket
        if socket is None:
            raise AriLost("not connected")
        number = str(next(self._numbers))
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Mapping[str, Any]] = loop.create_future()
        self._waiting[number] = answer
        late = loop.call_later(self._request_seconds, _give_up, answer)
        try:
            if not socket.say(to_json(request_message(number, method, path, body, query))):
                raise AriLost(f"{method} {path}: the connection broke")
            response = await answer
        except TimeoutError:
            raise AriTimeout(f"{method} {path}: no answer within {self._request_seconds:g} s") from None
        finally:
            late.cancel()
            self._waiting.pop(number, None)
        return _result(method, path, response)

    async def _stay_connected(self) -> None:
        tries = 0
        while True:
            reason = "closed"
            try:
                async with connect(
                    self._url,
                    create_connection=cast(type[Socket], partial(Socket, self._heard)),
                    additional_headers={"Authorization": self._login},
                    open_timeout=5,
                    close_timeout=1,
                    ping_interval=5,
                    ping_timeout=5,
                    compression=None,
                    proxy=None,
                    max_size=None,
                ) as socket:
                    tries = 0
                    reason = await self._serve(cast(Socket, socket))
            except (OSError, TimeoutError, WebSocketException, InvalidHandshake, AriError) as error:
                reason = f"{type(error).__name__}: {error}"
            self._forget(reason)
            await asyncio.sleep(self._retry_seconds[min(tries, len(self._retry_seconds) - 1)])
            tries += 1

    async def _serve(self, socket: Socket) -> str:
        self._socket = socket
        ready = asyncio.create_task(self._filter_events(socket))
        try:
            await socket.wait_closed()
        finally:
            self._socket = None
            ready.cancel()
            with contextlib.suppress(asyncio.CancelledError, AriError):
                await ready
        if self._events.full():
            return f"the consumer is {self._events.qsize()} events behind"
        return f"closed by Asterisk ({socket.close_code})"

    def _heard(self, socket: Socket, text: bytes) -> None:
        message = _read(text)
        if message.get("type") == "RESTResponse":
            self._settle(message)
            return
        try:
            self._events.put_nowait(AriEvent(str(message.get("type")), self._clock(), message))
        except asyncio.QueueFull:
            socket.drop()

    async def _filter_events(self, socket: Socket) -> None:
        allowed = [{"type": each} for each in EVENTS]
        try:
            await self.request("PUT", f"/applications/{_part(self.app)}/eventFilter", body={"allowed": allowed})
        except AriError:
            # Half a connection is none.
            await socket.close()
            return
        with contextlib.suppress(asyncio.QueueFull):
            self._events.put_nowait(AriEvent("Connected", self._clock()))
        self._connected.set()
        self._told(True)

    def _settle(self, response: Mapping[str, Any]) -> None:
        answer = self._waiting.get(str(response.get("request_id")))
        # Nobody waits for one that comes after its time.
        if answer is not None and not answer.done():
            answer.set_result(response)

    def _forget(self, reason: str) -> None:
        self._connected.clear()
        self._told(False)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(AriLost(reason))
        # What is still in the queue belongs to calls that are no longer ours; it also makes room for this.
        while not self._events.empty():
            self._events.get_nowait()
        self._events.put_nowait(AriEvent("Lost", self._clock(), {"reason": reason}))


def request_message(
    number: str, method: str, path: str, body: object = None, query: Mapping[str, str] | None = None
) -> dict[str, str]:
    """A RESTRequest as Asterisk's `events.json` describes it."""
    uri = path.lstrip("/")
    if query:
        uri += "?" + "&".join([f"{name}={_part(value)}" for name, value in query.items()])
    message = {"type": "RESTRequest", "transaction_id": number, "request_id": number, "method": method, "uri": uri}
    if body is not None:
        message |= {"content_type": "application/json", "message_body": to_json(body).decode()}
    return message


def _from_json(text: str | bytes) -> Any:
    """As json.loads, several times as quick; which also knows what is not quite JSON, half a surrogate pair say."""
    try:
        return from_json(text)
    except ValueError:
        return json.loads(text)


def _give_up(answer: asyncio.Future[Mapping[str, Any]]) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError())


def _read(text: bytes) -> Mapping[str, Any]:
    """A message of Asterisk's; one that is no JSON object becomes an event without a type, which nobody acts on."""
    try:
        message = _from_json(text)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _result(method: str, path: str, response: Mapping[str, Any]) -> Any:
    status = int(response.get("status_code", 500))
    text = response.get("message_body") or ""
    if status < 300:
        return _from_json(text) if text else None
    what = f"{method} {path}: {response.get('reason_phrase')} {text}"
    raise (AriGone if status in (404, 409) else AriRefused)(status, what)


@lru_cache(maxsize=1000)  # a call's channel is named in each of its requests
def _part(text: str) -> str:
    return quote(text, safe="")


def _websocket_url(url: str, app: str) -> str:
    scheme, host, path, _, _ = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(scheme, scheme)
    return urlunsplit((scheme, host, path.rstrip("/") + "/events", urlencode({"app": app}), ""))
