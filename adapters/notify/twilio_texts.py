"""Texts by Twilio's Messages API (https://www.twilio.com/docs/messaging/api/message-resource).

Twilio keeps no reference of ours that could be asked for. It tells the way of each message at an address that ends in
our reference, so that its first word settles a text of which we had no answer; without one it is not sent again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx

from callrouter.texts.model import State, Text
from callrouter.texts.ports import ProviderBusy, TextRefused, TextUnsure
from infra.tls import trusted

NAME = "twilio"
ADDRESS = "https://api.twilio.com"
RECEIPTS = "/texts/receipts/twilio"

OUTCOMES = {
    "queued": State.SENT,
    "sending": State.SENT,
    "sent": State.SENT,
    "delivered": State.DELIVERED,
    "undelivered": State.FAILED,
    "failed": State.FAILED,
}
"""What ``MessageStatus`` means to us; others tell nothing of a text."""

_BUSY = (401, 403, 429, 503)
"""Answers after which the text was not taken, and may be later: our account, too many, out of order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioTextSettings:
    """``sender``: a number in E.164, letters, or a messaging service (``MG…``). ``own``: our public address."""

    account_sid: str
    auth_token: str = field(repr=False)
    sender: str
    own: str
    address: str = ADDRESS
    timeout_s: float = 10.0


class TwilioTexts:
    """:class:`callrouter.texts.ports.TextProvider`. ``transport`` replaces the network in tests."""

    name = NAME

    def __init__(self, settings: TwilioTextSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._transport = transport
        self._tls = trusted()

    async def send(self, text: Text) -> None:
        """See :meth:`callrouter.texts.ports.TextProvider.send`."""
        s = self._settings
        form = {"To": text.to, "Body": text.words, "StatusCallback": f"{s.own}{RECEIPTS}/{text.reference}"}
        form["MessagingServiceSid" if s.sender.startswith("MG") else "From"] = s.sender
        try:
            async with httpx.AsyncClient(
                base_url=s.address,
                auth=(s.account_sid, s.auth_token),
                timeout=s.timeout_s,
                transport=self._transport,
                verify=self._tls,
            ) as client:
                answer = await client.post(f"/2010-04-01/Accounts/{s.account_sid}/Messages.json", data=form)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise ProviderBusy("twilio_unreachable") from error
        except httpx.HTTPError as error:
            raise TextUnsure("twilio_no_answer") from error
        if answer.status_code == httpx.codes.CREATED:
            return
        # its words are not repeated: they quote the number
        if answer.status_code in _BUSY:
            raise ProviderBusy(f"twilio_{answer.status_code}")
        if answer.is_client_error:
            raise TextRefused(f"twilio_{answer.status_code}")
        raise TextUnsure(f"twilio_{answer.status_code}")

    async def find(self, reference: str) -> bool | None:
        """None: Twilio cannot be asked by our reference."""
        del reference
        return None
