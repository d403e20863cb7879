"""The tokens with which webhooks are signed, for who takes them and for who makes test calls."""

from __future__ import annotations

from callrouter.keys import own_secret
from callrouter.settings import Settings


def twilio_tokens(settings: Settings) -> tuple[str, ...]:
    """What signs Twilio's webhooks; the simulated callers of a development set-up, and the auditor, use the first."""
    if settings.twilio_auth_tokens is not None:
        tokens = settings.twilio_auth_tokens.get_secret_value().split(",")
        return tuple(token.strip() for token in tokens if token.strip())
    return (own_secret(settings, "twilio-token"),)
