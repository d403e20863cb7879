"""The channels that carry alerts' notices, put together from the settings; and what their carriers tell later."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import structlog

from adapters.notify.alert_texts import TextNotifier
from adapters.notify.alertmanager import Alertmanager
from adapters.notify.smtp import SmtpNotifier, SmtpSettings
from adapters.notify.webhook import WebhookNotifier, WebhookSettings
from alerts.life.service import AlertService
from alerts.life.store import AlertStore
from alerts.notices.sent import SentNotices
from alerts.ports import Notifier, Receipts
from callrouter.alerting import alertmanagers
from callrouter.alerting.voice_calls import VoiceCalls, open_voice_calls
from callrouter.errors import ConfigurationError
from callrouter.settings import Settings
from callrouter.texting import carriers_of
from callrouter.texts.model import State
from callrouter.texts.templates import ALERT_NOTICE, read_templates
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.sql import Database

log = structlog.get_logger()


@dataclass(slots=True)
class Channels:
    """``notifiers`` by the name of their channel. ``receipts`` hears of them, see :meth:`report_to`."""

    notifiers: dict[str, Notifier]
    sent: SentNotices
    voice: VoiceCalls
    receipts: Receipts | None = None
    alertmanagers: list[Alertmanager] = field(default_factory=list)

    def report_to(self, alerts: AlertService) -> None:
        """Tell ``alerts`` from now on what becomes of their notices."""
        self.receipts = alerts
        self.voice.outcomes.alerts = alerts

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """What runs beside the alerts."""
        return [*alertmanagers.loops(self.alertmanagers), *self.voice.loops()]

    async def text_receipt(self, reference: str, provider: str, outcome: State, reason: str) -> bool:
        """A provider's word on a text, as :data:`callrouter.texts.routes.Received`; False if it is no notice's."""
        notice = await self.sent.find(reference)
        if notice is None or self.receipts is None:
            return False
        if outcome in (State.DELIVERED, State.FAILED):
            log.info("notice_receipt", notice=notice.id, provider=provider, outcome=outcome, reason=reason)
            to, delivered = notice.recipient, outcome is State.DELIVERED
            await self.receipts.receipt(notice.id, to.channel, to.address, delivered=delivered)
        return True


def open_channels(settings: Settings, database: Database, keys: KeyRing, clock: Clock) -> Channels:
    """Every channel that the settings name; raises :class:`ConfigurationError`."""
    sent = SentNotices(AlertStore(database), keys, clock)
    found: dict[str, Notifier] = {}
    if settings.smtp_host:
        found["email"] = SmtpNotifier(
            SmtpSettings(
                host=settings.smtp_host,
                port=settings.smtp_port,
                sender=settings.smtp_sender,
                starttls=settings.smtp_starttls,
            )
        )
    if settings.webhook_secret is not None:
        try:
            secret = WebhookSettings(secret=settings.webhook_secret.get_secret_value())
        except ValueError as error:
            raise ConfigurationError(f"CALLROUTER_WEBHOOK_SECRET: {error}") from error
        found["webhook"] = WebhookNotifier(secret, clock)
    if carriers := carriers_of(settings, clock):
        found["text"] = TextNotifier(carriers, read_templates(settings.texts_file)[ALERT_NOTICE], sent)
    voice = open_voice_calls(settings, sent)
    if voice.notifier is not None:
        found["voice"] = voice.notifier
    return Channels(found, sent, voice)
