"""The alert auditor: whether it runs, and what it has found."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urljoin

import httpx

from callrouter.doctor.model import Finding, ok, warning
from callrouter.settings import Settings

ANSWER_S = 5.0


async def check_auditor(settings: Settings) -> Sequence[Finding]:
    """Calls are served without it: never *failed*."""
    about = "alert auditor"
    if settings.auditor_url is None:
        if not settings.is_production:
            return [ok(about, "none is set")]
        do = "run `callrouter auditor` on another machine, and set CALLROUTER_AUDITOR_URL (docs/alerts.md)"
        return [warning(about, "none runs: nobody would notice that alerts do not arrive", do)]
    try:
        async with httpx.AsyncClient(timeout=ANSWER_S) as client:
            answer = await client.get(urljoin(settings.auditor_url, "/live"))
        report = answer.json()
        silent_s, fired, refused = float(report["silent_s"]), bool(report["fired"]), str(report["refused"])
        heard = int(report["notices"])
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        do = "start `callrouter auditor`; see CALLROUTER_AUDITOR_URL and CALLROUTER_AUDITOR_LISTEN"
        return [warning(about, f"does not answer ({type(error).__name__})", do)]
    if fired:
        why = f"its calls are not taken ({refused})" if refused else "its calls are taken, and no notice comes"
        do = "look for the broken link: workers, event stream, rules, CALLROUTER_WEBHOOK_SECRET on both sides"
        return [warning(about, f"alerts do not arrive, {silent_s:.0f} s: {why}", do)]
    return [
        ok(
            about,
            f"a notice came {silent_s:.0f} s ago"
            if heard
            else f"runs, and waits for the first notice {silent_s:.0f} s",
        )
    ]
