"""Calls to staff in Twilio's protocol: dialled, said, taken on by a key; and who may ask our addresses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from adapters.notify.twilio_account import TwilioAccount
from adapters.notify.voice import (
    ASK,
    ASK_IF_HEARD,
    HEARD,
    LONGEST_S,
    PERSON_BUSY,
    RING_S,
    SORRY,
    THANKS,
    UNKNOWN,
    FirstThatDials,
    Outcomes,
)
from adapters.notify.voice_routes import voice_router
from adapters.notify.voice_twilio import TwilioVoice
from alerts.life.store import AlertStore, Change, metadata
from alerts.model import AlertState, Notice, Recipient
from alerts.notices.sent import SentNotices
from alerts.notices.short import spoken
from alerts.ports import NoticeFailed
from callrouter.settings import Settings
from callrouter.texting import signed_by_twilio
from infra.crypto import KeyRing
from infra.sql import Database, connect_database
from tests.alert_notices import FIRED, MOBILE
from tests.hand_clock import HandClock
from tests.text_providers import OWN, SID, TOKEN
from tests.twilio_calls import TwilioCalls

ACCOUNT = TwilioAccount(account_sid=SID, auth_token=TOKEN, own=OWN)
KEYS = KeyRing(b"m" * 32, b"i" * 32)


class Alerts:
    """What the alerts heard."""

    def __init__(self) -> None:
        self.taken_on: list[tuple[str, str, str]] = []
        self.receipts: list[bool] = []
        self.away = False
        self.fires = True

    async def acknowledge(self, alert: str, by: str, how: str) -> bool:
        if self.away:
            raise OSError
        if not self.fires:
            return False
        self.taken_on.append((alert, by, how))
        return True

    async def receipt(self, notice: str, channel: str, address: str, *, delivered: bool) -> None:
        self.receipts.append(delivered)


class House:
    """One process that calls, and Twilio."""

    def __init__(self, database: Database) -> None:
        self.clock = HandClock()
        self.store = AlertStore(database)
        self.alerts = Alerts()
        self.twilio = TwilioCalls()
        self.voice = self.process()

    def process(self) -> TwilioVoice:
        outcomes = Outcomes()
        outcomes.alerts = self.alerts
        sent = SentNotices(self.store, KEYS, self.clock)
        return TwilioVoice(ACCOUNT, "+447700900999", sent, outcomes, self.twilio.transport, self.clock.monotonic)

    def answers_by(self, voice: TwilioVoice) -> None:
        """Have ``voice`` answer what Twilio asks."""
        app = FastAPI()
        settings = Settings(public_url=OWN, twilio_auth_tokens=f"{TOKEN}, another")  # type: ignore[arg-type]
        app.include_router(voice_router(voice, signed_by_twilio(settings)))
        self.twilio.ours = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=OWN)


def to(number: str = MOBILE, **changed: Any) -> Notice:
    return replace(FIRED, recipient=Recipient("Duty manager", "voice", number), **changed)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    database = connect_database(f"sqlite:///{tmp_path}/alerts.db")
    await database.write(metadata.create_all)
    house = House(database)
    house.answers_by(house.voice)
    yield house
    assert house.twilio.ours is not None
    await house.twilio.ours.aclose()
    await database.close()


async def test_the_notice_is_said_twice_and_key_1_takes_the_alert_on(house: House) -> None:
    await house.voice.send(to())
    said = await house.twilio.answered()
    assert (said.gathered, said.said) == ((spoken(to()), ASK) * 2, (SORRY,))
    assert (await house.twilio.pressed(said, "1")).said == (THANKS,)
    assert await house.twilio.over("completed") == 204
    assert house.alerts.taken_on == [("longest-wait", "Duty manager", "voice")]
    assert house.alerts.receipts == [True]
    (form,) = house.twilio.created
    assert (form["To"], form["From"], form["TimeLimit"]) == (MOBILE, "+447700900999", str(LONGEST_S))
    assert "7700900123" not in form["Url"] + form["StatusCallback"]


@pytest.mark.parametrize("key", ["2", "5", "#"])
async def test_any_other_key_says_it_again_three_times_in_all(house: House, key: str) -> None:
    await house.voice.send(to())
    said = await house.twilio.answered()
    for _ in range(2):
        said = await house.twilio.pressed(said, key)
        assert said.gathered == (spoken(to()), ASK) * 2
    assert (await house.twilio.pressed(said, key)).said == (SORRY,)


@pytest.mark.parametrize("status", ["completed", "busy", "no-answer", "failed", "canceled"])
async def test_without_a_key_it_was_not_delivered(house: House, status: str) -> None:
    await house.voice.send(to())
    await house.twilio.answered()
    assert await house.twilio.over("ringing") == 204
    assert house.alerts.receipts == []
    assert await house.twilio.over(status) == 204
    assert (house.alerts.receipts, house.alerts.taken_on) == ([False], [])


async def test_a_single_thing_is_heard_by_telephone_and_not_taken_on(house: House) -> None:
    """Nobody may believe that they have a welfare task which the list still shows as nobody's."""
    house.alerts.fires = False
    task = to(metric="welfare_task")
    await house.voice.send(task)
    said = await house.twilio.answered()
    assert said.gathered == (spoken(task), ASK_IF_HEARD) * 2
    assert (await house.twilio.pressed(said, "1")).said == (HEARD,)
    await house.twilio.over("completed")
    assert (house.alerts.receipts, house.alerts.taken_on) == ([True], [])


