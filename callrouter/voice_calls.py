"""Calls to staff, put together from the settings: through our own Asterisks."""

from __future__ import annotations

import secrets
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from adapters.asterisk.ari import Ari
from adapters.notify.voice import FirstThatDials, Outcomes, Sounds
from adapters.notify.voice_asterisk import AsteriskVoice
from alerts.ports import Notifier
from alerts.sent import SentNotices
from callrouter.edges import edges
from callrouter.settings import Settings


@dataclass(slots=True)
class VoiceCalls:
    """Who calls staff, in the order in which they are tried; and who hears what comes of it."""

    outcomes: Outcomes = field(default_factory=Outcomes)
    asterisks: list[AsteriskVoice] = field(default_factory=list)

    @property
    def notifier(self) -> Notifier | None:
        """The channel ``voice``; None where nobody can call."""
        return FirstThatDials(self.asterisks) if self.asterisks else None

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """What hears the calls. No lease: each process calls for itself, and Asterisk sees to one call a person."""
        return [each.run() for each in self.asterisks]


def open_voice_calls(settings: Settings, sent: SentNotices) -> VoiceCalls:
    """The ways that the settings name; none where they name none."""
    calls = VoiceCalls()
    folder = settings.voice_dir or (settings.prompts_audio_dir and settings.prompts_audio_dir / "notices")
    if not settings.voice_trunk or folder is None:
        return calls
    password = settings.ari_password.get_secret_value()
    app = f"notice-{secrets.token_hex(4)}"
    for edge in edges(settings):
        ari = Ari(edge.ari_url, app, settings.ari_user, password)
        voice = AsteriskVoice(
            ari, Sounds(folder), sent, calls.outcomes, trunk=settings.voice_trunk, caller=settings.voice_caller
        )
        calls.asterisks.append(voice)
    return calls
