"""Whether Twilio sent this: its HMAC-SHA-1 over URL and form, with the account's auth token.

Twilio signs the URL that it was told to call. Behind a proxy the request's own Host and scheme are the
proxy's business, so the URL is rebuilt from the public URL of the settings, never from a header.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import ImmutableMultiDict
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

HEADER = "X-Twilio-Signature"

Form = ImmutableMultiDict[str, str]
"""The fields of a webhook, repeated ones included."""


class Signatures:
    """Checks webhooks against every auth token in force."""

    def __init__(self, public_url: str, auth_tokens: Sequence[str]) -> None:
        self._base = public_url.rstrip("/")
        self._validators = [RequestValidator(token) for token in auth_tokens]

    def are_valid(self, raw_path: bytes, query: bytes, form: Form, signature: str) -> bool:
        """Whether ``signature`` is right for this path, query (as received, still encoded) and form."""
        url = self._base + raw_path.decode("latin-1")
        if query:
            url += "?" + query.decode("latin-1")
        return any(each.validate(url, form, signature) for each in self._validators)
