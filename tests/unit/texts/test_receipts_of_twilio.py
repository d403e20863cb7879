"""A receipt that Twilio did not sign: refused, and no more of it taken in than Twilio ever sends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from callrouter.settings import Settings
from callrouter.texting import Texting, receipts_of
from callrouter.texts.model import State
from tests.text_providers import OWN, twilio_receipt

CHUNK = b"x" * 16_384


async def nobody(_reference: str, _provider: str, _outcome: State, _reason: str) -> bool:
    raise AssertionError("nothing was told")


async def test_an_endless_body_is_refused_before_it_is_read_whole() -> None:
    drawn = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal drawn
        while drawn < 1_000:
            drawn += 1
            yield CHUNK

    settings = Settings(public_url=OWN, twilio_auth_tokens=SecretStr("a-token-of-the-tests-and-nothing-else"))
    app = FastAPI()
    app.include_router(receipts_of(settings, cast(Texting, None), nobody))
    path, _, headers = twilio_receipt("ab" * 16, "delivered")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=OWN) as client:
        sent = {**headers, "content-type": "application/x-www-form-urlencoded"}
        assert (await client.post(path, content=endless(), headers=sent)).status_code == 403
    assert drawn < 10
