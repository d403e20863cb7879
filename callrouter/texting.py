"""Texts, put together from the settings: who carries them, which may be sent, and the loops behind them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request

from adapters.notify import govuk, twilio_texts
from adapters.notify.govuk import GovUkNotify, NotifySettings
from adapters.notify.twilio_account import TwilioAccount
from adapters.notify.twilio_texts import TwilioTexts
from adapters.twilio.forms import FormTooLarge, read_form
from adapters.twilio.signature import HEADER, Signatures
from callrouter import events as ev
from callrouter.calls import Calls
from callrouter.errors import ConfigurationError
from callrouter.journal import Journal
from callrouter.settings import Settings
from callrouter.texts.asked import AskedTexts
from callrouter.texts.in_force import to_callers
from callrouter.texts.model import Kept, Purpose, State
from callrouter.texts.outbox import Outbox
from callrouter.texts.ports import TextProvider
from callrouter.texts.routes import Received, SignedForm, receipts_router
from callrouter.texts.sending import Sender
from callrouter.texts.templates import read_templates
from infra.bus import EventStream
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.errors import StateUnavailable
from infra.lease import Lease
from infra.loops import UNHURRIED_S, repeat
from infra.sql import Database


@dataclass(frozen=True, slots=True)
class Texting:
    """The outbox, and who looks after it. ``is_on``: somebody carries texts, so that they may be promised."""

    outbox: Outbox
    sender: Sender
    asked: AskedTexts
    is_on: bool

    async def join(self) -> None:
        """Become a reader of what callers ask for; while the stream is away, with the first step."""
        if self.is_on:
            with suppress(StateUnavailable):
                await self.asked.join()

    def loops(self, lease: Callable[..., Lease]) -> list[Coroutine[Any, Any, None]]:
        """What runs beside the calls: one process looks after the outbox. Nothing where nobody carries texts."""
        if not self.is_on:
            return []
        return [
            repeat(
                "texts asked",
                self.asked.step,
                full=AskedTexts.BATCH,
                gather_s=UNHURRIED_S,
                lease=lease(name="texts-asked"),
            ),
            repeat("texts", self.sender.step, full=Sender.BATCH, lease=lease(name="texts")),
        ]


def open_texting(
    settings: Settings,
    database: Database,
    keys: KeyRing,
    clock: Clock,
    *,
    stream: EventStream,
    journal: Journal,
    calls: Calls,
) -> Texting:
    """The parts of these settings; raises :class:`ConfigurationError`."""
    templates, carried = read_templates(settings.texts_file), carriers_of(settings, clock)
    outbox = Outbox(database, keys, clock)

    async def told(kept: Kept) -> None:
        if kept.purpose is Purpose.CALLER:
            event: ev.Event = ev.TextReported(text=kept.template, outcome=kept.state)
        else:
            event = ev.CrewTold(what=kept.purpose, outcome=kept.state)
        await calls.note(kept.call_ref, event)  # a call that is long over is forgotten; the outbox still knows

    return Texting(
        outbox=outbox,
        sender=Sender(outbox, carried, templates, clock, told),
        asked=AskedTexts(stream, journal, database, outbox, to_callers(templates)),
        is_on=bool(carried),
    )


def receipts_of(settings: Settings, texting: Texting, of_notices: Received) -> APIRouter:
    """Where providers tell what became of texts: of those in the outbox, and of alerts' notices."""

    async def received(reference: str, provider: str, outcome: State, reason: str) -> bool:
        told = await texting.sender.received(reference, provider, outcome, reason)
        return told or await of_notices(reference, provider, outcome, reason)

    token = settings.govuk_notify_token
    return receipts_router(
        received,
        notify_token=token.get_secret_value() if token else None,
        notify_outcomes=govuk.OUTCOMES,
        signed_by_twilio=signed_by_twilio(settings),
        twilio_outcomes=twilio_texts.OUTCOMES,
    )


def signed_by_twilio(settings: Settings) -> SignedForm:
    """Reads the form of a request if one of Twilio's auth tokens signed it."""
    tokens = settings.twilio_auth_tokens.get_secret_value() if settings.twilio_auth_tokens else ""
    signatures = Signatures(settings.address, [each.strip() for each in tokens.split(",") if each.strip()])

    async def signed(request: Request) -> Mapping[str, str] | None:
        try:
            form = await read_form(request)
        except (FormTooLarge, ValueError):
            return None
        path, query = request.scope["raw_path"], request.scope["query_string"]
        return form if signatures.are_valid(path, query, form, request.headers.get(HEADER, "")) else None

    return signed


def notify_of(settings: Settings, clock: Clock) -> GovUkNotify | None:
    """GOV.UK Notify, if it is set; raises :class:`ConfigurationError`."""
    if settings.govuk_notify_api_key is None:
        return None
    key = settings.govuk_notify_api_key.get_secret_value()
    try:
        return GovUkNotify(NotifySettings(api_key=key, address=settings.govuk_notify_url), clock)
    except ValueError as error:
        raise ConfigurationError(f"CALLROUTER_GOVUK_NOTIFY_API_KEY: {error}") from None


def carriers_of(settings: Settings, clock: Clock) -> list[TextProvider]:
    """Who carries texts, in the order in which they are tried; raises :class:`ConfigurationError`."""
    notify = notify_of(settings, clock)
    found: list[TextProvider] = [notify] if notify is not None else []
    if (account := twilio_account(settings)) is not None:
        found.append(TwilioTexts(account, settings.twilio_texts_from))
    return found


def twilio_account(settings: Settings) -> TwilioAccount | None:
    """Twilio's account, if it is set. Requests are made with the newest of its tokens, the first."""
    if not settings.twilio_account_sid or settings.twilio_auth_tokens is None:
        return None
    return TwilioAccount(
        account_sid=settings.twilio_account_sid,
        auth_token=settings.twilio_auth_tokens.get_secret_value().split(",")[0].strip(),
        own=settings.address,
        address=settings.twilio_api_url,
    )
