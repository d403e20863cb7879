"""Our webhooks with a strict telephone before them, as behind a proxy that takes off TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from fastapi import FastAPI

from adapters.twilio.routes import twilio_router
from adapters.twilio.settings import TwilioSettings
from infra.crypto import KeyRing
from infra.keys import new_pair
from infra.turns import Turns
from tests.integration.test_twilio_caller import PUBLIC_URL, TOKEN, TwilioCall
from tests.service import PROMPTS, CallService, build_calls

KEYS = new_pair()
FALLBACK = "+442079460199"
HANDLERS = {"+442079460101", "+442079460102"}
CLINICIANS, MENTAL_HEALTH = "+442079460110", "+442079460120"
DENTAL, PHARMACY = "+442079460130", "+442079460140"


@dataclass
class World:
    service: CallService
    client: httpx.AsyncClient

    def call(self, **about: str) -> TwilioCall:
        return TwilioCall(self.client, **about)

    def ref(self, call: TwilioCall) -> str:
        return self.service.keys.index("twilio-call", call.sid)[:32]

    async def kinds(self, call: TwilioCall) -> list[str]:
        return [event.kind for event in await self.service.events(self.ref(call))]

    async def only(self, call: TwilioCall, kind: str) -> object:
        (event,) = await self.service.events(self.ref(call), kind)
        return event


def an_app(
    service: CallService, prompts: Mapping[str, str] = PROMPTS, turns: Turns | None = None, **settings: object
) -> FastAPI:
    app = FastAPI()
    about = TwilioSettings(
        public_url=PUBLIC_URL, auth_tokens=("an-old-token", TOKEN), fallback_number=FALLBACK, production=True,
        **settings,  # type: ignore[arg-type]
    )  # fmt: skip
    parts = {"keys": service.keys, "providers": service.providers, "prompts": prompts, "clock": service.clock}
    app.include_router(twilio_router(service.calls, about, turns=turns or Turns(), **parts))  # type: ignore[arg-type]
    return app


def a_client(app: FastAPI) -> httpx.AsyncClient:
    """A client behind a proxy that has taken off TLS: another host, another scheme."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://10.0.0.5:8111")


@asynccontextmanager
async def a_world(folder: Path) -> AsyncIterator[World]:
    """The service of the tests in ``folder``, and its client."""
    service = await build_calls(folder, keys=KeyRing.from_base64(KEYS))
    async with a_client(an_app(service)) as client:
        yield World(service, client)
    await service.close()