async def test_what_cannot_be_recorded_is_said_and_was_not_delivered(house: House) -> None:
    house.alerts.away = True
    await house.voice.send(to())
    said = await house.twilio.answered()
    assert (await house.twilio.pressed(said, "1")).said == (SORRY,)
    await house.twilio.over("completed")
    assert house.alerts.receipts == [False]


async def test_another_process_answers_twilio_as_well(house: House) -> None:
    await house.store.move(Change((AlertState(rule="longest-wait", phase="firing"),), (to(),)))
    await house.voice.send(to())
    house.answers_by(house.process())
    said = await house.twilio.answered()
    await house.twilio.pressed(said, "1")
    assert house.alerts.receipts == [True]


async def test_what_another_process_has_in_memory_alone_is_told_without_detail(house: House) -> None:
    await house.voice.send(to())
    house.answers_by(house.process())
    said = await house.twilio.answered()
    assert (said.gathered, said.said) == ((), (UNKNOWN,))
    assert await house.twilio.over("completed") == 204
    assert (house.alerts.receipts, house.alerts.taken_on) == ([], [])


async def test_one_call_to_each_person_and_three_at_once(house: House) -> None:
    numbers = [f"+44770090020{n}" for n in range(4)]
    await house.voice.send(to(numbers[0]))
    with pytest.raises(NoticeFailed, match=PERSON_BUSY):
        await house.voice.send(to(numbers[0], id="another"))
    await house.voice.send(to(numbers[1]))
    await house.voice.send(to(numbers[2]))
    with pytest.raises(NoticeFailed, match="voice_lines_full"):
        await house.voice.send(to(numbers[3]))
    await house.twilio.over("busy", 0)
    await house.voice.send(to(numbers[3]))
    house.clock.move(RING_S + LONGEST_S)  # no word came of the others: they are over all the same
    await house.voice.send(to(numbers[1]))


@pytest.mark.parametrize(("fault", "final"), [("down", False), (429, False), (401, False), (500, False), (400, True)])
async def test_a_call_that_is_not_taken_leaves_the_line_free(house: House, fault: int | str, final: bool) -> None:
    house.twilio.fault = fault
    with pytest.raises(NoticeFailed) as failed:
        await house.voice.send(to())
    assert (failed.value.final, "7700900123" in str(failed.value)) == (final, False)
    house.twilio.fault = None
    await house.voice.send(to())


async def test_nobody_but_twilio_hears_a_notice_or_takes_it_on(house: House) -> None:
    await house.voice.send(to())
    url = house.twilio.created[0]["Url"]
    assert (await house.twilio.ask(url, token="forged")).status_code == 403
    assert (await house.twilio.ask(url.replace("/say", "/key"), token="forged", Digits="1")).status_code == 403
    assert (await house.twilio.ask(f"{OWN}/notices/voice/nonsense/say")).status_code == 404
    assert (await house.twilio.ask(url.replace("/say", "/else"))).status_code == 404
    assert (house.alerts.taken_on, house.alerts.receipts) == ([], [])


async def test_the_next_way_calls_whom_the_first_does_not_reach_but_nobody_twice(house: House) -> None:
    broken, sound = TwilioCalls(), house.voice
    broken.fault = "down"
    sent = SentNotices(house.store, KEYS, house.clock)
    first = TwilioVoice(ACCOUNT, "+447700900999", sent, Outcomes(), broken.transport, house.clock.monotonic)
    await FirstThatDials([first, sound]).send(to())
    assert len(house.twilio.created) == 1
    broken.fault = None
    with pytest.raises(NoticeFailed, match=PERSON_BUSY):
        await FirstThatDials([sound, first]).send(to(id="another"))
    assert broken.created == []
