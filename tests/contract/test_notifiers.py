"""What every channel of notices promises (:class:`alerts.ports.Notifier`), whoever carries them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol

import pytest

from adapters.notify.alert_texts import TextNotifier
from adapters.notify.smtp import SmtpNotifier, SmtpSettings
from adapters.notify.twilio_account import TwilioAccount
from adapters.notify.voice import Outcomes
from adapters.notify.voice_twilio import TwilioVoice
from adapters.notify.webhook import WebhookNotifier, WebhookSettings
from alerts.life.store import AlertStore, metadata
from alerts.model import Recipient
from alerts.notices.sent import SentNotices
from alerts.ports import NoticeFailed, Notifier
from callrouter.texts.model import Template
from callrouter.texts.templates import ALERT_NOTICE, ALERT_WORDS
from infra.crypto import KeyRing
from infra.sql import connect_database
from tests.alert_notices import FIRED, MOBILE
from tests.hand_clock import HandClock
from tests.notice_receivers import Receiver, Relay, free_port, serve_http, serve_smtp
from tests.text_providers import OWN, SID, TOKEN, Notify, Twilio
from tests.twilio_calls import TwilioCalls

TEMPLATE = Template(ALERT_NOTICE, ALERT_WORDS[ALERT_NOTICE], "f33517ff-2a88-4f6e-b855-c550268ce08a")


class Channel(Protocol):
    """A channel, and its far end."""

    to: Recipient

    def when(self, far_end: str) -> Notifier:
        """The notifier while the far end is ``sound``, ``away``, ``busy`` for now, or does not know the address."""

    def taken(self) -> int:
        """How many notices the far end has taken."""


class Mail:
    to = Recipient("Duty manager", "email", "duty.manager@example.nhs.invalid")

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def when(self, far_end: str) -> Notifier:
        self._relay.answer = "451 try later" if far_end == "busy" else "250 taken"
        self._relay.recipient = f"550 {self.to.address} is nobody" if far_end == "unknown" else "250 known"
        port = free_port() if far_end == "away" else self._relay.port
        sender = "alerts@example.nhs.invalid"
        return SmtpNotifier(SmtpSettings(host="127.0.0.1", port=port, sender=sender, starttls=False))

    def taken(self) -> int:
        return len(self._relay.mails)


class Webhook:
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._answered = {"sound": 204, "busy": 503, "unknown": 410}
        self._there = receiver.url

    def when(self, far_end: str) -> Notifier:
        there = f"http://127.0.0.1:{free_port()}/notices" if far_end == "away" else self._there
        self.to = Recipient("Control room", "webhook", there)
        self._receiver.status = self._answered.get(far_end, 204)
        self._receiver.requests.clear()
        return WebhookNotifier(WebhookSettings(secret="s" * 32), HandClock())

    def taken(self) -> int:
        return len(self._receiver.requests) if self._receiver.status == 204 else 0


class Telephone:
    """Texts and calls, through a stand-in for who carries them."""

    def __init__(self, of: Notify | Twilio | TwilioCalls, notifier: Notifier, by: Literal["text", "voice"]) -> None:
        self.to = Recipient("Duty manager", by, MOBILE)
        self._of = of
        self._notifier = notifier

    def when(self, far_end: str) -> Notifier:
        self._of.fault = {"sound": None, "away": "down", "busy": 429, "unknown": 400}[far_end]
        return self._notifier

    def taken(self) -> int:
        return len(self._of.created if isinstance(self._of, TwilioCalls) else self._of.sent)


@pytest.fixture
async def sent(tmp_path: Path) -> AsyncIterator[SentNotices]:
    database = connect_database(f"sqlite:///{tmp_path}/alerts.db")
    await database.write(metadata.create_all)
    yield SentNotices(AlertStore(database), KeyRing(b"m" * 32, b"i" * 32), HandClock())
    await database.close()


@pytest.fixture(params=["mail", "webhook", "text by Notify", "text by Twilio", "voice by Twilio"])
async def channel(request: pytest.FixtureRequest, sent: SentNotices) -> AsyncIterator[Channel]:
    clock = HandClock()
    if request.param == "mail":
        async with await serve_smtp(relay := Relay()):
            yield Mail(relay)
    elif request.param == "webhook":
        with serve_http() as receiver:
            yield Webhook(receiver)
    elif request.param == "voice by Twilio":
        calls = TwilioCalls()
        account = TwilioAccount(account_sid=SID, auth_token=TOKEN, own=OWN)
        voice = TwilioVoice(account, "+447700900999", sent, Outcomes(), calls.transport, clock.monotonic)
        yield Telephone(calls, voice, "voice")
    else:
        texts = Notify(clock, {TEMPLATE.key: TEMPLATE}) if request.param == "text by Notify" else Twilio()
        yield Telephone(texts, TextNotifier([texts.provider()], TEMPLATE, sent), "text")


async def test_a_notice_that_is_taken_has_arrived(channel: Channel) -> None:
    notifier = channel.when("sound")
    await notifier.send(replace(FIRED, recipient=channel.to))
    assert channel.taken() == 1


@pytest.mark.parametrize("far_end", ["away", "busy"])
async def test_what_was_not_taken_is_sent_again(channel: Channel, far_end: str) -> None:
    notifier = channel.when(far_end)
    with pytest.raises(NoticeFailed) as failed:
        await notifier.send(replace(FIRED, recipient=channel.to))
    assert not failed.value.final
    assert channel.taken() == 0
    notifier = channel.when("sound")
    await notifier.send(replace(FIRED, recipient=channel.to))
    assert channel.taken() == 1


async def test_an_address_that_nobody_has_is_not_tried_again_and_is_in_no_error(channel: Channel) -> None:
    notifier = channel.when("unknown")
    with pytest.raises(NoticeFailed) as failed:
        await notifier.send(replace(FIRED, recipient=channel.to))
    assert failed.value.final
    assert channel.to.address not in str(failed.value)
    assert channel.to.address.lstrip("+") not in failed.value.error_id
