"""Every link of the chain that carries alerts, broken: the dead-man's switch fires within three minutes.

The chain is the real one, in one process on a hand clock (:mod:`tests.audit_chain`); as processes, tests/e2e.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from alerts.auditor import PROBE_RULE
from alerts.life.tables import alert_notices
from alerts.model import ScopeFigures
from callrouter.alerting.probe import NOBODY, PROBE, with_probe
from callrouter.doctor.auditor import check_auditor
from callrouter.settings import load_settings
from tests.audit_chain import NUMBER, SECRET, STEP_S, Chain, a_chain
from tests.integration.test_twilio_caller import TwilioCall
from tests.service import PROVIDERS, build_calls
from tests.twilio_world import FALLBACK, a_client, an_app

WITHIN_S = 180.0
"""Issue 6: the switch fires within three minutes of the link's end."""


@pytest.fixture
async def chain(tmp_path: Path) -> AsyncIterator[Chain]:
    async with a_chain(tmp_path) as chain:
        await chain.live(70)
        assert chain.told.kinds == [], "the chain was not whole to begin with"
        assert chain.auditing.auditor.report()["notices"] == 2
        yield chain


async def refuse_webhooks(chain: Chain) -> None:
    chain.web.away = True


async def stop_the_state_store(chain: Chain) -> None:
    chain.states.away = True


async def take_the_stream_away(chain: Chain) -> None:
    chain.stream.away = True


async def silence_the_stream(chain: Chain) -> None:
    chain.stream.quiet = True


async def stop_the_figures(chain: Chain) -> None:
    chain.stopped.add("figures")


async def stop_the_alerts(chain: Chain) -> None:
    chain.stopped.add("alerts")


async def refuse_notices(chain: Chain) -> None:
    await chain.listener.stop()


@pytest.mark.parametrize(
    ("break_it", "what_is_said"),
    [
        (refuse_webhooks, "not taken"),
        (stop_the_state_store, "not taken"),
        (take_the_stream_away, "do not arrive"),
        (silence_the_stream, "do not arrive"),
        (stop_the_figures, "do not arrive"),
        (stop_the_alerts, "do not arrive"),
        (refuse_notices, "do not arrive"),
    ],
)
async def test_a_broken_link_is_told_within_three_minutes(
    chain: Chain, break_it: Callable[[Chain], Awaitable[None]], what_is_said: str
) -> None:
    await break_it(chain)
    assert await chain.until_told(chain.told, WITHIN_S) > 60, "one probe that fails is nothing to wake people for"
    (notice,) = chain.told.notices
    assert what_is_said in notice.where


async def test_a_database_that_is_away_silences_no_alert(chain: Chain) -> None:
    chain.records.away = True
    await chain.live(300)
    assert chain.told.kinds == []
    chain.records.away = False
    await chain.live(300)
    assert chain.told.kinds == []


async def test_the_end_of_the_auditor_itself_is_told_by_the_service(chain: Chain) -> None:
    chain.stopped.add("auditor")
    await chain.until_told(chain.staff, WITHIN_S)
    assert chain.staff.notices[0].rule == "auditor-silent"
    chain.stopped.clear()
    await chain.until_told(chain.staff, 10)
    assert chain.staff.kinds == ["fired", "cleared"]


async def test_doctor_says_whether_it_runs_and_what_it_has_found(chain: Chain, tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, auditor_url=chain.listener.url, webhook_secret=SECRET)
    (sound,) = await check_auditor(settings)
    assert sound.level == "ok"
    assert sound.text.startswith("a notice came ")
    await refuse_webhooks(chain)
    await chain.until_told(chain.told, WITHIN_S)
    (broken,) = await check_auditor(settings)
    assert broken.level == "warning"
    assert "its calls are not taken (ConnectError)" in broken.text
    await refuse_notices(chain)
    (gone,) = await check_auditor(settings)
    assert gone.text == "does not answer (ConnectError)"


async def test_it_is_said_again_every_quarter_of_an_hour_and_once_when_alerts_arrive_again(chain: Chain) -> None:
    chain.web.away = True
    await chain.until_told(chain.told, WITHIN_S)
    assert await chain.until_told(chain.told, 920) >= 895
    chain.web.away = False
    await chain.until_told(chain.told, 65)
    await chain.live(120)
    assert chain.told.kinds == ["fired", "fired", "cleared"]
    assert len({each.id for each in chain.told.notices}) == 3


async def test_probes_are_in_no_figure_even_when_their_auditor_dies_in_the_middle_of_one(chain: Chain) -> None:
    while not waiting(chain):
        await chain.live(STEP_S)
    chain.stopped.add("auditor")
    await chain.live(90)
    assert not waiting(chain), "it hides the wait of the next one"
    figures = chain.board.figures()
    assert figures is not None
    assert figures.total == ScopeFigures(scope="total", name="Whole service")
    assert figures.providers == ()
    assert [*chain.board.window(60, "provider"), *chain.board.window("today", "service")] == []


async def test_probes_leave_nothing_on_the_pages_or_in_the_tables_of_alerts(chain: Chain) -> None:
    assert await chain.alerts.shown() == []
    assert await chain.alerts.steps(PROBE_RULE) == []
    kept = select(func.count()).select_from(alert_notices)
    assert await chain.database.read(lambda connection: connection.execute(kept).scalar_one()) == 0


async def test_who_dials_the_reserved_number_by_mistake_hears_of_999_and_reaches_the_default_service(
    tmp_path: Path,
) -> None:
    calls = await build_calls(tmp_path, providers=with_probe(PROVIDERS), flow=PROBE)
    async with a_client(an_app(calls)) as client:
        call = TwilioCall(client, to=NUMBER)
        await call.start()
        assert "999" in call.heard
        assert call.dialled == NOBODY, "never the reserved number: the caller would come round again"
        await call.dial_ends("no-answer")
        assert call.dialled == FALLBACK
        assert {each.kind for each in await calls.events(calls.keys.index("twilio-call", call.sid)[:32])} >= {
            "leg_failed", "handed_back",
        }  # fmt: skip
    await calls.close()


def waiting(chain: Chain) -> int:
    """How many probes wait now, as the rule reads it."""
    figures = chain.board.figures()
    return figures.probes.waiting if figures is not None and figures.probes is not None else 0
