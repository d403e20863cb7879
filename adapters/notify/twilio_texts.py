"""Texts by Twilio's Messages API (https://www.twilio.com/docs/messaging/api/message-resource).

Twilio keeps no reference of ours that could be asked for. It tells the way of each message at an address that ends in
our reference, so that its first word settles a text of which we had no answer; without one it is not sent again.
"""

from __future__ import annotations

import httpx

from adapters.notify.twilio_account import TwilioAccount, TwilioApi
from callrouter.texts.model import State, Text
from callrouter.texts.ports import ProviderBusy, TextRefused, TextUnsure

NAME = "twilio"
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


class TwilioTexts:
    """:class:`callrouter.texts.ports.TextProvider`.

    ``sender``: a number in E.164, letters, or a messaging service (``MG…``). ``transport`` is the network's, in tests.
    """

    name = NAME

    def __init__(self, account: TwilioAccount, sender: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._api = TwilioApi(account, transport)
        self._receipts = f"{account.own}{RECEIPTS}"
        self._sender = sender

    async def send(self, text: Text) -> None:
        """See :meth:`callrouter.texts.ports.TextProvider.send`."""
        form = {"To": text.to, "Body": text.words, "StatusCallback": f"{self._receipts}/{text.reference}"}
        form["MessagingServiceSid" if self._sender.startswith("MG") else "From"] = self._sender
        try:
            answer = await self._api.create("Messages", form)
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
