"""Pages of the console over HTTP, and a browser for each person that keeps the cookie and sends forms."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI

from callrouter.handover import SignedIn
from console.session import Sessions
from console.web import Web, route_class
from infra.clock import Clock

HOST = "http://console.test"
SECRET = "a-secret-of-the-tests-and-of-nothing-else"


class Browser:
    """Opens pages and sends their forms."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def send(self, path: str, fields: dict[str, Any] | None = None, *, of: str = "") -> httpx.Response:
        """Send the form at ``path`` that stands on the page ``of``, with what is hidden in it."""
        page = await self.client.get(of or path)
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        return await self.client.post(path, data={**hidden, **(fields or {})}, follow_redirects=True)


class Console:
    """The pages that ``add`` makes."""

    def __init__(self, clock: Clock, add: Callable[[APIRouter, Web], None]) -> None:
        self.sessions = Sessions(SECRET, clock=clock)
        web = Web(self.sessions)
        router = APIRouter(route_class=route_class(web))
        add(router, web)
        self.app = FastAPI()
        self.app.include_router(router)

    @asynccontextmanager
    async def browser(self, who: SignedIn) -> AsyncIterator[Browser]:
        """A browser of somebody who has signed in."""
        transport = httpx.ASGITransport(app=self.app)
        cookies = {self.sessions.cookie_name: self.sessions.sign(who)}
        async with httpx.AsyncClient(
            transport=transport, base_url=HOST, headers={"origin": HOST}, cookies=cookies
        ) as client:
            yield Browser(client)
