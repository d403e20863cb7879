"""Notices as a signed JSON request. Imports ``alerts.ports`` and ``alerts.model`` only."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass, field
from datetime import datetime

import httpx

from alerts.model import Notice
from alerts.notices.wording import is_small
from alerts.ports import NoticeFailed
from infra.clock import Clock
from infra.tls import trusted

SIGNATURE = "X-Callrouter-Signature"
TIMESTAMP = "X-Callrouter-Timestamp"
NOTICE_ID = "X-Callrouter-Notice"

SHORTEST_SECRET = 32
"""Octets. RFC 2104 section 3: a key shorter than the hash's output weakens the signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """The secret shared with the receivers, at least 32 octets in UTF-8; ValueError for a shorter one.

    ``timeout_s`` bounds the whole: connecting, writing, and waiting for the answer.
    """

    secret: str = field(repr=False)
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if len(self.secret.encode()) < SHORTEST_SECRET:
            raise ValueError(f"a webhook secret has at least {SHORTEST_SECRET} octets")


class WebhookNotifier:
    """:class:`alerts.ports.Notifier` for the channel ``webhook``. Redirects are not followed."""

    def __init__(self, settings: WebhookSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._tls = trusted()

    async def send(self, notice: Notice) -> None:
        """POST one notice; any answer but 2xx is a failure, 410 a final one."""
        content = payload(notice)
        timestamp = str(int(self._clock.now().timestamp()))
        headers = {
            "Content-Type": "application/json",
            NOTICE_ID: notice.id,
            TIMESTAMP: timestamp,
            SIGNATURE: sign(self._settings.secret, timestamp, content),
        }
        try:
            # its answer's body is never read: a receiver that trickles one holds nobody up
            async with (
                asyncio.timeout(self._settings.timeout_s),
                httpx.AsyncClient(timeout=self._settings.timeout_s, verify=self._tls) as client,
                client.stream("POST", notice.recipient.address, content=content, headers=headers) as answer,
            ):
                status = answer.status_code
        except (TimeoutError, httpx.TimeoutException) as error:
            raise NoticeFailed("webhook_timed_out") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoticeFailed("webhook_unreachable") from error
        if status == httpx.codes.GONE:
            raise NoticeFailed("webhook_gone", final=True)  # RFC 9110 15.5.11: likely to be permanent
        if not httpx.codes.is_success(status):
            raise NoticeFailed(f"webhook_refused_{status}")


def sign(secret: str, timestamp: str, content: bytes) -> str:
    """``sha256=`` and HMAC-SHA-256 (RFC 2104) in hex of ``timestamp``, a full stop, and the body.

    The receiver computes the same, compares in constant time, and refuses a timestamp over five minutes old.
    """
    signed = hmac.new(secret.encode(), timestamp.encode() + b"." + content, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"


def payload(notice: Notice) -> bytes:
    """The notice as JSON: every field, times in ISO 8601 UTC; of the recipient the name only.

    ``value`` and ``worst`` are null where they are withheld: a count under 5 of an area or a service.
    """
    data = asdict(notice)
    if notice.of_few:
        data |= {name: None for name in ("value", "worst") if is_small(notice, data[name])}
    data["recipient"] = notice.recipient.name
    return json.dumps(data, default=datetime.isoformat).encode()
