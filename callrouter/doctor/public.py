"""The public address: reachable, ours, with Twilio's signatures; and the fall-back, which must be elsewhere."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from adapters.twilio.settings import OVERRIDES
from callrouter.doctor.clocks import compare_http, now
from callrouter.doctor.model import Finding, failed, ok, warning
from callrouter.identity import proof
from callrouter.keys import key_ring
from callrouter.settings import Settings
from callrouter.tokens import twilio_tokens

ANSWER_S = 5.0


async def check_public_address(settings: Settings) -> Sequence[Finding]:
    """Whether what the world reaches under our address is us, and believes Twilio alone."""
    async with httpx.AsyncClient(timeout=ANSWER_S) as client:
        found = list(await _is_us(client, settings))
        if any(each.level != "ok" for each in found):
            return found
        return [*found, await _signatures(client, settings), _advice(settings)]


async def _is_us(client: httpx.AsyncClient, settings: Settings) -> Sequence[Finding]:
    about, nonce, before = "public address", secrets.token_hex(16), now()
    try:
        answer = await client.get(f"{settings.address}/identity/{nonce}")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        text = f"nobody answers there ({type(error).__name__})"
        if not settings.is_production and settings.public_url is None:
            return [warning(about, text, "start `callrouter serve`, and ask again")]
        return [failed(about, text, "see DNS, certificate and proxy of PUBLIC_URL, and that `callrouter serve` runs")]
    if answer.text.strip() != proof(key_ring(settings), nonce):
        do = "point PUBLIC_URL at this service; if it is, give all its processes the same CALLROUTER_KEYS"
        return [failed(about, f"somebody else answers there (HTTP {answer.status_code})", do)]
    return [ok(about, "reachable, and it is us"), *compare_http(about, answer.headers.get("date"), before, now())]


async def _signatures(client: httpx.AsyncClient, settings: Settings) -> Finding:
    """A signed word that says nothing (a call that rings is no news) must be taken, an unsigned one refused."""
    about, url = "twilio", f"{settings.address}/twilio/status"
    form = {"CallSid": f"CA{secrets.token_hex(16)}", "CallStatus": "ringing"}
    unsigned = await client.post(url, data=form)
    if unsigned.status_code != httpx.codes.FORBIDDEN:
        do = "let nothing but this service answer under /twilio"
        return failed(about, f"an unsigned webhook is not refused (HTTP {unsigned.status_code})", do)
    for number, token in enumerate(twilio_tokens(settings), 1):
        signature = RequestValidator(token).compute_signature(url, form)
        signed = await client.post(url, data=form, headers={"X-Twilio-Signature": signature})
        if not signed.is_success:
            do = "have the proxy pass path, query and body on unchanged; give all processes the same tokens"
            return failed(about, f"a webhook signed with token {number} is refused (HTTP {signed.status_code})", do)
    return ok(about, "signed webhooks are taken, unsigned ones refused")


def _advice(settings: Settings) -> Finding:
    return ok("twilio", f"the number's webhook must be {settings.address}/twilio/voice{OVERRIDES}")


async def check_fall_back(settings: Settings) -> Sequence[Finding]:
    """Whether Twilio finds the default 111 service without us."""
    about = "fall-back"
    do = "put the document of `python -m adapters.twilio.fallback NUMBER` on another host; set CALLROUTER_FALLBACK_URL"
    if settings.fallback_url is None:
        return [warning(about, "not known where Twilio finds it when we are gone", do)] if _has_twilio(settings) else []
    if urlsplit(settings.fallback_url).hostname == urlsplit(settings.address).hostname:
        return [failed(about, "it is on our own host, and would be gone with us", do)]
    try:
        async with httpx.AsyncClient(timeout=ANSWER_S) as client:
            answer = (await client.get(settings.fallback_url)).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return [failed(about, f"it cannot be fetched ({type(error).__name__})", do)]
    if "<Dial" not in answer.text or (settings.fallback_number and settings.fallback_number not in answer.text):
        return [failed(about, "what is there does not dial the default 111 service", do)]
    return [ok(about, "on another host, and dials the default 111 service")]


def _has_twilio(settings: Settings) -> bool:
    return settings.twilio_auth_tokens is not None
