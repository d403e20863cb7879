"""The line to the service: posts webhooks as Twilio does, signed, with a retry token, to any HTTP client."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import httpx
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from adapters.twilio.fallback import fallback_document
from adapters.twilio.settings import DEMO_FALLBACK

CONNECT_S, ANSWER_S, RETRIES = 5.0, 15.0, 1  # Twilio's own, where an address does not say otherwise
MOST_CONNECTIONS = 500


class LineError(Exception):
    """The service gave no document: unreachable, too late, or an HTTP error. Perform the fallback."""


@dataclass(frozen=True, slots=True)
class Line:
    """``client``: its base URL (or transport) is where requests really go. ``public_url``: what is signed.

    ``fallback``: the document of Twilio's fallback URL, which is on another host.
    """

    client: httpx.AsyncClient
    public_url: str
    auth_token: str = field(repr=False)
    fallback: str

    async def document(self, url: str, form: Mapping[str, str]) -> str:
        """The document that the service answers with; raises :class:`LineError`."""
        answer = await self.post(url, form)
        if answer.status_code != 200:
            raise LineError(f"HTTP {answer.status_code}")
        return answer.text

    async def post(self, url: str, form: Mapping[str, str]) -> httpx.Response:
        """Post a signed webhook, and again with the same token as often as the address' fragment allows."""
        url, _, fragment = url.partition("#")
        if not url.startswith(self.public_url + "/"):
            raise LineError("a document sent us to another host")
        overrides = dict(parse_qsl(fragment))
        signature = RequestValidator(self.auth_token).compute_signature(url, dict(form))
        headers = {"X-Twilio-Signature": signature, "I-Twilio-Idempotency-Token": secrets.token_hex(16)}
        path = url.removeprefix(self.public_url)
        timeout = httpx.Timeout(
            _seconds(overrides, "rt", ANSWER_S), connect=_seconds(overrides, "ct", CONNECT_S), pool=None
        )
        why = ""
        for _ in range(1 + int(overrides.get("rc", RETRIES))):
            try:
                answer = await self.client.post(path, data=dict(form), headers=headers, timeout=timeout)
            except httpx.TransportError as error:
                why = type(error).__name__
                continue
            if answer.is_success or "all" not in overrides.get("rp", ""):
                return answer
            why = f"HTTP {answer.status_code}"
        raise LineError(why)


def _seconds(overrides: Mapping[str, str], name: str, otherwise: float) -> float:
    return int(overrides[name]) / 1000 if name in overrides else otherwise


def open_line(
    base_url: str, *, auth_token: str, public_url: str | None = None, fallback_number: str = DEMO_FALLBACK
) -> Line:
    """A line to a running service. Close its ``client`` after use."""
    client = httpx.AsyncClient(
        base_url=base_url,
        limits=httpx.Limits(max_connections=MOST_CONNECTIONS),
        trust_env=False,
    )
    return Line(client, (public_url or base_url).rstrip("/"), auth_token, fallback_document(fallback_number))
