"""Calls to staff, put together from the settings: through our own Asterisks, then by Twilio."""

from __future__ import annotations

import secrets
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from adapters.asterisk.ari import Ari
from adapters.notify.voice import FirstThatDials, Outcomes, Sounds
from adapters.notify.voice_asterisk import AsteriskVoice
from adapters.notify.voice_routes import voice_router
from adapters.notify.voice_twilio import TwilioVoice
from alerts.notices.sent import SentNotices
from alerts.ports import Notifier
from callrouter.edges import edges
from callrouter.settings import Settings
from callrouter.texting import signed_by_twilio, twilio_account


@dataclass(slots=True)
class VoiceCalls:
    """Who calls staff, in the order in which they are tried; and who hears what comes of it."""

    outcomes: Outcomes = field(default_factory=Outcomes)
    asterisks: list[AsteriskVoice] = field(default_factory=list)
    twilio: TwilioVoice | None = None

    @property
    def notifier(self) -> Notifier | None:
        """The channel ``voice``; None where nobody can call."""
        ways: list[Notifier] = [*self.asterisks, *([self.twilio] if self.twilio else [])]
        return FirstThatDials(ways) if ways else None

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """What hears the calls. No lease: each process calls for itself, and Asterisk sees to one call a person."""
        return [each.run() for each in self.asterisks]


def open_voice_calls(settings: Settings, sent: SentNotices) -> VoiceCalls:
    """The ways that the settings name; none where they name none."""
    calls = VoiceCalls()
    folder = settings.voice_dir or (settings.prompts_audio_dir and settings.prompts_audio_dir / "notices")
    if settings.voice_trunk and folder is not None:
        calls.asterisks += _asterisks(settings, folder, sent, calls.outcomes)
    if settings.voice_caller and (account := twilio_account(settings)) is not None:
        calls.twilio = TwilioVoice(account, settings.voice_caller, sent, calls.outcomes)
    return calls


def _asterisks(settings: Settings, folder: Path, sent: SentNotices, outcomes: Outcomes) -> list[AsteriskVoice]:
    password = settings.ari_password.get_secret_value()
    app = f"notice-{secrets.token_hex(4)}"
    return [
        AsteriskVoice(
            Ari(edge.ari_url, app, settings.ari_user, password),
            Sounds(folder),
            sent,
            outcomes,
            trunk=settings.voice_trunk,
            caller=settings.voice_caller,
        )
        for edge in edges(settings)
    ]


def voice_routes(settings: Settings, calls: VoiceCalls) -> APIRouter:
    """Where Twilio asks what to say; nothing where it calls nobody."""
    return voice_router(calls.twilio, signed_by_twilio(settings)) if calls.twilio else APIRouter()
