"""The console's routes, put together; mount the static files beside them.

::

    app.include_router(console_router(figures=…, pages=…, sessions=…, clock=…))
    mount_static(app)
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles

from callrouter.alerting.desk import AlertDesk
from callrouter.call_backs.service import CallBackList
from callrouter.handover import CallPages
from callrouter.messages.service import MessageService
from callrouter.plans.access import PlanAccess
from callrouter.plans.crew import Crew
from callrouter.publishing.hearing import Hearing
from callrouter.publishing.service import Publishing
from callrouter.repeat.earlier_calls import EarlierCalls
from callrouter.surges.desk import SurgeDesk
from callrouter.welfare.service import Welfare
from console.alerts import add_alerts
from console.call_backs import add_call_backs
from console.calls import add_calls
from console.crew import add_crew
from console.earlier import add_earlier
from console.feed import Feeds
from console.flow_replay import Replaying
from console.flows import add_flows
from console.messages import add_messages
from console.passing_on import add_passing_on
from console.plans import add_plans
from console.ports import Alerts, LiveBoard, Past
from console.provider import add_providers
from console.readings import Readings
from console.reports import add_reports
from console.rows_kept import RowsKept
from console.scope_pages import add_scope_pages
from console.session import Sessions
from console.sign_in import add_sign_in
from console.sign_in_oidc import OpenId
from console.surges import add_surges
from console.wallboard import add_wallboard
from console.web import HERE, Web, route_class
from console.welfare import add_welfare
from infra.clock import Clock

STATIC = HERE / "static"


@dataclass(frozen=True, slots=True)
class Flows:
    """What the pages of flows need."""

    publishing: Publishing
    hearing: Hearing
    replaying: Replaying


@dataclass(frozen=True, slots=True)
class Figures:
    """What the pages of figures need."""

    live: LiveBoard
    past: Past
    alerts: Alerts
    kept: RowsKept = RowsKept()


def console_router(
    *,
    figures: Figures,
    pages: CallPages,
    sessions: Sessions,
    clock: Clock,
    messages: MessageService | None = None,
    flows: Flows | None = None,
    open_wallboard: bool = False,
    tells_small_counts: bool = False,
    openid: OpenId | None = None,
    plans: PlanAccess | None = None,
    welfare: Welfare | None = None,
    call_backs: CallBackList | None = None,
    surges: SurgeDesk | None = None,
    alerts: AlertDesk | None = None,
    crew: Crew | None = None,
    earlier: EarlierCalls | None = None,
) -> APIRouter:
    """Every page, each by a line here.

    ``open_wallboard`` shows the figures to anybody (the demo); ``tells_small_counts``: small counts of the whole
    service and of providers, too, outside the clinical roles.
    """
    passes_on = plans is not None and bool(plans.passing_on.organisations)
    web = Web(sessions, has_sign_in=openid is not None, passes_on=passes_on)
    router = APIRouter(route_class=route_class(web), include_in_schema=False)
    readings = Readings(figures.live, figures.past, figures.alerts, clock, tells_small_counts=tells_small_counts)
    feeds = Feeds(clock)
    add_wallboard(router, web, readings, feeds, is_open=open_wallboard)
    add_providers(router, web, readings, feeds, is_open=open_wallboard)
    add_scope_pages(router, web, readings, feeds)
    add_reports(router, web, readings, figures.kept)
    add_calls(router, web, pages, clock, tells_crews=crew is not None)
    add_sign_in(router, web, openid)
    if messages is not None:
        add_messages(router, web, messages, clock)
    if flows is not None:
        add_flows(router, web, flows.publishing, flows.hearing, flows.replaying)
    if plans is not None:
        add_plans(router, web, plans, clock)
        if web.passes_on:
            add_passing_on(router, web, plans.passing_on, pages)
    if crew is not None:
        add_crew(router, web, crew, pages)
    if earlier is not None:
        add_earlier(router, web, pages, earlier, clock, tells_crews=crew is not None)
    if alerts is not None:
        add_alerts(router, web, alerts, tells_small_counts=tells_small_counts)
    if surges is not None:
        add_surges(router, web, surges)
    if welfare is not None:
        add_welfare(router, web, welfare)
    if call_backs is not None:
        add_call_backs(router, web, call_backs, clock)
    return router


def mount_static(app: FastAPI) -> None:
    """Serve ``/static``: our own style and scripts, and what ``infra/assets/fetch.py`` fetched."""
    app.mount("/static", StaticFiles(directory=STATIC), name="static")


def assets_are_fetched() -> bool:
    """Whether set-up has fetched the design system; without it the pages work but look bare."""
    return (STATIC / "vendor" / "nhsuk-frontend.min.css").is_file()
