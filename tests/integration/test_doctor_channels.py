"""``callrouter doctor`` on the channels that alert rules name: set or not, answering or not, and what failed lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alerts.life.store import AlertStore, Change
from alerts.model import AlertState, Recipient
from callrouter.doctor.local import check_alerts
from callrouter.settings import Settings
from infra.migrate import upgrade_database
from infra.sql import connect_database
from tests.alert_notices import FIRED, MOBILE
from tests.alertmanager import AlertmanagerServer
from tests.missing import or_skip
from tests.running import free_port
from tests.text_providers import API_KEY, BEARER, SID, TOKEN

RULES = """\
link: http://127.0.0.1/
alerts:
  - name: journal-late
    title: The journal is late
    metric: journal_lag_s
    threshold: 60
    for_s: 0
    clear_below: 30
    severity: warning
    usually_helps: Run callrouter doctor.
    source: a test
    who: [{name: Duty manager, mobile: "+447700900123", channels: [voice, text]}]
"""
TEXTS = "alerts: {alert_notice: f33517ff-2a88-4f6e-b855-c550268ce08a}\n"


def settings(folder: Path, **given: object) -> Settings:
    (folder / "rules.yaml").write_text(RULES)
    return Settings(data_dir=folder, alert_rules_file=folder / "rules.yaml", **given)  # type: ignore[arg-type]


async def told(given: Settings) -> list[str]:
    return [f"{each.level}: {each.text}" for each in await check_alerts(given)]


def about(findings: Sequence[str], words: str) -> list[str]:
    return [each for each in findings if words in each]


async def test_channels_that_nobody_set_up_are_named(tmp_path: Path) -> None:
    findings = await told(settings(tmp_path))
    assert "warning: rules name texts, and nobody carries them: they are not sent" in findings
    assert "warning: rules name calls, and nobody can call: they are not made" in findings


async def test_texts_need_a_template_at_notify(tmp_path: Path) -> None:
    notify: dict[str, object] = {"govuk_notify_api_key": API_KEY, "govuk_notify_token": BEARER}
    assert about(await told(settings(tmp_path, **notify)), "nobody carries them")
    (tmp_path / "texts.yaml").write_text(TEXTS)
    findings = await told(settings(tmp_path, texts_file=tmp_path / "texts.yaml", **notify))
    assert "ok: texts to staff have a carrier" in findings


async def test_who_calls_staff_is_looked_at(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    findings = await told(
        settings(
            tmp_path, ari_url=f"{nobody}/ari", voice_trunk="provider-north", voice_dir=tmp_path,
            twilio_account_sid=SID, twilio_auth_tokens=TOKEN, twilio_texts_from="+447700900999",
            twilio_api_url=nobody, voice_caller="+442079460999",
        )
    )  # fmt: skip
    (trunk,) = about(findings, "trunk of calls to staff")
    assert trunk.startswith("warning: ")
    assert trunk.endswith("is not to be reached (ConnectError)")
    assert "warning: Twilio cannot be asked to call staff (ConnectError)" in findings
    assert not about(findings, "cannot be written")


async def test_an_alertmanager_answers_or_not(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with or_skip(), AlertmanagerServer() as server:
        findings = await told(settings(tmp_path, alertmanager_url=f"{server.url}, {nobody}/"))
    assert about(findings, "Alertmanager") == [
        "ok: Alertmanager answers", "warning: Alertmanager does not answer (ConnectError)",
    ]  # fmt: skip


async def test_what_failed_in_the_last_day_is_counted_without_an_address(tmp_path: Path) -> None:
    given, now = settings(tmp_path), datetime.now(UTC)
    database = connect_database(given.database)
    await upgrade_database(database)
    store = AlertStore(database)
    people = [Recipient("Duty manager", "text", number) for number in (MOBILE, "+447700900124", "+447700900125")]
    notices = tuple(replace(FIRED, recipient=each) for each in people)
    await store.move(Change((AlertState(rule="journal-late", phase="firing"),), notices))
    for hours, delivery in zip((0, 2, 48), await store.open_deliveries("text"), strict=True):
        await store.close(delivery, "failed", now - timedelta(hours=hours))
    await database.close()
    findings = await told(given)
    (failures,) = about(findings, "failed in the last day")
    assert failures == f"warning: 2 notices by text failed in the last day, the last {now:%d %b %H:%M} UTC"
    assert "7700900" not in str(findings)
