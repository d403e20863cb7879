"""Twilio's REST API, as texts and calls to staff use it: one account, one POST (https://www.twilio.com/docs/usage/api)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from infra.tls import trusted

ADDRESS = "https://api.twilio.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioAccount:
    """Whose account it is, and ``own``: our public address, at which Twilio tells what became of things."""

    account_sid: str
    auth_token: str = field(repr=False)
    own: str
    address: str = ADDRESS
    timeout_s: float = 10.0


class TwilioApi:
    """What creates a resource of an account. ``transport`` replaces the network in tests."""

    def __init__(self, account: TwilioAccount, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._account = account
        self._transport = transport
        self._tls = trusted()

    async def create(self, resource: str, form: Mapping[str, str]) -> httpx.Response:
        """POST ``form``; raises :class:`httpx.HTTPError` without an answer. Its words quote numbers: repeat none."""
        account = self._account
        async with httpx.AsyncClient(
            base_url=account.address,
            auth=(account.account_sid, account.auth_token),
            timeout=account.timeout_s,
            transport=self._transport,
            verify=self._tls,
        ) as client:
            return await client.post(f"/2010-04-01/Accounts/{account.account_sid}/{resource}.json", data=dict(form))
