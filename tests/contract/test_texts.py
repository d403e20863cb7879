"""Texts in the outbox are sent once, by whoever can, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from adapters.notify import govuk, twilio_texts
from callrouter.texts.model import LATEST, Kept, Purpose, State, Template
from callrouter.texts.outbox import Outbox
from callrouter.texts.routes import receipts_router
from callrouter.texts.sending import IN_HAND, Sender
from callrouter.texts.tables import texts
from infra.crypto import KeyRing
from infra.sql import Database, connect_database
from tests.hand_clock import HandClock
from tests.text_providers import BEARER, OWN, Notify, Twilio, notify_receipt, twilio_receipt

LINK = Template("link", "See https://www.nhs.uk", "f33517ff-2a88-4f6e-b855-c550268ce08a")
CREW = Template("crew_notice", "Ref ((reference)).", "f33517ff-2a88-4f6e-b855-c550268ce08b")
TEMPLATES = {"link": LINK, "crew_notice": CREW}
NUMBER = "+447700900123"


@dataclass
class House:
    """The outbox on one database, both providers, and any number of processes that send."""

    database: Database
    clock: HandClock = field(default_factory=HandClock)
    told: list[tuple[str, State]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys = KeyRing(os.urandom(32), os.urandom(32))
        self.outbox = Outbox(self.database, self.keys, self.clock)
        self.notify, self.twilio = Notify(self.clock, TEMPLATES), Twilio()
        self.sender = self.new_sender()

    def new_sender(self) -> Sender:
        async def told(kept: Kept) -> None:
            self.told.append((kept.reference, kept.state))

        return Sender(self.outbox, [self.notify.provider(), self.twilio.provider()], TEMPLATES, self.clock, told)

    async def put(self, reference: str, purpose: Purpose = Purpose.CALLER) -> None:
        def work(connection: Connection) -> None:
            values = {"reference": "K7P3-CANARY"} if purpose is Purpose.CREW else {}
            template = "crew_notice" if values else "link"
            self.outbox.put(
                connection, reference=reference, purpose=purpose, template=template, to=NUMBER, values=values,
                call_ref="call",
            )  # fmt: skip

        await self.database.write(work)

    async def state(self, reference: str) -> tuple[State, str, str]:
        kept = next(each for each in await self.outbox.of_call("call") if each.reference == reference)
        return kept.state, kept.provider, kept.reason

    @property
    def arrived(self) -> list[str]:
        return [ref for each in (self.notify, self.twilio) for _, _, ref in each.sent]


@pytest.fixture
def any_house(database: Database) -> House:
    """On each kind of database: what its transactions and conditions must do."""
    return House(database)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """On SQLite: what the sender does with what it reads."""
    database = connect_database(f"sqlite:///{tmp_path}/texts.db")
    await database.write(texts.metadata.create_all)
    yield House(database)
    await database.close()


REF = "ab" * 16


async def test_a_text_goes_by_the_first_provider_once_however_often_it_is_asked_for(any_house: House) -> None:
    for _ in range(2):
        await any_house.put(REF)
        await any_house.sender.step(0)
    assert any_house.notify.sent == [(NUMBER, LINK.words, REF)]
    assert any_house.twilio.sent == []
    assert any_house.told == [(REF, State.SENT)]


@pytest.mark.parametrize("fault", ["down", 429, 500, 503])
async def test_a_failing_provider_falls_to_the_next(house: House, fault: int | str) -> None:
    house.notify.fault = fault
    await house.put(REF)
    await house.sender.step(0)
    assert house.twilio.sent == [(NUMBER, LINK.words, REF)]
    assert await house.state(REF) == (State.SENT, "twilio", "")


async def test_when_nobody_takes_it_it_is_tried_again_and_given_up_when_it_is_late(house: House) -> None:
    house.notify.fault = house.twilio.fault = "down"
    await house.put(REF)
    for _ in range(60):
        await house.sender.step(0)
        house.clock.move(60)
    assert await house.state(REF) == (State.GIVEN_UP, "twilio", "twilio_unreachable")
    assert house.told == [(REF, State.GIVEN_UP)]
    house.notify.fault = None
    await house.sender.step(0)
    assert house.arrived == []


async def test_what_both_refuse_for_ever_is_given_up_at_once(house: House) -> None:
    house.notify.bodies.clear()
    house.twilio.fault = 400
    await house.put(REF)
    await house.sender.step(0)
    assert await house.state(REF) == (State.GIVEN_UP, "twilio", "twilio_400")


async def test_an_answer_that_was_lost_is_asked_for_and_nothing_is_sent_twice(house: House) -> None:
    await house.put("cd" * 16)
    await house.sender.step(0)
    house.notify.fault = "lost"
    await house.put(REF)
    await house.sender.step(0)
    assert (await house.state(REF))[0] is State.UNSURE
    house.notify.fault = None
    house.clock.move(IN_HAND.total_seconds())
    await house.sender.step(0)
    assert await house.state(REF) == (State.SENT, "govuk_notify", "")
    assert house.arrived.count(REF) == 1


async def test_what_the_provider_says_it_never_had_is_sent_again(house: House) -> None:
    await house.put("cd" * 16)
    await house.sender.step(0)
    house.notify.fault = "cut"
    await house.put(REF)
    await house.sender.step(0)
    house.notify.fault = None
    house.clock.move(IN_HAND.total_seconds())
    await house.sender.step(0)
    await house.sender.step(0)
    assert house.arrived.count(REF) == 1


async def test_where_nobody_can_say_it_is_not_sent_again_and_the_first_receipt_settles_it(house: House) -> None:
    house.notify.fault, house.twilio.fault = "down", "lost"
    await house.put(REF)
    await house.sender.step(0)
    house.notify.fault = house.twilio.fault = None
    for _ in range(40):
        house.clock.move(60)
        await house.sender.step(0)
    assert house.arrived == [REF]
    assert await house.state(REF) == (State.GIVEN_UP, "twilio", "unsure")
    assert await house.sender.received(REF, "twilio", State.DELIVERED, "")
    assert (await house.state(REF))[0] is State.DELIVERED


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("after", ["before it went out", "after it was taken"])
async def test_a_process_that_dies_while_it_sends_leaves_nothing_unsent_or_sent_twice(
    house: House, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.put(REF)
    provider = house.notify.provider()
    send = provider.send

    async def dies(given: object) -> None:
        if after == "after it was taken":
            await send(given)  # type: ignore[arg-type]
        raise Killed

    monkeypatch.setattr(provider, "send", dies)
    dying = Sender(house.outbox, [provider], TEMPLATES, house.clock, lambda _kept: asyncio.sleep(0))
    with pytest.raises(Killed):
        await dying.step(0)
    await house.sender.step(0)
    assert house.arrived.count(REF) == (after == "after it was taken")  # another leaves it alone for a minute
    house.clock.move(IN_HAND.total_seconds())
    for _ in range(2):
        await house.sender.step(0)
    assert house.arrived == [REF]
    assert (await house.state(REF))[0] is State.SENT


async def test_several_processes_send_each_text_once(any_house: House) -> None:
    references = [f"{n:032x}" for n in range(12)]
    for each in references:
        await any_house.put(each)
    await asyncio.gather(*(any_house.new_sender().step(0) for _ in range(3)))
    assert sorted(any_house.arrived) == references


async def test_number_and_values_are_gone_when_the_text_is_done_and_never_stood_in_clear(any_house: House) -> None:
    await any_house.put(REF, Purpose.CREW)
    rows = select(texts)
    before = str(await any_house.database.read(lambda connection: connection.execute(rows).all()))
    await any_house.sender.step(0)
    after = await any_house.database.read(lambda connection: connection.execute(rows).one())
    assert after.wrapped_key is None
    assert not any(secret in f"{before}{after}" for secret in ("7700900123", "CANARY"))
    assert any_house.notify.words == ["Ref K7P3-CANARY."]


async def test_a_text_that_no_key_opens_any_more_stops_no_other(house: House) -> None:
    await house.put(REF)
    other = House(house.database, house.clock)  # with keys of its own
    await other.put("cd" * 16)
    await other.sender.step(0)
    assert await house.state(REF) == (State.GIVEN_UP, "", "unreadable")
    assert other.arrived == ["cd" * 16]


@pytest.fixture
async def receipts(house: House) -> AsyncIterator[httpx.AsyncClient]:
    validator = RequestValidator("a-token-of-the-tests-and-nothing-else")

    async def signed(request: Request) -> Mapping[str, str] | None:
        form = {name: str(value) for name, value in (await request.form()).items()}
        signature = request.headers.get("x-twilio-signature", "")
        return form if validator.validate(f"{OWN}{request.url.path}", form, signature) else None

    app = FastAPI()
    app.include_router(
        receipts_router(
            house.sender.received, notify_token=BEARER, notify_outcomes=govuk.OUTCOMES, signed_by_twilio=signed,
            twilio_outcomes=twilio_texts.OUTCOMES,
        )
    )  # fmt: skip
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=OWN) as client:
        yield client


async def test_receipts_of_notify_are_kept_once_and_only_with_its_token(
    house: House, receipts: httpx.AsyncClient
) -> None:
    path, told = "/texts/receipts/govuk-notify", notify_receipt(REF, "delivered")
    await house.put(REF)
    await house.sender.step(0)
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer "}):
        assert (await receipts.post(path, json=told, headers=headers)).status_code == 403
    assert (await house.state(REF))[0] is State.SENT
    bearer = {"authorization": f"Bearer {BEARER}"}
    for _ in range(2):
        assert (await receipts.post(path, json=told, headers=bearer)).status_code == 204
    failed = notify_receipt(REF, "permanent-failure")
    assert (await receipts.post(path, json=failed, headers=bearer)).status_code == 204
    assert await house.state(REF) == (State.DELIVERED, "govuk_notify", "")
    assert house.told == [(REF, State.SENT), (REF, State.DELIVERED)]
    for body in (b"", b"[]", b"{}", b'"x"', b"{" * 9, b"x" * 30_000):
        assert (await receipts.post(path, content=body, headers=bearer)).status_code in (204, 400)


async def test_receipts_of_twilio_are_kept_only_with_its_signature(house: House, receipts: httpx.AsyncClient) -> None:
    house.notify.fault = "down"
    await house.put(REF)
    await house.sender.step(0)
    path, form, headers = twilio_receipt(REF, "undelivered", "30003")
    assert (await receipts.post(path, data=form)).status_code == 403
    assert (await receipts.post(path, data={**form, "MessageStatus": "delivered"}, headers=headers)).status_code == 403
    assert (await receipts.post(path, data=form, headers=headers)).status_code == 204
    assert await house.state(REF) == (State.FAILED, "twilio", "undelivered_30003")
    # a receipt of a provider that never had the text changes nothing
    assert not await house.sender.received(REF, "govuk_notify", State.DELIVERED, "")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8)
@given(st.lists(st.tuples(*[st.sampled_from([None, "down", "lost", "cut", 429, 500, 502, 503])] * 2), max_size=8))
async def test_law_whatever_the_providers_do_a_text_arrives_at_most_once(
    tmp_path_factory: pytest.TempPathFactory, faults: list[tuple[int | str | None, int | str | None]]
) -> None:
    database = connect_database(f"sqlite:///{tmp_path_factory.mktemp('law')}/texts.db")
    await database.write(texts.metadata.create_all)
    house = House(database)
    await house.put(REF)
    for house.notify.fault, house.twilio.fault in faults:
        await house.sender.step(0)
        house.clock.move(61)
    house.notify.fault = house.twilio.fault = None
    for _ in range(3 + int(LATEST[Purpose.CALLER].total_seconds() // 61)):
        await house.sender.step(0)
        house.clock.move(61)
    state = (await house.state(REF))[0]
    await database.close()
    assert house.arrived.count(REF) <= 1
    assert state in (State.SENT, State.GIVEN_UP)
    assert (state is State.SENT) <= (len(house.arrived) == 1)
