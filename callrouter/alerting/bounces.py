"""Mail to staff that came back after it was taken: a mail gateway says so, and their next channel is used."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import APIRouter

from adapters.notify.receiver import receiver
from adapters.notify.webhook import WebhookSettings
from alerts.life.store import AlertStore
from callrouter.errors import ConfigurationError
from callrouter.settings import Settings
from infra.clock import Clock
from infra.sql import Database

PATH = "/notices/bounces"

log = structlog.get_logger(__name__)


class Bounces:
    """Takes word of notices that came back; only of what we sent, so that nobody can make up whom we do not reach."""

    def __init__(self, store: AlertStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def received(self, word: dict[str, Any]) -> None:
        """``id`` of the notice (of its Message-ID what stands before the @) and ``recipient``, the address it went to.

        Raises SQLAlchemyError: the gateway then says it again.
        """
        notice, address = word.get("id"), word.get("recipient")
        if not isinstance(notice, str) or not isinstance(address, str):
            log.warning("bounce_unreadable")
            return
        if await self._store.sent(notice, "email", address) is None:
            log.warning("bounce_of_no_notice")  # what came as its id may be anything
            return
        await self._store.bounce(address, self._clock.now())
        log.error("notice_bounced", notice=notice)


def bounce_routes(settings: Settings, database: Database, clock: Clock) -> APIRouter:
    """``POST /notices/bounces``, if a gateway has a secret. Raises :class:`ConfigurationError` for one too short."""
    if settings.bounce_secret is None:
        return APIRouter()
    try:
        secret = WebhookSettings(secret=settings.bounce_secret.get_secret_value()).secret
    except ValueError as error:
        raise ConfigurationError(f"CALLROUTER_BOUNCE_SECRET: {error}") from error
    return APIRouter(routes=[receiver(PATH, secret, clock, Bounces(AlertStore(database), clock).received)])
