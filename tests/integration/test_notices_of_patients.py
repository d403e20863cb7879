"""Word of a broken glass and of a caller at risk, by every channel: who receives it learns no name and no number."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.notify.alert_texts import TextNotifier
from adapters.notify.smtp import SmtpNotifier, SmtpSettings
from adapters.notify.webhook import WebhookNotifier, WebhookSettings
from alerts.life.service import AlertService
from alerts.life.store import AlertStore
from alerts.model import Figures, Metric, Recipient, Rule, ScopeFigures
from alerts.notices.sent import SentNotices
from alerts.ports import Notifier
from callrouter.alerting.governance import GovernanceNotices
from callrouter.texts.model import Template
from callrouter.texts.templates import ALERT_NOTICE, ALERT_WORDS
from callrouter.welfare.notices import WelfareNotices
from callrouter.welfare.service import Left, Welfare
from careplans.access.emergency import EmergencyAccess
from careplans.access.patient import PatientAsked
from careplans.model import Viewer
from infra.sql import Database
from tests import canaries
from tests.notice_receivers import Relay, serve_http, serve_smtp
from tests.plan_house import BORN, KEYS, House
from tests.text_providers import Notify

TEMPLATE = Template(ALERT_NOTICE, ALERT_WORDS[ALERT_NOTICE], "f33517ff-2a88-4f6e-b855-c550268ce08a")
CLINICIAN = Viewer("zzcanary.user", "clinician", "session-c", "London CAS", "Zzcanary Name")
PATIENT: dict[str, object] = {
    "given_name": "Zzgiven",
    "family_name": "Zzfamily",
    "handler_line": "Zzline",
    "detail": "Zzdetail",
}
NUMBER = "+447700900101"


@pytest.fixture
def database(sqlite: Database) -> Database:
    return sqlite


METRICS: tuple[Metric, ...] = ("governance", "welfare_task")


def rules(webhook: str) -> list[Rule]:
    who = (
        Recipient("Governance", "email", "governance@example.nhs.invalid"), Recipient("Duty", "webhook", webhook),
        Recipient("Duty manager", "text", "+447700900123"),
    )  # fmt: skip
    return [
        Rule(
            name=metric, title=metric, metric=metric, threshold=1, clear=0, for_s=0, severity="critical",
            usually_helps="Look.", source="a test", link="http://localhost/plans/reviews", who=who,
        )
        for metric in METRICS
    ]  # fmt: skip


async def test_no_stand_in_learns_who_it_is_about(database: Database) -> None:
    house, store = House(database), AlertStore(database)
    await house.load(PATIENT)
    notify = Notify(house.clock, {TEMPLATE.key: TEMPLATE})
    with serve_http() as receiver:
        async with await serve_smtp(relay := Relay()):
            named = rules(receiver.url)
            governance = GovernanceNotices(store, named)
            emergency = EmergencyAccess(database, KEYS, house.clock, house.trail, governance)
            await emergency.ask(PatientAsked(BORN, family_name="Zzfamily"), "Zzcanary, born 1938-04-12", CLINICIAN)
            welfare = Welfare(database, KEYS, house.clock, WelfareNotices(store, named))
            await welfare.make(Left("call", "c" * 32, "menu", house.clock.now(), NUMBER))
            house.clock.at += timedelta(minutes=3)
            assert await welfare.look_after() == 1
            channels: dict[str, Notifier] = {
                "email": SmtpNotifier(
                    SmtpSettings(host="127.0.0.1", port=relay.port, sender="a@b.invalid", starttls=False)
                ),
                "webhook": WebhookNotifier(WebhookSettings(secret="s" * 32), house.clock),
                "text": TextNotifier([notify.provider()], TEMPLATE, SentNotices(store, KEYS, house.clock)),
            }
            nothing = Figures(house.clock.now(), ScopeFigures(scope="total", name="All"), ())
            await AlertService(named, lambda: nothing, channels, store, house.clock).tick()
    assert [len(relay.mails), len(receiver.requests), len(notify.sent)] == [2, 2, 2]
    assert canaries.FOUND == []
