"""The pages of alerts: what fires, what is silenced, what has been; and one alert, to take it on or silence it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import isfinite
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from alerts.figures.small_numbers import of_few
from alerts.life.service import Shown
from alerts.model import WINDOW_METRICS, Rule, StepKind
from alerts.notices.wording import bounds, measure, told
from callrouter.alerting.desk import READERS, AlertDesk, AlertSheet, NoSuchAlert
from callrouter.approvals import Refused, StoreAway
from console.errors import NoSuchPage
from console.session import Session
from console.small_numbers import CLINICAL
from console.web import Web

SEVERITIES = {"critical": "red", "warning": "orange", "notice": "blue"}
Hides = Callable[[str], bool]
"""Whether small counts of a scope are not told to whoever looks."""

TITLES: dict[StepKind, str] = {
    "pending": "Over its bound",
    "fired": "Began",
    "sent": "Told",
    "delivered": "Arrived",
    "failed": "Could not be told",
    "escalated": "Nobody took it on: went to",
    "held": "Nobody is told",
    "acknowledged": "Taken on",
    "silenced": "Silenced",
    "lifted": "Silence lifted",
    "resolved": "Over",
    "rule_removed": "Over: its rule was removed",
    "flapping": "On and off again and again",
}


def add_alerts(router: APIRouter, web: Web, desk: AlertDesk, *, tells_small_counts: bool = False) -> None:
    """``/alerts`` and what is below it. ``tells_small_counts``: of the whole service and providers, to everybody."""

    def hides(session: Session) -> Hides:
        every_count = session.who.role in CLINICAL
        return lambda scope: not every_count and (of_few(scope) or not tells_small_counts)

    @router.get("/alerts", name="alerts")
    async def alerts(request: Request) -> Response:
        session = web.require(request, *READERS)
        overview = await desk.overview(session.who)
        firing = [each for each in overview.alerts if each.state.is_open]
        amount_of = partial(_now, hides=hides(session))
        names: dict[str, Any] = {"severities": SEVERITIES, "amount": amount_of}
        return web.page(request, "alerts.html", overview=overview, firing=firing, **names)

    @router.get("/alerts/{page}", name="alert")
    async def alert(request: Request, page: str) -> Response:
        session = web.require(request)
        return await _page(request, web, desk, page, session, hides(session))

    @router.post("/alerts/lift", name="alert_lift")
    async def lift(request: Request) -> Response:
        session = web.require(request, *READERS)
        fields = await web.form(request, session)
        page = await desk.lift(fields.get("silence", ""), session.who)
        return RedirectResponse(f"/alerts/{page}" if page else "/alerts", status_code=303)

    @router.post("/alerts/{page}/{step}", name="alert_step")
    async def move(request: Request, page: str, step: str) -> Response:
        session = web.require(request)
        fields = await web.form(request, session)
        try:
            match step:
                case "acknowledge":
                    await desk.acknowledge(page, session.who)
                case "silence":
                    await desk.silence(page, session.who, fields.get("reason", ""), _hours(fields.get("hours", "")))
                case _:
                    raise NoSuchPage
        except NoSuchAlert as error:
            raise NoSuchPage from error
        except StoreAway:
            raise  # nothing of it can be shown
        except Refused as refused:
            return await _page(request, web, desk, page, session, hides(session), refused)
        return RedirectResponse(f"/alerts/{page}", status_code=303)


async def _page(
    request: Request,
    web: Web,
    desk: AlertDesk,
    page: str,
    session: Session,
    hides: Hides,
    refused: Refused | None = None,
) -> Response:
    try:
        sheet = await desk.sheet(page, session.who)
    except NoSuchAlert as error:
        raise NoSuchPage from error
    values: dict[str, Any] = {
        "sheet": sheet,
        "state": sheet.shown.state,
        "rule": sheet.shown.rule,
        "facts": _facts(sheet, hides),
        "severities": SEVERITIES,
        "titles": TITLES,
        "may_silence": session.who.role in READERS,
        "refused": refused,
    }
    return web.page(request, "alert.html", refused.status if refused else 200, **values)


def _facts(sheet: AlertSheet, hides: Hides) -> list[tuple[str, str]]:
    """What stands under the title, in words."""
    rule, state = sheet.shown.rule, sheet.shown.state
    if rule is None:
        return [("Rule", "It is in the file no more")]
    facts = [("Where", state.where), ("Measured", _measured(rule))]
    few = hides(state.scope)
    if sheet.shown.value is not None:
        facts.append(("Now", told(rule, sheet.shown.value, of_few=few)))
    facts.append(("At its worst", told(rule, state.worst, of_few=few)))
    facts.append(("Rule", bounds(rule)))
    facts.append(("Numbers from", rule.source if rule.verified else f"{rule.source} (nobody has verified them yet)"))
    return facts


def _measured(rule: Rule) -> str:
    if rule.metric not in WINDOW_METRICS:
        return measure(rule.metric)
    return f"{measure(rule.metric)}, {'today' if rule.window == 'today' else f'last {rule.window} minutes'}"


def _now(shown: Shown, *, hides: Hides) -> str:
    if shown.rule is None or shown.value is None:
        return ""
    return told(shown.rule, shown.value, of_few=hides(shown.state.scope))


def _hours(typed: str) -> float:
    """0 for what is no number, which the service then refuses."""
    try:
        hours = float(typed)
    except ValueError:
        return 0.0
    return hours if isfinite(hours) else 0.0
