"""The alerts that pages of figures name: those that fire, taken on or not, each with its page."""

from __future__ import annotations

from datetime import timedelta

from alerts.life.memory import MemoryStore
from alerts.life.service import AlertService
from alerts.life.store import Change
from alerts.model import AlertState, page_of
from callrouter.figures.wallboard import FiringNow
from tests.hand_clock import NOON, HandClock

SINCE = NOON - timedelta(minutes=4)


def state(rule: str, phase: str, scope: str = "total") -> AlertState:
    return AlertState(
        rule=rule, phase=phase, since=SINCE, what=f"About {rule}", where="North", severity="critical", scope=scope,
        fired_at=SINCE,
    )  # fmt: skip


async def test_pages_name_what_fires_and_leave_out_what_is_over() -> None:
    store = MemoryStore()
    await store.move(Change((
        state("waits", "firing", "provider:north"), state("feed", "acknowledged"), state("old", "resolved"),
    )))  # fmt: skip
    firing = await FiringNow(AlertService([], lambda: None, {}, store, HandClock())).firing()
    told = {each.title: (each.where, each.scope, each.since, each.acknowledged, each.link) for each in firing}
    assert told == {
        "About waits": ("North", "provider:north", SINCE, False, f"/alerts/{page_of('waits')}"),
        "About feed": ("North", "total", SINCE, True, f"/alerts/{page_of('feed')}"),
    }
