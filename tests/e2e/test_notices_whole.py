"""Notices through the real service: Asterisk calls somebody, a carrier texts them, a mail server takes what is left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from e2e_browser import running

from adapters.notify.voice import THANKS
from callrouter.flows import load_prompts
from callrouter.texts.model import Template
from callrouter.texts.templates import ALERT_NOTICE, ALERT_WORDS
from infra.clock import SystemClock
from infra.voices import has_voice
from tests.integration.conftest_asterisk import Line, line_of_a_test, session_line
from tests.mail_relay import Relay, mail_relay
from tests.running import ROOT, RunningService, free_port
from tests.text_providers import API_KEY, BEARER, OWN, SID, TOKEN, Notify, notify_receipt
from tests.twilio_calls import TwilioCalls

__all__ = ["line_of_a_test", "session_line"]

SOON_S = 60.0
MOBILE = "+447700900123"
TEMPLATE = Template(ALERT_NOTICE, ALERT_WORDS[ALERT_NOTICE], "f33517ff-2a88-4f6e-b855-c550268ce08a")
RULES = f"""\
link: http://127.0.0.1/
alerts:
  - name: part-down
    title: A part of the service does not work
    metric: dependency_down_s
    dependency: alertmanager
    threshold: 2
    for_s: 0
    clear_below: 1
    severity: critical
    usually_helps: Run callrouter doctor.
    source: a test
    who:
      - name: Duty manager
        email: duty@example.nhs.invalid
        mobile: "{MOBILE}"
        channels: [voice, text, email]
"""


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with mail_relay() as relay:
        yield relay


def an_alert(folder: Path) -> dict[str, str]:
    """A service whose one alert fires after two seconds: its Alertmanager is not there."""
    (folder / "rules.yaml").write_text(RULES)
    return {
        "ALERT_RULES_FILE": str(folder / "rules.yaml"), "ALERTMANAGER_URL": f"http://127.0.0.1:{free_port()}",
    }  # fmt: skip


def settings_of(line: Line, folder: Path, relay: Relay, notify_url: str, trunk: str) -> dict[str, str]:
    """The same with every channel, and calls through this provider of the line."""
    if not has_voice("en"):
        pytest.skip("no voice: as root, apt-get install flite")
    (folder / "texts.yaml").write_text(f"alerts: {{alert_notice: {TEMPLATE.govuk_notify}}}\n")
    prompts = folder / "prompts"
    prompts.mkdir()
    for key in load_prompts(ROOT / "ivr/prompts/en.yaml"):
        if "/" not in key:
            (prompts / f"{key}.wav").touch()  # nobody calls 111 here
    asterisk = line.asterisk.settings
    return {
        **an_alert(folder),
        "ARI_URL": line.asterisk.ari_url, "ARI_USER": asterisk.ari_user, "ARI_PASSWORD": asterisk.ari_password,
        "PROMPTS_AUDIO_DIR": str(prompts), "VOICE_DIR": str(folder / "voice"), "VOICE_TRUNK": f"provider-{trunk}",
        "TEXTS_FILE": str(folder / "texts.yaml"), "GOVUK_NOTIFY_API_KEY": API_KEY, "GOVUK_NOTIFY_TOKEN": BEARER,
        "GOVUK_NOTIFY_URL": notify_url, "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(relay.port),
    }  # fmt: skip


async def until(true: Any, service: RunningService) -> None:
    """For what another process does, of which there is no event here."""
    deadline = time.monotonic() + SOON_S
    while not true():
        assert time.monotonic() < deadline, service.log.read_text()[-3000:]
        await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_who_presses_1_has_the_alert_and_is_not_texted(line: Line, relay: Relay, tmp_path: Path) -> None:
    notify = Notify(SystemClock(), {ALERT_NOTICE: TEMPLATE})
    phone, ear = line.providers["north"], line.ears["north"]
    before = len(phone.received("INVITE"))
    with running(notify.app) as url:
        service = RunningService(tmp_path / "service", settings_of(line, tmp_path, relay, url, "north"))
        await asyncio.to_thread(service.__enter__)
        try:
            await asyncio.to_thread(phone.wait_called, SOON_S, before + 1)
            assert await asyncio.to_thread(ear.wait_heard, 25, SOON_S)
            ear.press("1")
            await until(lambda: "notice_delivered" in service.log.read_text(), service)
        finally:
            await asyncio.to_thread(service.stop)
    listed = await asyncio.to_thread(service.run, "call", "list")
    assert (listed.returncode, listed.stdout) == (0, "")  # neither worker nor watch took it for a caller's call
    said = service.log.read_text()
    assert "alert_acknowledged" in said
    assert "taken_on" in said
    assert "7700900123" not in said
    assert "Duty manager" not in said
    assert (notify.sent, relay.mails.empty()) == ([], True)


@pytest.mark.slow
async def test_an_engaged_line_leads_to_a_text_and_a_text_that_fails_to_a_mail(
    line: Line, relay: Relay, tmp_path: Path
) -> None:
    notify = Notify(SystemClock(), {ALERT_NOTICE: TEMPLATE})
    with running(notify.app) as url:
        service = RunningService(tmp_path / "service", settings_of(line, tmp_path, relay, url, "busy"))
        await asyncio.to_thread(service.__enter__)
        try:
            await until(lambda: bool(notify.sent), service)
            ((number, words, reference),) = notify.sent
            assert (number, words[:9]) == (MOBILE, "CRITICAL:")
            assert relay.mails.empty()
            bearer = {"Authorization": f"Bearer {BEARER}"}
            receipt = notify_receipt(reference, "permanent-failure")
            async with httpx.AsyncClient() as client:
                path = f"{service.url}/texts/receipts/govuk-notify"
                assert (await client.post(path, json=receipt, headers=bearer)).status_code == 204
            async with asyncio.timeout(SOON_S):
                assert (await relay.next_subject(SOON_S)).startswith("[CRITICAL] A part of the service does not work")
        finally:
            await asyncio.to_thread(service.stop)
    assert "7700900123" not in service.log.read_text()


@pytest.mark.slow
async def test_without_an_asterisk_twilio_calls_and_key_1_takes_the_alert_on(tmp_path: Path) -> None:
    twilio = TwilioCalls()
    with running(twilio.app) as url:
        account = {"TWILIO_ACCOUNT_SID": SID, "TWILIO_AUTH_TOKENS": TOKEN, "TWILIO_TEXTS_FROM": "+447700900999"}
        calls = {"TWILIO_API_URL": url, "VOICE_CALLER": "+447700900999", "PUBLIC_URL": OWN}
        service = RunningService(tmp_path / "service", an_alert(tmp_path) | account | calls)
        await asyncio.to_thread(service.__enter__)
        try:
            await until(lambda: bool(twilio.created), service)
            async with httpx.AsyncClient(base_url=service.url) as twilio.ours:
                said = await twilio.answered()
                assert "A part of the service does not work" in said.gathered[0]
                assert (await twilio.pressed(said, "1")).said == (THANKS,)
                assert await twilio.over("completed") == 204
        finally:
            await asyncio.to_thread(service.stop)
    log = service.log.read_text()
    assert "alert_acknowledged" in log
    assert "notice_undelivered" not in log
    assert "7700900123" not in log
