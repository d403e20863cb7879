"""Texts: whether GOV.UK Notify holds the words that were approved here, before a caller is the first to find out."""

from __future__ import annotations

from collections.abc import Sequence

from callrouter.doctor.model import Finding, ok, warning
from callrouter.settings import Settings
from callrouter.texting import notify_of
from callrouter.texts.ports import ProviderBusy
from callrouter.texts.templates import read_templates
from infra.clock import SystemClock


async def check_texts(settings: Settings) -> Sequence[Finding]:
    """Nothing is sent. Calls go on without texts: never *failed*."""
    about, notify = "texts", notify_of(settings, SystemClock())
    templates = [each for each in read_templates(settings.texts_file).values() if each.govuk_notify]
    if notify is None:
        by_twilio = bool(settings.twilio_account_sid)
        return [ok(about, "go by Twilio" if by_twilio else "none can be sent, and flows may promise none")]
    if not templates:
        do = "enter the ids of templates with the same words into the file of texts (docs/notices.md)"
        return [warning(about, "GOV.UK Notify is set, but no text names a template there", do)]
    try:
        other = [each.key for each in templates if not await notify.has_same_words(each)]
    except ProviderBusy as error:
        return [warning(about, f"GOV.UK Notify cannot be asked ({error.reason})", "see its key, address and status")]
    if other:
        do = "change them there or here, and have them approved; until then that provider is passed over"
        return [warning(about, f"GOV.UK Notify has other words for {', '.join(other)}", do)]
    return [ok(about, f"GOV.UK Notify has the words of {len(templates)} texts")]
