"""What the Twilio adapter is told at start, checked before the first caller."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from callrouter.errors import ConfigurationError

DEMO_FALLBACK = "+442079460111"
"""A fictional number (Ofcom's range for drama) in place of the default 111 service outside production."""

OVERRIDES = "#ct=1000&rt=2500&rc=2&rp=all"
"""Ends every address that we give to Twilio (and that an operator enters there): connect within 1 s, answer within
2.5 s, try twice more whatever went wrong, so that another worker answers before the caller has heard silence for
long. Twilio keeps the fragment to itself: it is neither sent nor signed."""

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioSettings:
    """Raises :class:`ConfigurationError` for settings with which callers would be lost.

    ``public_url``: scheme and host that Twilio calls, without path; signatures are checked against it.
    ``auth_tokens``: whoever signs with one of them is Twilio; two while one is being replaced.
    ``fallback_number``: the default 111 service, E.164. ``prompts_url``: where recorded prompts
    (``KEY.wav``, and ``hold_music.wav`` of about ten seconds) are; none: Twilio's voice reads the texts.
    """

    public_url: str
    auth_tokens: tuple[str, ...] = field(repr=False)
    fallback_number: str = ""
    production: bool = False
    language: str = "en-GB"
    voice: str = "Polly.Amy-Neural"
    prompts_url: str | None = None

    def __post_init__(self) -> None:
        _check_url("CALLROUTER_PUBLIC_URL", self.public_url, production=self.production)
        if not self.auth_tokens or not all(self.auth_tokens):
            raise ConfigurationError("CALLROUTER_TWILIO_AUTH_TOKENS: at least one token, none of them empty")
        if self.production and not self.fallback_number:
            raise ConfigurationError("CALLROUTER_FALLBACK_NUMBER: must be set in production")
        if not _E164.fullmatch(self.fallback):
            raise ConfigurationError("CALLROUTER_FALLBACK_NUMBER: must be in E.164 form, +44…")

    @property
    def base(self) -> str:
        """The public URL without a slash at its end."""
        return self.public_url.rstrip("/")

    @property
    def fallback(self) -> str:
        """The number of the default 111 service in force."""
        return self.fallback_number or DEMO_FALLBACK


def _check_url(key: str, url: str, *, production: bool) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"{key}: must be an address such as https://calls.example")
    if production and parts.scheme != "https":
        raise ConfigurationError(f"{key}: must begin with https:// in production")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username or parts.password:
        raise ConfigurationError(f"{key}: must be scheme and host only, without path, query or user")
