"""Whoever is told, texted or called, callers wait for no certificates to be read: they were, when the process began."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.notify.govuk import GovUkNotify, NotifySettings
from adapters.notify.twilio_account import TwilioAccount
from adapters.notify.twilio_texts import TwilioTexts
from adapters.notify.voice import Outcomes
from adapters.notify.voice_twilio import TwilioVoice
from adapters.notify.webhook import WebhookNotifier, WebhookSettings
from alerts.life.store import AlertStore, metadata
from alerts.model import Recipient
from alerts.notices.sent import SentNotices
from alerts.ports import NoticeFailed
from callrouter.texts.model import Purpose, Template, Text
from callrouter.texts.ports import ProviderBusy
from careplans.audit.heads import SignedHead
from careplans.audit.heads_http import HeadWebhook
from infra.crypto import KeyRing
from infra.sql import connect_database
from tests.alert_notices import FIRED, MOBILE
from tests.hand_clock import HandClock
from tests.text_providers import API_KEY, OWN, SID, TOKEN

NOBODY = "http://127.0.0.1:9"
"""The discard port: nothing listens."""


async def test_no_certificates_are_read_while_something_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, keys = HandClock(), KeyRing(b"m" * 32, b"i" * 32)
    database = connect_database(f"sqlite:///{tmp_path}/alerts.db")
    await database.write(metadata.create_all)
    sent = SentNotices(AlertStore(database), keys, clock)
    words = Template("alert_notice", "An alert", govuk_notify="3d844edf-8d35-48ac-975b-e847b4f122b0")
    text = Text("ab" * 16, Purpose.ALERT, words, MOBILE)
    account = TwilioAccount(account_sid=SID, auth_token=TOKEN, own=OWN, address=NOBODY)
    texts = TwilioTexts(account, "+447700900999")
    voice = TwilioVoice(account, "+447700900999", sent, Outcomes())
    notify = GovUkNotify(NotifySettings(api_key=API_KEY, address=NOBODY), clock)
    webhook = WebhookNotifier(WebhookSettings(secret="s" * 32), clock)
    heads = HeadWebhook(f"{NOBODY}/heads")

    read: list[Any] = []
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_each, **_more: read.append(1))
    for unreachable in (
        texts.send(text),
        notify.send(text),
        voice.send(replace(FIRED, recipient=Recipient("Duty manager", "voice", MOBILE))),
        webhook.send(replace(FIRED, recipient=Recipient("Screen", "webhook", f"{NOBODY}/screen"))),
        heads.keep(SignedHead(1, "ab", clock.now(), "key", "")),
    ):
        with pytest.raises((ProviderBusy, NoticeFailed, OSError)):
            await unreachable
    assert read == []
    await database.close()
