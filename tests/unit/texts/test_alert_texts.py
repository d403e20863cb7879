"""Notices as texts, in GOV.UK Notify's protocol and Twilio's: who takes them, and whom a receipt is about."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.notify.alert_texts import TextNotifier
from alerts.life.store import AlertStore, Change, metadata
from alerts.model import AlertState, Notice, Recipient
from alerts.notices.sent import SentNotices
from alerts.ports import NoticeFailed
from callrouter.alerting.channels import Channels
from callrouter.alerting.voice_calls import VoiceCalls
from callrouter.texts.model import State, Template
from callrouter.texts.templates import ALERT_NOTICE, ALERT_WORDS
from infra.crypto import KeyRing
from infra.sql import Database, connect_database
from tests.alert_notices import FIRED, MOBILE
from tests.hand_clock import HandClock
from tests.text_providers import Notify, Twilio

TEMPLATE = Template(ALERT_NOTICE, ALERT_WORDS[ALERT_NOTICE], "f33517ff-2a88-4f6e-b855-c550268ce08a")
KEYS = KeyRing(b"m" * 32, b"i" * 32)


class Told:
    """:class:`alerts.ports.Receipts` that remembers."""

    def __init__(self) -> None:
        self.receipts: list[tuple[str, str, str, bool]] = []

    async def receipt(self, notice: str, channel: str, address: str, *, delivered: bool) -> None:
        self.receipts.append((notice, channel, address, delivered))


class House:
    """Two carriers, and a process that sends; :meth:`process` is another one beside it."""

    def __init__(self, database: Database) -> None:
        self.clock = HandClock()
        self.store = AlertStore(database)
        self.notify = Notify(self.clock, {ALERT_NOTICE: TEMPLATE})
        self.twilio = Twilio()
        self.told = Told()
        self.here = self.process()
        providers = [self.notify.provider(), self.twilio.provider()]
        self.texts = TextNotifier(providers, TEMPLATE, self.here.sent)

    def process(self) -> Channels:
        sent = SentNotices(self.store, KEYS, self.clock)
        return Channels({}, sent, VoiceCalls(), self.told)

    async def queued(self, *notices: Notice) -> None:
        await self.store.move(Change((AlertState(rule="longest-wait", phase="firing"),), notices))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    database = connect_database(f"sqlite:///{tmp_path}/alerts.db")
    await database.write(metadata.create_all)
    yield House(database)
    await database.close()


async def test_the_first_carrier_gets_the_notice_in_few_words(house: House) -> None:
    await house.texts.send(FIRED)
    ((number, words, _),) = house.notify.sent
    assert (number, words[:32], house.twilio.sent) == (MOBILE, "CRITICAL: Callers wait too long.", [])


@pytest.mark.parametrize("fault", ["down", 429, 503, 400])
async def test_the_next_carrier_takes_what_the_first_does_not(house: House, fault: int | str) -> None:
    house.notify.fault = fault
    await house.texts.send(FIRED)
    assert [words[:9] for words in house.twilio.words] == ["CRITICAL:"]


@pytest.mark.parametrize(("first", "second", "final"), [(400, 400, True), (400, 503, False), (503, 400, False)])
async def test_a_number_that_every_carrier_refuses_is_not_tried_again(
    house: House, first: int, second: int, final: bool
) -> None:
    house.notify.fault, house.twilio.fault = first, second
    with pytest.raises(NoticeFailed) as failed:
        await house.texts.send(FIRED)
    assert failed.value.final is final
    assert "7700900123" not in str(failed.value)


async def test_a_text_that_was_taken_without_an_answer_is_not_sent_twice(house: House) -> None:
    await house.texts.send(replace(FIRED, id="another"))  # what is asked about templates is answered by now
    house.notify.fault = "lost"
    with pytest.raises(NoticeFailed) as failed:
        await house.texts.send(FIRED)
    assert not failed.value.final
    house.notify.fault = None
    await house.texts.send(FIRED)
    assert len(house.notify.sent) == 2


async def test_a_text_that_nobody_can_be_asked_for_is_rather_sent_twice_than_never(house: House) -> None:
    house.notify.fault, house.twilio.fault = "down", "lost"
    with pytest.raises(NoticeFailed):
        await house.texts.send(FIRED)
    house.twilio.fault = None
    await house.texts.send(FIRED)
    assert len({reference for _, _, reference in house.twilio.sent}) == 1 < len(house.twilio.sent)


async def test_a_receipt_finds_its_notice_in_every_process(house: House) -> None:
    other = replace(FIRED, recipient=Recipient("Deputy", "text", "+447700900124"))
    by_mail = replace(FIRED, recipient=Recipient("Deputy", "email", "deputy@example.nhs.invalid"))
    await house.queued(by_mail, other, FIRED)
    await house.texts.send(FIRED)
    ((_, _, reference),) = house.notify.sent
    for process in (house.here, house.process()):
        assert await process.text_receipt(reference, "govuk_notify", State.SENT, "")  # ours, and no news
        assert await process.text_receipt(reference, "govuk_notify", State.FAILED, "permanent-failure")
    assert house.told.receipts == [(FIRED.id, "text", MOBILE, False)] * 2
    await house.here.text_receipt(reference, "govuk_notify", State.DELIVERED, "")
    assert house.told.receipts[-1] == (FIRED.id, "text", MOBILE, True)


async def test_a_receipt_finds_its_notice_while_the_database_lacks_it(house: House) -> None:
    await house.texts.send(FIRED)
    assert await house.here.text_receipt(house.notify.sent[0][2], "govuk_notify", State.FAILED, "")


async def test_a_receipt_of_another_text_is_none_of_ours(house: House) -> None:
    await house.queued(FIRED)
    assert not await house.process().text_receipt("ab" * 16, "twilio", State.FAILED, "")
    reference = await house.here.sent.reference(FIRED)
    house.clock.move(74 * 3600)
    assert not await house.process().text_receipt(reference, "twilio", State.FAILED, "")
    assert house.told.receipts == []


async def test_a_reference_says_nothing_without_the_keys(house: House) -> None:
    other = SentNotices(house.store, KeyRing(b"m" * 32, b"j" * 32), house.clock)
    assert await other.reference(FIRED) != await house.here.sent.reference(FIRED)
    assert "7700900123" not in house.notify.seen()
