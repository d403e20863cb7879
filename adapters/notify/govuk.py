"""Texts by GOV.UK Notify's REST API (https://docs.notifications.service.gov.uk/rest-api.html).

Each request bears a JSON Web Token (HS256, ``iss`` = service id, ``iat`` = now) signed with the secret half of the
API key. Notify holds the words as templates: one whose words differ from ours is never used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import OctKey

from callrouter.texts.model import State, Template, Text
from callrouter.texts.ports import ProviderBusy, TextRefused, TextUnsure
from infra.clock import Clock
from infra.tls import trusted

NAME = "govuk_notify"
ADDRESS = "https://api.notifications.service.gov.uk"

OUTCOMES = {
    "delivered": State.DELIVERED,
    "permanent-failure": State.FAILED,
    "temporary-failure": State.FAILED,
    "technical-failure": State.FAILED,
}
"""What a receipt's ``status`` means to us. Notify has tried for up to 72 h before it says temporary-failure."""

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_KEY = re.compile(rf".+-({_UUID})-({_UUID})")
_BUSY = (403, 429, 500, 503)
"""Answers after which the text was not taken, and may be later: our key, too many, out of order (documented so)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """``api_key`` as Notify shows it, ``name-service id-secret``; raises ValueError for another form."""

    api_key: str = field(repr=False)
    address: str = ADDRESS
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.api_key):
            raise ValueError("expected name-{service id}-{secret}, as GOV.UK Notify shows it once")

    @property
    def service(self) -> str:
        """The service's id, no secret."""
        found = _KEY.fullmatch(self.api_key)
        return found[1] if found else ""

    @property
    def secret(self) -> str:
        """What signs."""
        found = _KEY.fullmatch(self.api_key)
        return found[2] if found else ""


class GovUkNotify:
    """:class:`callrouter.texts.ports.TextProvider`. ``transport`` replaces the network in tests."""

    name = NAME

    def __init__(
        self, settings: NotifySettings, clock: Clock, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._transport = transport
        self._tls = trusted()
        self._key = OctKey.import_key(settings.secret)
        self._same: set[Template] = set()

    async def send(self, text: Text) -> None:
        """See :meth:`callrouter.texts.ports.TextProvider.send`."""
        await self._require_same_words(text.template)
        body = {
            "phone_number": text.to,
            "template_id": text.template.govuk_notify,
            "personalisation": dict(text.values),
            "reference": text.reference,
        }
        try:
            answer = await self._request("POST", "/v2/notifications/sms", json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise ProviderBusy("notify_unreachable") from error
        except httpx.HTTPError as error:
            raise TextUnsure("notify_no_answer") from error
        _require_taken(answer)

    async def find(self, reference: str) -> bool | None:
        """See :meth:`callrouter.texts.ports.TextProvider.find`."""
        try:
            answer = await self._request("GET", "/v2/notifications", params={"reference": reference})
            found = answer.raise_for_status().json()["notifications"]
            return any(each["reference"] == reference for each in found)
        except (httpx.HTTPError, KeyError, TypeError, ValueError):
            return None

    async def has_same_words(self, template: Template) -> bool:
        """Whether the template there says what ours says. Raises :class:`ProviderBusy` if it does not answer."""
        try:
            answer = await self._request("GET", f"/v2/template/{template.govuk_notify}")
        except httpx.HTTPError as error:
            raise ProviderBusy("notify_unreachable") from error
        if answer.status_code in _BUSY:
            raise ProviderBusy(f"notify_{answer.status_code}")
        try:
            words = answer.json()["body"] if answer.is_success else None
        except (KeyError, TypeError, ValueError):
            words = None
        return isinstance(words, str) and words.split() == template.words.split()

    async def _require_same_words(self, template: Template) -> None:
        """What callers and crews read was approved as it stands here; a template can be edited there by anybody."""
        if not template.govuk_notify:
            raise TextRefused("notify_no_template")
        if template in self._same:
            return
        if not await self.has_same_words(template):
            raise TextRefused("notify_other_words")
        self._same.add(template)

    async def _request(self, method: str, path: str, **what: Any) -> httpx.Response:
        issued = int(self._clock.now().timestamp())
        token = jwt.encode({"alg": "HS256"}, {"iss": self._settings.service, "iat": issued}, self._key)
        async with httpx.AsyncClient(
            base_url=self._settings.address,
            headers={"Authorization": f"Bearer {token}"},
            timeout=self._settings.timeout_s,
            transport=self._transport,
            verify=self._tls,
        ) as client:
            return await client.request(method, path, **what)


def _require_taken(answer: httpx.Response) -> None:
    if answer.status_code == httpx.codes.CREATED:
        return
    # its words are not repeated: they may quote what was sent
    if answer.status_code in _BUSY:
        raise ProviderBusy(f"notify_{answer.status_code}")
    if answer.is_client_error:
        raise TextRefused(f"notify_{answer.status_code}")
    raise TextUnsure(f"notify_{answer.status_code}")
