"""Which texts callers can be sent under these settings; light enough for commands that send none."""

from __future__ import annotations

from collections.abc import Iterable

from callrouter.settings import Settings
from callrouter.texts.templates import FIXED_WORDS, read_templates


def texts_in_force(settings: Settings) -> frozenset[str]:
    """Keys of the texts that callers can be sent here; none where nobody carries them."""
    templates = read_templates(settings.texts_file)
    has_provider = settings.govuk_notify_api_key is not None or bool(settings.twilio_account_sid)
    return to_callers(templates) if has_provider else frozenset()


def to_callers(keys: Iterable[str]) -> frozenset[str]:
    """Those of the texts that are for callers."""
    return frozenset(keys) - frozenset(FIXED_WORDS)
