"""The tokens with which webhooks are signed, for who takes them and for who makes test calls."""

from __future__ import annotations

from callrouter.settings import Settings
from infra.secrets_file import load_or_create_secret


def twilio_tokens(settings: Settings) -> tuple[str, ...]:
    """What signs Twilio's webhooks; the simulated callers of a development set-up, and the auditor, use the first."""
    if settings.twilio_auth_tokens is not None:
        tokens = settings.twilio_auth_tokens.get_secret_value().split(",")
        return tuple(token.strip() for token in tokens if token.strip())
    return (load_or_create_secret(settings.data_dir / "twilio-token"),)
