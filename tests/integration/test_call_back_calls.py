"""A call back from the offer to the call: by signed webhooks through the whole service, kept from its page."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from rich.console import Console
from sqlalchemy import text

from adapters.phone.line import Line
from adapters.phone.model import FarEnd
from adapters.phone.terminal import dial
from adapters.twilio.fallback import fallback_document
from adapters.twilio.settings import DEMO_FALLBACK
from callrouter import events as ev
from callrouter.app import app_of
from callrouter.handover import Role, SignedIn
from callrouter.keys import session_secret
from callrouter.running import running
from callrouter.settings import load_settings
from callrouter.wiring import Service, build
from console.call_backs import add_call_backs
from console.session import Sessions
from infra.migrate import upgrade_database
from tests.console_browser import Console as Pages
from tests.integration.test_twilio_caller import PUBLIC_URL, TOKEN, TwilioCall

FLOW = Path(__file__).parent.parent / "flows/call_back.yaml"
HANNAH = SignedIn("Hannah", Role.HANDLER, "s-1")
SOON_S = 60.0  # what takes a second; the rest is for a busy machine
NUMBER = "07700 900123"


@dataclass
class House:
    """A running service with the example flow, and a caller's way in."""

    service: Service
    client: httpx.AsyncClient

    def call(self, number: str = "+447700900123") -> TwilioCall:
        return TwilioCall(self.client, from_=number)

    async def events(self, call: TwilioCall) -> list[ev.Event]:
        call_ref = self.service.keys.index("twilio-call", call.sid)[:32]
        return [each.event for each in await self.service.journal.read(call_ref)]

    async def soon(self, holds: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(SOON_S):
            while not await holds():  # noqa: ASYNC110 - it is read, it does not call
                await asyncio.sleep(0.05)

    async def has_journalled(self, call: TwilioCall, kind: str) -> None:
        async def there() -> bool:
            return any(each.kind == kind for each in await self.events(call))

        await self.soon(there)


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    for name, value in {
        "DATA_DIR": str(tmp_path), "FLOW_FILE": str(FLOW), "PUBLIC_URL": PUBLIC_URL, "TWILIO_AUTH_TOKENS": TOKEN,
        "LOOKUP_BUDGET_MS": "2000",  # no noisy machine is taken for a database that is away
    }.items():  # fmt: skip
        monkeypatch.setenv(f"CALLROUTER_{name}", value)
    service = build(load_settings())
    await upgrade_database(service.database)
    app = app_of(service)
    async with (
        running(service),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://10.0.0.5:8111") as client,
    ):
        yield House(service, client)


@dataclass(frozen=True, slots=True)
class NobodyAnswers:
    """Every telephone rings on."""

    def take(self, target: str) -> FarEnd:
        return FarEnd("answered", ring_s=600, talk_s=1)


async def promised(house: House) -> TwilioCall:
    """A caller who was offered a call, took it, and has hung up."""
    call = house.call()
    await call.start()
    assert "We can call you back on the number that you are calling from" in call.heard
    await call.press("1")
    assert "ends in: zero one two three" in call.heard
    await call.press("1")
    assert "We will call you back on this number" in call.heard
    await call.status()
    await house.has_journalled(call, "ended")
    return call


async def test_promised_call_is_kept_from_the_page_and_told_in_the_journal(house: House) -> None:
    call = await promised(house)
    (ended,) = [each for each in await house.events(call) if isinstance(each, ev.Ended)]
    assert ended.end_class == "call_back"

    again = house.call()  # rings again before anybody has called: put first, and not asked again
    await again.start()
    assert "We can call you back" not in again.heard
    await again.status()

    kept = house.service.after_calls.call_backs
    clock = house.service.clock
    console = Pages(clock, lambda router, web: add_call_backs(router, web, kept.all, clock))
    async with console.browser(HANNAH) as hannah:

        async def can_be_rung() -> bool:
            return "1 caller to ring" in (await hannah.client.get("/call-backs")).text

        await house.soon(can_be_rung)
        (listed,) = await kept.all.listed(HANNAH)
        page = await hannah.client.get("/call-backs")
        assert NUMBER not in page.text
        opened = await hannah.send(f"/call-backs/{listed.id}/take", of="/call-backs")
        assert NUMBER in opened.text
        assert "Say nothing of 111" in opened.text
        its_page = f"/call-backs/{listed.id}"
        done = await hannah.send(f"{its_page}/tried", {"outcome": "answered"}, of=its_page)
        assert "Reached" in done.text
    async with console.browser(SignedIn("Con", Role.COMMISSIONER, "s-2")) as con:
        assert (await con.client.get("/call-backs")).status_code == 403

    await house.has_journalled(call, "call_back_ended")
    kinds = [each.kind for each in await house.events(call) if each.kind.startswith("call_back")]
    assert kinds == [
        "call_back_promised", *["call_back_opened"] * 3, "call_back_tried", "call_back_ended",
    ]  # fmt: skip


@pytest.mark.slow
async def test_programs_take_keep_and_are_refused_as_people_are(house: House) -> None:
    await promised(house)
    kept, clock = house.service.after_calls.call_backs.all, house.service.clock

    async def is_owed() -> bool:
        return not (await kept.listed(HANNAH))[0].is_on_the_line(clock.now())

    await house.soon(is_owed)
    sessions = Sessions(session_secret(house.service.settings), clock=clock, development_sign_in=True)

    async def send(who: SignedIn | None, method: str, path: str, **body: str) -> httpx.Response:
        cookies = {sessions.cookie_name: sessions.sign(who)} if who else {}
        session = sessions.read(cookies)
        headers = {"X-Form-Token": sessions.form_token(session)} if session else {}
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        return await house.client.request(method, f"/api/call-backs{path}", headers=headers, json=body or None)

    (listed,) = (await send(HANNAH, "GET", "")).json()
    assert (listed["number"], listed["call"]) == (None, None)
    its = f"/{listed['id']}"
    assert (await send(None, "GET", "")).status_code == 401
    commissioner = SignedIn("Con", Role.COMMISSIONER, "s-2")
    assert [(await send(commissioner, "POST", f"{its}/take")).json()["error_id"]] == ["role_missing"]
    assert (await send(HANNAH, "GET", its)).json()["error_id"] == "not_yours"
    assert (await send(HANNAH, "POST", f"{its}/take")).json()["number"] == "+447700900123"
    assert (await send(HANNAH, "POST", f"{its}/tried", outcome="sang")).json()["error_id"] == "call_back_not_now"
    assert (await send(HANNAH, "POST", f"{its}/tried", outcome="busy")).json()["tries"] == 1
    assert (await send(HANNAH, "POST", "/none/take")).status_code == 404


@pytest.mark.slow
async def test_same_call_at_the_terminal_is_promised_too(house: House) -> None:
    line = Line(house.client, PUBLIC_URL, TOKEN, fallback_document(DEMO_FALLBACK))
    shown, typed = io.StringIO(), io.StringIO("1\n1\nh\n")
    house.client.timeout = httpx.Timeout(60)
    await dial(line, "+447700900124", console=Console(file=shown), typed=typed, speed=200, far=NobodyAnswers())

    assert "We will call you back on this number" in " ".join(shown.getvalue().split())

    async def is_owed() -> bool:
        found = await house.service.after_calls.call_backs.all.listed(HANNAH)
        return [each.left_at is not None for each in found] == [True]

    await house.soon(is_owed)


async def test_caller_stays_in_the_queue_where_nothing_can_be_promised(house: House) -> None:
    call = house.call()
    await call.start()
    await call.press("1")
    await house.service.database.write(lambda connection: connection.execute(text("DROP TABLE call_backs")))
    await call.press("1")  # the database fails between the offer and the promise
    assert "Sorry, we cannot call you back. Please stay on the line." in call.heard
    assert call.dialled
    assert not any(isinstance(each, ev.CallBackPromised) for each in await house.events(call))

    withheld = house.call("anonymous")
    await withheld.start()
    assert "We can call you back" not in withheld.heard
    assert withheld.dialled
