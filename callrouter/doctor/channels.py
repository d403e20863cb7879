"""The channels that alert rules name: whether they are set, whether their carriers answer, and what failed lately."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import aiosmtplib
import httpx
from sqlalchemy.exc import SQLAlchemyError

from adapters.asterisk.rest import rest_client
from alerts.life.service import ways_of
from alerts.life.store import AlertStore
from alerts.model import Rule
from callrouter.doctor.clocks import now
from callrouter.doctor.model import Finding, failed, ok, warning
from callrouter.doctor.records import database_is_there
from callrouter.edges import edges
from callrouter.settings import Settings, alertmanager_urls
from callrouter.texts.templates import ALERT_NOTICE, read_templates
from infra.sql import connect_database
from infra.voices import ENGLISH, has_voice

LATELY = timedelta(days=1)
ANSWER_S = 5.0


async def check_channels(settings: Settings, rules: Sequence[Rule]) -> list[Finding]:
    """A finding for each channel that a rule names, for each Alertmanager, and for what failed in the last day."""
    wanted = {way.channel for rule in rules for way in ways_of(rule)}
    found: list[Finding] = []
    if "email" in wanted:
        found.append(await _mail(settings))
    if "webhook" in wanted and settings.webhook_secret is None:
        do = "set CALLROUTER_WEBHOOK_SECRET, and give it to the receiver"
        found.append(warning("alerts", "rules name webhooks, and no secret signs them: they are not sent", do))
    if "text" in wanted:
        found.append(_texts(settings))
    if "voice" in wanted:
        found += await _voice(settings)
    found += [await _alertmanager(each) for each in alertmanager_urls(settings.alertmanager_url)]
    return [*found, *await _failures(settings)]


async def _mail(settings: Settings) -> Finding:
    do = "set CALLROUTER_SMTP_HOST to a mail server that takes mail from here"
    if not settings.smtp_host:
        return warning("alerts", "rules name e-mail addresses, and no mail server is set: they are not sent", do)
    client = aiosmtplib.SMTP(
        hostname=settings.smtp_host, port=settings.smtp_port, start_tls=settings.smtp_starttls, timeout=5
    )
    try:
        async with asyncio.timeout(10), client:
            await client.noop()
    except (aiosmtplib.SMTPException, OSError) as error:
        return failed("alerts", f"the mail server does not answer ({type(error).__name__}): nobody would be told", do)
    return ok("alerts", "the mail server answers")


def _texts(settings: Settings) -> Finding:
    by_notify = settings.govuk_notify_api_key is not None
    has_template = bool(read_templates(settings.texts_file)[ALERT_NOTICE].govuk_notify)
    if settings.twilio_account_sid or (by_notify and has_template):
        return ok("alerts", "texts to staff have a carrier")
    do = "set a provider of texts, for GOV.UK Notify with the template of alert_notice (docs/notices.md)"
    return warning("alerts", "rules name texts, and nobody carries them: they are not sent", do)


async def _voice(settings: Settings) -> list[Finding]:
    found: list[Finding] = []
    by_twilio = bool(settings.twilio_account_sid and settings.voice_caller)
    if settings.voice_trunk:
        found += await _asterisk_calls(settings)
    elif not by_twilio:
        do = "set CALLROUTER_VOICE_TRUNK, or Twilio's account and CALLROUTER_VOICE_CALLER (docs/notices.md)"
        found.append(warning("alerts", "rules name calls, and nobody can call: they are not made", do))
    if by_twilio:
        found.append(await _twilio_account(settings))
    return found


async def _asterisk_calls(settings: Settings) -> list[Finding]:
    found: list[Finding] = []
    if not has_voice(ENGLISH):
        found.append(warning("alerts", "no voice speaks the notices of calls", "as root, apt-get install flite"))
    folder = settings.voice_dir or (settings.prompts_audio_dir or Path()) / "notices"
    nearest = next(each for each in (folder, *folder.parents) if each.exists())
    if not os.access(nearest, os.W_OK):
        do = "set CALLROUTER_VOICE_DIR to a folder that this service writes and Asterisk reads"
        found.append(warning("alerts", "the folder of spoken notices cannot be written: no calls are made", do))
    password = settings.ari_password.get_secret_value()
    for edge in edges(settings):
        async with rest_client(edge.ari_url, settings.ari_user, password) as rest:
            try:
                answer = await rest.get(f"/endpoints/PJSIP/{settings.voice_trunk}")
                state = answer.json()["state"] if answer.is_success else f"HTTP {answer.status_code}"
            except (httpx.HTTPError, KeyError, ValueError) as error:
                state = type(error).__name__
        about = f"the trunk of calls to staff at {edge.name}"
        if state == "online":
            found.append(ok("alerts", f"{about} answers"))
        else:
            do = "see CALLROUTER_VOICE_TRUNK, and `pjsip show endpoints` there"
            found.append(warning("alerts", f"{about} is not to be reached ({state})", do))
    return found


async def _twilio_account(settings: Settings) -> Finding:
    tokens = settings.twilio_auth_tokens.get_secret_value() if settings.twilio_auth_tokens else ""
    login = (settings.twilio_account_sid, tokens.split(",")[0].strip())
    try:
        async with httpx.AsyncClient(base_url=settings.twilio_api_url, auth=login, timeout=ANSWER_S) as client:
            answer = await client.get(f"/2010-04-01/Accounts/{settings.twilio_account_sid}.json")
    except httpx.HTTPError as error:
        said = type(error).__name__
    else:
        if answer.is_success:
            return ok("alerts", "Twilio's account can call staff")
        said = f"HTTP {answer.status_code}"
    do = "check TWILIO_ACCOUNT_SID, the first of TWILIO_AUTH_TOKENS, and TWILIO_API_URL"
    return warning("alerts", f"Twilio cannot be asked to call staff ({said})", do)


async def _alertmanager(url: str) -> Finding:
    try:
        async with httpx.AsyncClient(timeout=ANSWER_S) as client:
            answer = await client.get(f"{url}/api/v2/status")
    except httpx.HTTPError as error:
        said = type(error).__name__
    else:
        if answer.is_success:
            return ok("alerts", "Alertmanager answers")
        said = f"HTTP {answer.status_code}"
    return warning("alerts", f"Alertmanager does not answer ({said})", "check CALLROUTER_ALERTMANAGER_URL")


async def _failures(settings: Settings) -> list[Finding]:
    if not database_is_there(settings):
        return []
    database = connect_database(settings.database)
    try:
        lately = await AlertStore(database).failures(now() - LATELY)
    except (SQLAlchemyError, OSError):
        return []  # the look at the database says so
    finally:
        await database.close()
    do = "look for notice_failed in the log: it names the notice and the reason"
    return [
        warning(
            "alerts",
            f"{each.count} notices by {each.channel} failed in the last day, the last {each.last:%d %b %H:%M} UTC",
            do,
        )
        for each in lately
    ]
