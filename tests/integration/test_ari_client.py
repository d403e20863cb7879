"""What the client says exists in Asterisk's own documents, and how it bears a slow, dumb or dead Asterisk."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve

from adapters.asterisk.ari import EVENTS, Ari, AriEvent, AriGone, AriLost, AriRefused, AriTimeout, request_message
from infra.asterisk.instance import AsteriskUnavailable, Installation, find_installation

Behaviour = Callable[[ServerConnection, dict[str, Any]], Awaitable[None]]


class FakeAri:
    """A websocket server that notes requests; `behave` answers them."""

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave
        self.requests: list[dict[str, Any]] = []
        self.logins: list[str] = []
        self.paths: list[str] = []
        self.connections: list[ServerConnection] = []
        self.asked = asyncio.Event()

    async def talk(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.logins.append(socket.request.headers.get("Authorization", ""))
        self.paths.append(socket.request.path)
        self.connections.append(socket)
        async for text in socket:
            message = json.loads(text)
            if "eventFilter" in message["uri"]:
                await answer(socket, message)
                continue
            self.requests.append(message)
            self.asked.set()
            await self._behave(socket, message)


async def answer(socket: ServerConnection, message: dict[str, Any], status: int = 204, body: str = "") -> None:
    response = {"type": "RESTResponse", "request_id": message["request_id"], "status_code": status}
    await socket.send(json.dumps(response | {"reason_phrase": "", "message_body": body}))


async def answers_all(socket: ServerConnection, message: dict[str, Any]) -> None:
    variables = {"CALL_REF": "ab", "PAI": ""}
    channel = {"id": "1.2", "name": "PJSIP/carrier-1", "state": "Up", "channelvars": variables}
    if message["method"] == "GET":
        known: dict[str, Any] = {"channels": [channel], "applications/callrouter-w1": {"channel_ids": ["1.2"]}}
        await answer(socket, message, 200, json.dumps(known.get(message["uri"], channel)))
    else:
        await answer(socket, message)


async def is_dumb(socket: ServerConnection, message: dict[str, Any]) -> None:
    """Says nothing."""


@asynccontextmanager
async def connected(behave: Behaviour, **how: Any) -> AsyncIterator[tuple[FakeAri, Ari, Server]]:
    fake = FakeAri(behave)
    async with serve(fake.talk, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        how = {"retry_seconds": (0.02,)} | how
        async with Ari(f"http://127.0.0.1:{port}/ari", "callrouter-w1", "user", "secret", **how) as ari:
            await ari.wait_connected()
            yield fake, ari, server


async def next_event(ari: Ari, kind: str) -> AriEvent:
    async with asyncio.timeout(30):
        async for event in ari.events():
            if event.type == kind:
                return event
    raise AssertionError("unreachable")


@pytest.fixture(scope="module")
def installation() -> Installation:
    try:
        return find_installation()
    except AsteriskUnavailable as reason:
        pytest.skip(f"no Asterisk, so no documents to compare with: {reason}")


@pytest.fixture(scope="module")
def operations(installation: Installation) -> dict[tuple[str, re.Pattern[str]], set[str]]:
    """(method, path as a pattern) → names of the query parameters, from this version's api-docs."""
    found: dict[tuple[str, re.Pattern[str]], set[str]] = {}
    for document in sorted((installation.data / "rest-api").glob("*.json")):
        for api in json.loads(document.read_text()).get("apis", []):
            path = re.compile(re.sub(r"\{\w+\}", "[^/]+", str(api["path"])) + "$")
            for operation in api.get("operations", []):
                parameters = operation.get("parameters", [])
                names = {each["name"] for each in parameters if each["paramType"] == "query"}
                found[operation["httpMethod"], path] = names
    return found


async def say_everything(ari: Ari) -> None:
    channel = "a/b 1.2"
    await ari.claim(channel)
    await ari.answer(channel)
    await ari.play(channel, "ref.1.2.play", ["sound:hello", "sound:/abs/prompt"])
    await ari.stop_playback("ref.1.2.play")
    await ari.start_moh(channel)
    await ari.stop_moh(channel)
    await ari.continue_in_dialplan(channel, "fenced", "e1-end")
    await ari.subscribe(f"channel:{channel}")
    await ari.renew_lease(channel, 1, 2)
    await ari.get_channel(channel)
    await ari.originate(channel, "PJSIP/+447700900123@provider-one", caller="", ring_s=30, longest_s=180)
    await ari.hang_up(channel)
    assert await ari.channel_ids() == await ari.held() == ["1.2"]


