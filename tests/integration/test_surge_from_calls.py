"""From callers who ring, hour after hour, to a message that the next one hears: two people who have yet to sign in.

Callers come by Twilio's webhooks through the shipped flow, journal and stream, on a hand clock; people use the pages.
What was usual before is written as counts: it would be 160,000 calls.
"""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from alerts.surges.counting import SurgeCounter
from alerts.surges.indicators import read_indicators
from alerts.surges.screening import screen
from alerts.surges.store import ProposalStore
from callrouter.surges.desk import SurgeDesk
from console.messages import add_messages
from console.session import Sessions
from console.sign_in import add_sign_in
from console.surges import add_surges
from console.web import Web, route_class
from infra.areas import london
from infra.bus import Entry, MemoryStream
from infra.migrate import upgrade_database
from infra.sql import connect_database
from infra.state import MemoryStates
from tests.console_browser import HOST, SECRET
from tests.hand_clock import HandClock
from tests.integration.test_twilio_caller import TwilioCall
from tests.message_world import MOBILE, TUESDAY, World, world_on
from tests.service import CallService, build_calls
from tests.surge_past import write_past
from tests.twilio_world import a_client, an_app

INDICATORS = read_indicators()
CALLERS = 60
MOST_ACTIONS = 12


@dataclass
class Person:
    """Somebody at a browser, and everything that they do: a page opened, a field filled in, something clicked."""

    client: httpx.AsyncClient
    name: str
    role: str
    actions: list[str] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)
    page: httpx.Response = field(default_factory=lambda: httpx.Response(200))

    async def open(self, path: str) -> None:
        """By a link that they were sent; whoever has not signed in does so first."""
        self.actions.append(f"open {path}")
        self.page = await self.client.get(path, follow_redirects=True)
        if self.page.url.path == "/sign-in":
            self.actions += ["type name", "choose role"]
            self.typed.append(self.name)
            await self.press("Sign in", name=self.name, role=self.role)
        assert self.page.url.path == path, self.page.text

    async def follow(self, words: str) -> None:
        """Click the link with these words."""
        (to,) = re.findall(rf'href="([^"]+)"[^>]*>{re.escape(words)}', html.unescape(self.page.text))
        self.actions.append(f"follow {words}")
        self.page = await self.client.get(to)

    async def press(self, button: str, **given: str) -> None:
        """Send the form that has this button."""
        forms = re.findall(r"<form.*?</form>", self.page.text, re.S)
        (form,) = (each for each in forms if re.search(rf">\s*{re.escape(button)}\s*<", each))
        action = re.search(r'action="([^"]*)"', form)
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
        self.actions.append(f"press {button}")
        to = action[1] if action else str(self.page.url)
        fields = {name: html.unescape(value) for name, value in hidden.items()} | given
        self.page = await self.client.post(to, data=fields, follow_redirects=True)
        assert self.page.status_code == 200, self.page.text


@dataclass
class House:
    """Calls, what is counted of them, and the pages, on one database and one clock."""

    clock: HandClock
    calls: CallService
    counter: SurgeCounter
    store: ProposalStore
    world: World
    pages: FastAPI

    async def caller(self, telephone: httpx.AsyncClient, number: int) -> None:
        """Somebody with a mobile who asks about a cold or flu, and hangs up in the queue."""
        call = TwilioCall(telephone, from_=f"+447700900{number:03}")
        await call.start()
        while "For anything else" not in call.heard:
            await call.go_on()
        await call.press("4")
        await call.status()

    def person(self, name: str, role: str) -> Person:
        transport = httpx.ASGITransport(app=self.pages)
        return Person(httpx.AsyncClient(transport=transport, base_url=HOST, headers={"origin": HOST}), name, role)


@asynccontextmanager
async def a_house(folder: Path) -> AsyncIterator[House]:
    """Five weeks of usual counts until the hour that is to come, and the service at its beginning."""
    clock, stream = HandClock(TUESDAY), MemoryStream()
    database = connect_database(f"sqlite:///{folder / 'calls.db'}")
    await upgrade_database(database)
    calls = await build_calls(folder, clock=clock, stores=(MemoryStates(stream), stream))
    menu = f"{calls.flow.version}/{INDICATORS.version}"
    await database.write(lambda connection: write_past(connection, TUESDAY + timedelta(hours=1), menu=menu))

    async def no_words(_entry: Entry) -> tuple[str, ...]:
        return ()

    counter = SurgeCounter(stream, database, INDICATORS, clock, hidden=lambda ref: f"h-{ref}"[:64], opened=no_words)
    await counter.join()
    world, store = world_on(database, folder, clock=clock), ProposalStore(database)
    desk = SurgeDesk(database, store, world.service, INDICATORS, london(), clock)
    web = Web(Sessions(SECRET, clock=clock, development_sign_in=True))
    router, pages = APIRouter(route_class=route_class(web)), FastAPI()
    add_sign_in(router, web, None)
    add_surges(router, web, desk)
    add_messages(router, web, world.service, clock)
    pages.include_router(router)
    yield House(clock, calls, counter, store, world, pages)
    await calls.close()
    await database.close()


@pytest.mark.slow
async def test_a_surge_of_callers_is_answered_in_twelve_actions_sign_in_included(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        async with a_client(an_app(house.calls)) as telephone:
            for number in range(CALLERS):
                await house.caller(telephone, number)
                house.clock.move(3600 / CALLERS)
        while await house.counter.step(0):
            pass
        assert len(set(await house.calls.everything())) == CALLERS, "each is in the journal"
        house.clock.move(120)
        screened = await screen(house.store._database, london(), house.clock.now(), null_cells=200_000)
        await house.store.record(screened)
        found = {each.series.area: each for each in screened.found if each.series.signal == "cold_or_flu"}
        assert found["everywhere"].kind == "surge"
        (proposal,) = (each for each in await house.store.recent(TUESDAY) if each.kind == "surge")
        heard = {"area": "bromley", "service": "pharmacy", "number": MOBILE}
        assert await house.world.markers(**heard) == []

        pia, cleo = house.person("Pia", "public_health"), house.person("Cleo", "clinical_safety")
        await pia.open(f"/surges/{proposal.id}")  # the notice has the link
        await pia.press("Draft the message")
        await cleo.open("/messages")
        await cleo.follow("Many callers with a cold or flu: All callers")
        await cleo.press("Approve what I see and hear")
        await cleo.press("Put it live")

        assert await house.world.markers(**heard) == ["cold-or-flu-everywhere"]
        actions = [*pia.actions, *cleo.actions]
        print(f"\n{len(actions)} actions: {actions}")
        assert len(actions) <= MOST_ACTIONS
        typed = [*pia.typed, *cleo.typed]
        assert typed == ["Pia", "Cleo"], "nothing is typed but who it is, and nothing twice"
