"""The pages of surges: what is unusual, how sure that is, and what public health says of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from alerts.surges.chart import NEAR_H, Neighbour, share_of
from alerts.surges.model import Proposal
from callrouter.approvals import Refused, StoreAway
from callrouter.surges.desk import ASSESSORS, READERS, TO_ASSESS, NoSuchProposal, Sheet, SurgeDesk
from console.errors import NoSuchPage
from console.session import Session
from console.surge_chart import drawn, shares_drawn
from console.web import Web
from console.words import LONDON

KINDS = {
    "surge": "Surge: more callers, and a larger share of all calls",
    "demand_rise": "Rise in demand: more callers, as with all calls",
    "change_of_mix": "Change of mix: no more callers than usual, but a larger share",
}
STATES = {"open": "To assess", "watched": "Watched", "dismissed": "Dismissed", "acted": "Acted on"}
COLOURS = {"open": "orange", "watched": "yellow", "dismissed": "grey", "acted": "blue"}
TITLES = {
    "told": "Staff were told",
    "told_surge": "Staff were told of a surge",
    "stronger": "It became more than what was assessed: to be assessed anew",
    "told_faded": "Staff were told that it has faded",
    "faded": "Below the bound for 48 hours: taking the message off is proposed",
    "back": "Unusual again: taking the message off is no longer proposed",
}
_BUDGET = "At most two false episodes a day are expected over all series together"
BY_CHANCE = {
    "hourly": _BUDGET,
    "weekly": f"{_BUDGET}; this is of the seven days that end with the day before it was found",
    "daily": f"{_BUDGET}; this is of one day, against seven days before it, since less than four weeks are known",
}
_SURE = ((6.0, "Far above anything usual"), (4.0, "Well above what chance brings"), (0.0, "Just above the bound"))


def add_surges(router: APIRouter, web: Web, desk: SurgeDesk) -> None:
    """``/surges`` and what is below it."""

    @router.get("/surges", name="surges")
    async def surges(request: Request) -> Response:
        session = web.require(request, *READERS)
        listed = await desk.listed(session.who)
        open_ = [row for row in listed.rows if row.proposal.state in TO_ASSESS or row.take_off]
        rest = [row for row in listed.rows if row not in open_]
        names: dict[str, Any] = {"kinds": KINDS, "states": STATES, "colours": COLOURS}
        return web.page(request, "surges.html", listed=listed, open=open_, rest=rest, sure=sure, **names)

    @router.get("/surges/{proposal_id}", name="surge")
    async def surge(request: Request, proposal_id: str) -> Response:
        session = web.require(request, *READERS)
        return await _page(request, web, desk, proposal_id, session)

    @router.post("/surges/{proposal_id}/{step}", name="surge_step")
    async def assess(request: Request, proposal_id: str, step: str) -> Response:
        session = web.require(request, *READERS)
        fields = await web.form(request, session)
        try:
            match step:
                case "dismiss":
                    await desk.dismiss(proposal_id, fields.get("reason", ""), session.who)
                case "watch":
                    await desk.watch(proposal_id, session.who)
                case "act":
                    message = await desk.act(proposal_id, session.who)
                    return RedirectResponse(f"/messages/{message}", status_code=303)
                case _:
                    raise NoSuchPage
        except NoSuchProposal as error:
            raise NoSuchPage from error
        except StoreAway:
            raise  # nothing of it can be shown
        except Refused as refused:
            return await _page(request, web, desk, proposal_id, session, refused)
        return RedirectResponse(f"/surges/{proposal_id}", status_code=303)


async def _page(
    request: Request, web: Web, desk: SurgeDesk, proposal_id: str, session: Session, refused: Refused | None = None
) -> Response:
    try:
        sheet = await desk.sheet(proposal_id, session.who)
    except NoSuchProposal as error:
        raise NoSuchPage from error
    may = session.who.role in ASSESSORS
    values: dict[str, Any] = {
        "sheet": sheet,
        "proposal": sheet.row.proposal,
        "chart": drawn(sheet.hours),
        "near": [_near(*each) for each in sheet.neighbours],
        "kinds": KINDS,
        "states": STATES,
        "colours": COLOURS,
        "titles": TITLES,
        "sure": sure(sheet.row.proposal),
        "by_chance": BY_CHANCE[sheet.row.proposal.method],
        "deflected": _deflected(sheet),
        "share": _share(sheet),
        "shares": shares_drawn(sheet.hours),
        "per_cent": per_cent,
        "hour_name": hour_name,
        "may": {
            "act": may and sheet.can_act,
            "watch": may and sheet.row.proposal.state == "open",
            "dismiss": may and sheet.row.proposal.state in TO_ASSESS,
        },
        "refused": refused,
    }
    return web.page(request, "surge.html", refused.status if refused else 200, **values)


def sure(proposal: Proposal) -> str:
    """How far from usual, in words."""
    return next(words for least, words in _SURE if proposal.score >= least or least == 0.0)


def _deflected(sheet: Sheet) -> int | None:
    """Of the callers of the last 24 hours, those whom a message kept from the queue; None if that is not to be told."""
    last = [each.deflected for each in sheet.hours[-24:]]
    return None if None in last else sum(each or 0 for each in last)


def per_cent(share: float | None) -> str:
    """A share in words; a rest under a tenth of a per cent is not nought."""
    if share is None:
        return "–"
    return "under 0.1 %" if 0 < share < 0.001 else f"{share:.1%}".replace("%", " %")


def _share(sheet: Sheet) -> tuple[str, str]:
    """Of all calls since it began, beside the usual; what is withheld of an hour is withheld of their sum."""
    began = sum(each.at >= sheet.row.proposal.since for each in sheet.hours)
    last = sheet.hours[-max(1, min(began, NEAR_H)) :]
    demand = None if any(each.demand is None for each in last) else sum(each.demand or 0 for each in last)
    share = share_of(demand, sum(each.calls for each in last))
    known = all(each.expected is not None and each.usual_calls is not None for each in last)
    usual = share_of(sum(each.expected or 0 for each in last), sum(each.usual_calls or 0 for each in last))
    about = f"{per_cent(share)}{f', where {per_cent(usual)} is usual' if known else ''}"
    if share is None:
        about = "not shown" if demand is None else "nobody called"
    return f"Share of all calls, last {len(last)} hour{'s' if len(last) > 1 else ''}", about


def hour_name(at: datetime) -> str:
    """Of one of the last days: "Tue 24, 08:00"."""
    local = at.astimezone(LONDON)
    return f"{local:%a} {local.day}, {local:%H:%M}"


@dataclass(frozen=True, slots=True)
class _Near:
    name: str
    demand: str
    usual: str
    times: str
    share: str


def _near(neighbour: Neighbour, signal: str, area: str) -> _Near:
    demand, usual = neighbour.demand, neighbour.expected
    return _Near(
        f"{signal}, {area}",
        demand=f"{demand}",
        usual="not known yet" if usual is None else f"{usual:.0f}",
        times=f"{demand / usual:.1f}" if usual else "–",
        share=per_cent(neighbour.share),
    )
