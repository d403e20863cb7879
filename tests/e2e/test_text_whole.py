"""A text through the whole service: offered, confirmed by key, sent in GOV.UK Notify's protocol, receipted."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest
from e2e_browser import running

from callrouter.texts.model import Template
from infra.clock import SystemClock
from tests.running import RunningService
from tests.text_providers import API_KEY, BEARER, Notify, notify_receipt, twilio_receipt

PATIENT_S = 30.0
TEMPLATE = "f33517ff-2a88-4f6e-b855-c550268ce08a"
WORDS = "See https://www.nhs.uk If you get worse call 111."
FLOW = """
flow: london-111
title: A front that offers a text
start: words_999
nodes:
  words_999: {action: say, prompts: [emergency_999, recording_notice], barge_in: false, exits: {next: ask}}
  ask:
    action: menu
    prompts: [main_menu]
    keys: {"1": nurse, "4": link}
    timeout_s: 4
    exits: {nurse: nurses, link: offer}
  offer:
    action: offer
    kind: text
    text: link
    marker: text_link
    who_should_stay: pharmacy_who_should_stay
    prompts: [pharmacy_advice]
    safety_net: pharmacy_safety_net
    clinical_owner: Lead
    ask: [after_pharmacy_advice]
    exits: {accepted: nurses, declined: nurses}
  nurses: {action: queue, services: ["111"], hold_s: 900, hold_prompts: [hold_111]}
"""


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    flow, texts = tmp_path / "flow.yaml", tmp_path / "texts.yaml"
    flow.write_text(FLOW)
    texts.write_text(f"texts:\n  link:\n    words: '{WORDS}'\n    govuk_notify: {TEMPLATE}\n")
    return {"FLOW_FILE": str(flow), "TEXTS_FILE": str(texts), "GOVUK_NOTIFY_TOKEN": BEARER}


def until_it_says(service: RunningService, call: str, outcome: str) -> list[str]:
    """The texts' outcomes in the call's journal, once this one is there."""
    deadline = time.monotonic() + PATIENT_S
    while True:
        told = [each["outcome"] for each in service.events(call) if each["kind"] == "text_reported"]
        if outcome in told or time.monotonic() > deadline:
            return told


@pytest.mark.slow
def test_a_text_is_offered_confirmed_sent_and_receipted(settings: dict[str, str], tmp_path: Path) -> None:
    notify = Notify(SystemClock(), {"link": Template("link", WORDS, TEMPLATE)})
    with running(notify.app) as url:
        carried = {**settings, "GOVUK_NOTIFY_API_KEY": API_KEY, "GOVUK_NOTIFY_URL": url}
        with RunningService(tmp_path, carried) as service:
            heard = service.run("dial", "+447700900123", "--speed", "50", stdin="4\n\n1\n1\nh\n").stdout
            assert "sending you a text message now" in " ".join(heard.split())
            call = service.run("call", "list").stdout.split()[2]
            found = service.run("doctor", "--json").stdout
            assert "GOV.UK Notify has the words of 1 texts" in found
            assert until_it_says(service, call, "sent") == ["sent"]
            ((number, words, reference),) = notify.sent
            assert (number, words) == ("+447700900123", WORDS)

            receipt = notify_receipt(reference, "delivered")
            path = f"{service.url}/texts/receipts/govuk-notify"
            assert httpx.post(path, json=receipt).status_code == 403
            bearer = {"authorization": f"Bearer {BEARER}"}
            assert httpx.post(path, json=receipt, headers=bearer).status_code == 204
            assert until_it_says(service, call, "delivered") == ["sent", "delivered"]
            strange, form, signed = twilio_receipt(reference, "delivered")
            assert httpx.post(f"{service.url}{strange}", data=form, headers=signed).status_code == 403
        assert "7700900123" not in service.log.read_text()
