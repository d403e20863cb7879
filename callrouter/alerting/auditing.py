"""The alert auditor, put together: its telephone, its own channels, and the page that takes its probes' notices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from adapters.notify.receiver import receiver
from adapters.notify.smtp import SmtpNotifier, SmtpSettings
from adapters.notify.webhook import WebhookNotifier, WebhookSettings
from adapters.phone.line import Line, open_line
from adapters.phone.probe import ProbeCall
from alerts.dead_man import DeadMansSwitch
from alerts.model import Recipient
from callrouter.alerting.auditor import Auditor, Way
from callrouter.errors import ConfigurationError
from callrouter.settings import Settings
from callrouter.tokens import twilio_tokens
from infra.clock import Clock

NAME = "Whoever the auditor tells"


@dataclass(frozen=True, slots=True)
class Auditing:
    """The auditor, its page, and the line to be closed after use."""

    auditor: Auditor
    app: Starlette
    line: Line


def open_auditing(
    settings: Settings, clock: Clock, *, line: Line | None = None, ways: Sequence[Way] | None = None
) -> Auditing:
    """As the settings have it; raises :class:`ConfigurationError`. ``line`` and ``ways`` stand in for theirs."""
    if settings.auditor_url is None or settings.webhook_secret is None:
        raise ConfigurationError("CALLROUTER_AUDITOR_URL: set it, for the service and here, to where notices come")
    probes = _signing("WEBHOOK_SECRET", settings.webhook_secret)
    ways = _ways(settings, clock) if ways is None else ways
    if not ways and settings.is_production:
        raise ConfigurationError("CALLROUTER_AUDITOR_EMAIL, CALLROUTER_AUDITOR_WEBHOOK: set one: nobody would be told")
    address = settings.address
    line = line or open_line(address, auth_token=twilio_tokens(settings)[0], public_url=address)
    auditor = Auditor(
        place=lambda: ProbeCall(line, settings.auditor_number),
        switch=DeadMansSwitch(clock, settings.auditor_silent_s),
        ways=ways,
        clock=clock,
        every_s=settings.auditor_every_s,
        silent_s=settings.auditor_silent_s,
        link=f"{address}/",
    )
    path = urlsplit(settings.auditor_url).path or "/"

    async def received(notice: Mapping[str, Any]) -> None:
        auditor.received(notice)

    routes = [receiver(path, probes.secret, clock, received), Route("/live", _live(auditor))]
    return Auditing(auditor, Starlette(routes=routes), line)


def _live(auditor: Auditor) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def live(_request: Request) -> JSONResponse:
        """200 while the auditor probes and watches; what it has found is in the answer."""
        report = auditor.report()
        return JSONResponse(report, 200 if report["live"] else 503, {"Cache-Control": "no-store"})

    return live


def _ways(settings: Settings, clock: Clock) -> list[Way]:
    ways: list[Way] = []
    if settings.auditor_email and settings.auditor_smtp_host:
        smtp = SmtpSettings(
            host=settings.auditor_smtp_host,
            port=settings.auditor_smtp_port,
            sender=settings.smtp_sender,
            starttls=settings.auditor_smtp_starttls,
        )
        ways.append(Way(Recipient(NAME, "email", settings.auditor_email), SmtpNotifier(smtp)))
    if settings.auditor_webhook and settings.auditor_webhook_secret:
        webhook = _signing("AUDITOR_WEBHOOK_SECRET", settings.auditor_webhook_secret)
        ways.append(Way(Recipient(NAME, "webhook", settings.auditor_webhook), WebhookNotifier(webhook, clock)))
    return ways


def _signing(key: str, secret: SecretStr) -> WebhookSettings:
    try:
        return WebhookSettings(secret=secret.get_secret_value())
    except ValueError as error:
        raise ConfigurationError(f"CALLROUTER_{key}: {error}") from error
