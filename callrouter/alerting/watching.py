"""What watches the service, put together: live figures, alert rules, and the alerts that come of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adapters.notify.alertmanager import Alertmanager
from alerts.auditor import PROBE_RULE, probe_rule
from alerts.errors import RulesError
from alerts.figures.history import KpiHistory
from alerts.life.outage import OutageStore
from alerts.life.service import AlertService
from alerts.life.store import AlertStore
from alerts.model import OWN_METRICS, Parts, Rule
from alerts.rules.loading import load_rules
from callrouter.alerting.alertmanagers import open_alertmanagers
from callrouter.alerting.channels import Channels
from callrouter.dispatch.providers import Providers
from callrouter.errors import ConfigurationError
from callrouter.figures.board import Board
from callrouter.figures.check import PART as FIGURES
from callrouter.lookups import PORTS
from callrouter.parts import PART as BACKGROUND
from callrouter.plans.access import PARTS as AUDIT_PARTS
from callrouter.plans.sources import SOURCE_PART
from callrouter.readiness import ASTERISK
from callrouter.settings import Settings
from callrouter.surges.reading import PART as SURGES
from infra.areas import london
from infra.clock import Clock
from infra.health import Health
from infra.sql import Database

PARTS = frozenset(
    {
        "sql",
        "redis",
        "copy",
        BACKGROUND,
        Alertmanager.PART,
        ASTERISK,
        SOURCE_PART,
        SURGES,
        FIGURES,
        *PORTS.values(),
        *AUDIT_PARTS,
    }
)
"""The kinds of parts that say their state, as alert rules name them."""


def alert_rules(settings: Settings, providers: Providers) -> tuple[Rule, ...]:
    """The rules of the settings' file, and the one that tells the auditor, if there is one.

    Raises :class:`ConfigurationError` with a line for each defect.
    """
    try:
        rules = load_rules(
            settings.alert_rules_file,
            [each.id for each in providers],
            PARTS,
            providers.services,
            [each.id for each in london()],
        )
    except RulesError as error:
        raise ConfigurationError(str(error)) from error
    if settings.auditor_url is None:
        return rules
    if any(each.name == PROBE_RULE for each in rules):
        raise ConfigurationError(f"{settings.alert_rules_file}: the name {PROBE_RULE} is the alert auditor's")
    return (*rules, probe_rule(settings.auditor_url, settings.address))


def open_alerts(
    settings: Settings,
    channels: Channels,
    board: Board,
    rules: Sequence[Rule],
    database: Database,
    clock: Clock,
    parts: Callable[[], Parts],
    health: Health,
) -> AlertService:
    """The service that checks the rules against the board, telling by every channel there is."""
    store = OutageStore(AlertStore(database), clock, [each.name for each in rules if each.metric in OWN_METRICS])
    alerts = AlertService(
        rules, board.figures, channels.notifiers, store, clock,
        parts=parts, windows=board.window, past=KpiHistory(database, {}),
    )  # fmt: skip
    channels.report_to(alerts)
    channels.alertmanagers = open_alertmanagers(settings, rules, store, clock, health)
    return alerts
