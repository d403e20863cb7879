"""A mail gateway says that mail to somebody came back: signed, and only of what was sent."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from adapters.notify.webhook import NOTICE_ID, SIGNATURE, TIMESTAMP, sign
from alerts.life.service import AlertService
from alerts.life.store import AlertStore, metadata
from alerts.model import Figures, Notice, Recipient, Rule, ScopeFigures
from callrouter.alerting.bounces import PATH, bounce_routes
from callrouter.errors import ConfigurationError
from callrouter.settings import Settings
from infra.sql import connect_database
from tests.hand_clock import HandClock

SECRET = "a-secret-of-the-tests-and-of-nothing-else"
SLOW = Rule(
    name="longest-wait", title="Callers wait too long", metric="longest_wait_s", threshold=180, clear=120, for_s=0,
    severity="warning", usually_helps="", source="a test", link="https://calls.example/",
    who=(Recipient("Duty manager", "email", "Duty@Example.nhs.invalid"),),
)  # fmt: skip


class Mail:
    """A relay that takes everything."""

    def __init__(self) -> None:
        self.taken: list[Notice] = []

    async def send(self, notice: Notice) -> None:
        self.taken.append(notice)


async def test_only_what_was_sent_comes_back(tmp_path: Path) -> None:
    database, clock, mail = connect_database(f"sqlite:///{tmp_path}/alerts.db"), HandClock(), Mail()
    await database.write(metadata.create_all)
    figures = Figures(clock.now(), ScopeFigures(scope="total", name="all", longest_wait_s=200), ())
    store = AlertStore(database)
    await AlertService([SLOW], lambda: figures, {"email": mail}, store, clock).tick()
    app = FastAPI()
    app.include_router(bounce_routes(Settings(bounce_secret=SecretStr(SECRET)), database, clock))

    async def post(notice: str, recipient: object, secret: str = SECRET) -> int:
        content = json.dumps({"id": notice, "recipient": recipient}).encode()
        at = str(int(clock.now().timestamp()))
        headers = {NOTICE_ID: notice, TIMESTAMP: at, SIGNATURE: sign(secret, at, content)}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://calls.example") as client:
            return (await client.post(PATH, content=content, headers=headers)).status_code

    notice, address = mail.taken[0].id, "duty@example.nhs.invalid"
    assert await post(notice, address, secret="somebody-else-who-knows-the-address") == 403
    assert await post(notice, "head@example.nhs.invalid") == 204
    assert await post("longest-wait.made-up", address) == 204
    assert await post(notice, ["not", "an", "address"]) == 204
    assert await store.bounced() == {}
    assert await post(notice, address) == 204, "in small letters, as gateways write them"
    assert await store.bounced() == {address: clock.now()}
    await database.close()


def test_without_a_secret_there_is_no_address_and_a_short_one_is_refused(tmp_path: Path) -> None:
    database = connect_database(f"sqlite:///{tmp_path}/alerts.db")
    assert bounce_routes(Settings(), database, HandClock()).routes == []
    with pytest.raises(ConfigurationError, match="BOUNCE_SECRET"):
        bounce_routes(Settings(bounce_secret=SecretStr("short")), database, HandClock())