async def test_every_request_is_in_asterisks_own_documents(
    operations: dict[tuple[str, re.Pattern[str]], set[str]],
) -> None:
    async with connected(answers_all) as (fake, ari, _):
        await say_everything(ari)
    assert len(fake.requests) == 14
    for request in fake.requests:
        uri = urlsplit("/" + request["uri"])
        known = [names for (method, path), names in operations.items()
                 if method == request["method"] and path.match(uri.path)]  # fmt: skip
        assert known, f"{request['method']} {uri.path} is not documented"
        assert any(set(parse_qs(uri.query)) <= names for names in known), f"{uri}: unknown parameter"


def test_the_message_itself_is_documented(installation: Installation) -> None:
    models = json.loads((installation.data / "rest-api" / "events.json").read_text())["models"]
    message = request_message("1", "PUT", "/a", {"b": 1}, {"c": "d"})
    properties = models["RESTRequest"]["properties"]
    assert set(message) - {"type"} <= set(properties)
    assert {name for name, each in properties.items() if each.get("required")} <= set(message)
    assert set(EVENTS) <= set(models)


def test_values_are_quoted_in_the_uri() -> None:
    uri = request_message("1", "POST", "/x", None, {"variable": "EXPORT(PJSIP/c-1,TIMEOUT(absolute))"})["uri"]
    assert "(" not in uri
    assert unquote(uri) == "x?variable=EXPORT(PJSIP/c-1,TIMEOUT(absolute))"


async def test_the_password_is_in_the_header_and_not_in_the_address() -> None:
    async with connected(answers_all) as (fake, _, _):
        assert fake.logins == ["Basic dXNlcjpzZWNyZXQ="]
        assert fake.paths == ["/ari/events?app=callrouter-w1"]


async def test_a_channel_is_read_without_its_empty_variables() -> None:
    async with connected(answers_all) as (_, ari, _):
        channel = await ari.get_channel("1.2")
    assert (channel.name, channel.variables) == ("PJSIP/carrier-1", {"CALL_REF": "ab"})


@pytest.mark.parametrize(("status", "error"), [(404, AriGone), (409, AriGone), (412, AriRefused), (500, AriRefused)])
async def test_a_refusal_is_an_error_that_says_what_to_do(status: int, error: type[AriRefused]) -> None:
    async def refuses(socket: ServerConnection, message: dict[str, Any]) -> None:
        await answer(socket, message, status, '{"message": "no"}')

    async with connected(refuses) as (_, ari, _):
        with pytest.raises(AriRefused, match="no") as caught:
            await ari.claim("1.2")
    assert type(caught.value) is error
    assert caught.value.status == status


async def test_no_answer_is_a_timeout_and_holds_up_nobody_else() -> None:
    async def is_dumb_about_prompts(socket: ServerConnection, message: dict[str, Any]) -> None:
        if "/play/" not in message["uri"]:
            await answer(socket, message)

    async with connected(is_dumb_about_prompts, request_seconds=0.2) as (_, ari, _):
        prompt = asyncio.create_task(ari.play("1.2", "p", ["sound:hello"]))
        await ari.renew_lease("1.3", 1, 2)
        with pytest.raises(AriTimeout):
            await prompt


async def test_a_broken_connection_fails_what_waits_is_announced_and_comes_back() -> None:
    async with connected(is_dumb) as (fake, ari, _):
        waiting = asyncio.create_task(ari.answer("1.2"))
        await next_event(ari, "Connected")
        await fake.asked.wait()
        fake.connections[0].transport.abort()
        with pytest.raises(AriLost):
            await waiting
        await next_event(ari, "Lost")
        await next_event(ari, "Connected")
    assert len(fake.connections) == 2


async def test_without_a_connection_a_request_fails_at_once() -> None:
    ari = Ari("http://127.0.0.1:9/ari", "callrouter-w1", "user", "secret")
    with pytest.raises(AriLost):
        await ari.answer("1.2")


async def test_a_slow_consumer_delays_no_answer_and_loses_the_connection_when_too_far_behind() -> None:
    async def floods(socket: ServerConnection, message: dict[str, Any]) -> None:
        for _ in range(8 if "small" in message["uri"] else 20):
            await socket.send('{"type": "ChannelDtmfReceived"}')
        await answer(socket, message)

    async with connected(floods, queued_events=10) as (_, ari, _):
        # Nobody reads events: `Connected` and eight more fit.
        await ari.stop_playback("small")
        with pytest.raises(AriLost, match="behind"):
            await ari.stop_playback("big")
        assert "behind" in (await next_event(ari, "Lost")).body["reason"]
        await next_event(ari, "Connected")
