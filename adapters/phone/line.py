"""The line to the service: posts webhooks as Twilio does, signed, with a retry token, to any HTTP client."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from adapters.twilio.fallback import fallback_document
from adapters.twilio.settings import DEMO_FALLBACK

ANSWER_S = 15.0  # Twilio's read time-out of a webhook
TRIES = 2
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
        """Post a signed webhook; one that gets no answer is sent once more with the same token."""
        if not url.startswith(self.public_url + "/"):
            raise LineError("a document sent us to another host")
        signature = RequestValidator(self.auth_token).compute_signature(url, dict(form))
        headers = {"X-Twilio-Signature": signature, "I-Twilio-Idempotency-Token": secrets.token_hex(16)}
        path = url.removeprefix(self.public_url)
        for _ in range(TRIES):
            try:
                return await self.client.post(path, data=dict(form), headers=headers)
            except httpx.TransportError as error:
                failure = error
        raise LineError(type(failure).__name__)


def open_line(
    base_url: str, *, auth_token: str, public_url: str | None = None, fallback_number: str = DEMO_FALLBACK
) -> Line:
    """A line to a running service. Close its ``client`` after use."""
    client = httpx.AsyncClient(
        base_url=base_url,
        timeout=httpx.Timeout(ANSWER_S, pool=None),
        limits=httpx.Limits(max_connections=MOST_CONNECTIONS),
        trust_env=False,
    )
    return Line(client, (public_url or base_url).rstrip("/"), auth_token, fallback_document(fallback_number))
