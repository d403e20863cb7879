"""Figures by item, scope, window and clock (docs/safety/rules.md, 8), worked out by hand."""

from __future__ import annotations

import gc
from dataclasses import replace
from datetime import timedelta

import pytest
from alert_calls import NOON, Told
from test_alert_figures import PROVIDERS, listening

from alerts.figures.calls import Call
from alerts.figures.contacts import ENDED_BOX, ENDED_KEPT
from alerts.figures.items import CLASSES, PROBE_FLOW, Clock, Kpis, ScopeKind
from alerts.figures.kpi import LiveFigures
from callrouter import events as ev


def today(*calls: Told, kind: ScopeKind = "total", clock: Clock = "offered", now: float = 600) -> dict[str, Kpis]:
    found = listening(*calls).today(NOON + timedelta(seconds=now), kind, clock)
    return {each.scope.id: each for each in found}


def whole(*calls: Told, clock: Clock = "offered", now: float = 600) -> Kpis:
    return today(*calls, clock=clock, now=now)[""]


def of(kpis: Kpis, *codes: str) -> list[float | None]:
    return [kpis.of(code) for code in codes]


def answered(ref: str, after: float, provider: str = "kings", queued: float = 20) -> Told:
    return Told(ref).offered().at(1, ev.NodeEntered(node="menu")).queued(queued).leg(queued, provider).answered(
        after, provider
    )  # fmt: skip


def test_both_clocks_are_worked_out_and_each_says_which_it_is() -> None:
    calls = answered("a", 65.5), answered("b", 80)
    offered, ended = whole(*calls), whole(*calls, clock="message_end")
    assert of(offered, "A01", "A02", "A03", "B01", "B06", "B07") == [2, 2, 2, 0, 145.5, 80]
    assert of(ended, "A03", "B01", "B06", "B07") == [2, 2, 105.5, 60]
    assert (offered.clock, ended.clock) == ("offered", "message_end")


@pytest.mark.parametrize(("seconds", "bands"), [(30, (1, 0, 0)), (30.1, (0, 1, 0)), (60, (0, 1, 0)), (60.1, (0, 0, 1))])
def test_bands_of_the_abandoned_include_their_bound(seconds: float, bands: tuple[int, int, int]) -> None:
    kpis = whole(Told().offered().queued(0).ended(seconds, "abandoned"))
    assert of(kpis, "B02", "B03", "B04", "B05", "B09") == [1, *bands, seconds]


def test_call_backs_are_not_collected_and_never_an_invented_nought() -> None:
    assert of(whole(answered("a", 30)), "D13", "D14", "D15", "D16", "D17", "D18") == [None] * 6


def test_no_calls_have_no_centile() -> None:
    assert of(whole(), "A01", "A03", "B06", "B07", "B07_ALL") == [0, 0, 0, None, None]


def test_beside_the_centile_of_the_answered_stands_that_of_all_who_want_a_person() -> None:
    calls = (
        answered("a", 30),
        Told("gone").offered().queued(5).ended(100, "abandoned"),
        Told("waits").offered().queued(5),
    )
    kpis = whole(*calls, Told("served").offered().ended(5, "self_served"), now=600)
    assert of(kpis, "B07", "B07_ALL") == [30, 600]
    assert (kpis.seconds.total, kpis.waits.total) == (1, 3)


def test_a_caller_in_the_menus_waits_by_the_one_clock_and_not_yet_by_the_other() -> None:
    call = Told().offered().at(1, ev.NodeEntered(node="menu"))
    assert whole(call, now=50).of("B07_ALL") == 50
    assert whole(call, clock="message_end", now=50).of("B07_ALL") is None


def test_a_call_is_in_the_figures_of_its_service_and_its_area_too() -> None:
    call = answered("a", 30).at(31, ev.AreaKnown(area="southwark", by="postcode"))
    menu = Told("b").offered()
    areas, services = today(call, menu, kind="area"), today(call, menu, kind="service")
    assert {area: kpis.of("A03") for area, kpis in areas.items()} == {"southwark": 1, "unknown": 0}
    assert {service: kpis.of("A01") for service, kpis in services.items()} == {"handlers": 1, "unknown": 1}
    assert services["unknown"].name == "No service asked for"


def test_the_newest_area_and_the_last_service_count() -> None:
    call = Told().offered().at(0, ev.AreaKnown(area="london", by="number")).queued(5)
    call.at(6, ev.AreaKnown(area="bexley", by="postcode"))
    call.at(7, ev.LegStarted(provider="kings", service="dental", band="routine"))
    assert list(today(call, kind="area")) == ["bexley"]
    assert list(today(call, kind="service")) == ["dental"]


def test_an_offer_that_a_provider_did_not_take_is_in_a_class_of_its_own() -> None:
    call = Told().offered().leg(5, "kings").failed(9, "kings").leg(10, "thames").answered(20, "thames")
    kings, thames = today(call, kind="provider").values()
    assert ({end: n for end, n in kings.ends.items() if n}, kings.of("A01")) == ({"not_taken": 1}, 1)
    assert of(thames, "A01", "A03", "B06") == [1, 1, 10]
    assert set(whole(call).ends) == set(CLASSES)


def test_a_window_holds_the_calls_offered_in_its_minutes() -> None:
    live = listening(answered("old", 30), Told("new", NOON + timedelta(minutes=10)).offered())
    now = NOON + timedelta(minutes=12, seconds=30)
    found = {minutes: live.window(now, minutes, "total")[0] for minutes in (5, 15, 60)}
    assert {minutes: kpis.of("A01") for minutes, kpis in found.items()} == {5: 1, 15: 2, 60: 2}
    assert found[5].start == NOON + timedelta(minutes=8)


def test_a_resumed_call_is_one_call_from_the_first_offer_to_the_last_end() -> None:
    """docs/safety/rules.md, 8: "a resumed call is one"."""
    first = Told("first").offered(0).queued(10).leg(10, "kings").ended(30, "dropped_by_us")
    second = Told("second", NOON + timedelta(seconds=100)).offered(0, resumes="first").leg(5, "kings")
    second.answered(20, "kings")
    kpis = whole(first, second)
    assert of(kpis, "A01", "A03", "B06") == [1, 1, 120]
    assert kpis.ends["dropped_by_us"] == 0
    assert of(today(first, second, kind="provider")["kings"], "A01", "A03", "B06") == [1, 1, 110]


def test_a_resumed_call_whose_offer_comes_last_is_still_one() -> None:
    first = Told("first").offered(0).queued(10).ended(30, "dropped_by_us")
    second = Told("second", NOON + timedelta(seconds=100)).offered(0, resumes="first").queued(2).ended(9, "abandoned")
    live = listening(first)
    for entry in reversed(second.entries):
        live.apply(entry)
        live.figures(NOON)
    total = live.figures(NOON + timedelta(seconds=600)).total
    assert (total.offered, total.abandoned, total.dropped_by_us) == (1, 1, 0)


def test_probes_are_in_no_figure() -> None:
    probe = Told("probe").offered(0, flow=PROBE_FLOW).at(1, ev.NodeEntered(node="x")).leg(2, "auditor")
    probe.answered(3, "auditor")
    live = listening(probe, answered("a", 30))
    now = NOON + timedelta(seconds=60)
    figures = live.figures(now)
    assert (figures.total.offered, figures.total.on_line) == (1, 1)
    assert [each.scope for each in figures.providers] == ["kings", "thames"]
    kinds: tuple[ScopeKind, ...] = ("total", "provider", "service", "area")
    told = [kpis for kind in kinds for kpis in (*live.today(now, kind), *live.window(now, 5, kind))]
    assert "auditor" not in {kpis.scope.id for kpis in told}
    assert max(kpis.of("A01") or 0 for kpis in told) == 1
    assert sum(point.offered for point in live.minutes(now, 5)) == 1


def test_times_that_cannot_be_true_are_told_and_stop_nothing() -> None:
    """A clock that is behind gives a negative wait, which counts as none; one that is ahead, calls of the future."""
    behind = Told("behind").offered(100).leg(100, "kings").answered(90, "kings")
    ahead = Told("ahead", NOON + timedelta(hours=1)).offered()
    live = listening(behind, ahead)
    now = NOON + timedelta(seconds=200)
    assert live.oddities(now) == {"unreadable": 0, "from_future": 1, "negative": 1}
    assert of(live.today(now, "total")[0], "A01", "A03", "B06", "B07") == [2, 1, 0, 0]
    assert live.window(now, 5, "total")[0].of("A01") == 1, (
        "a call of the future is in the window when its minute has come"
    )
    assert live.oddities(NOON + timedelta(hours=2)) == {"unreadable": 0, "from_future": 1, "negative": 0}
    assert not any(live.oddities(NOON + timedelta(hours=2, seconds=1)).values()), "an alert of them ends"


def test_an_event_in_a_newer_form_is_told_for_an_hour() -> None:
    live = LiveFigures({})
    (offered,) = Told("newer").offered().entries
    live.apply(replace(offered, facts={}))
    assert live.oddities(NOON + timedelta(hours=1))["unreadable"] == 1
    assert live.oddities(NOON + timedelta(hours=1, minutes=1))["unreadable"] == 0


def test_a_provider_that_is_renamed_keeps_its_figures() -> None:
    live = LiveFigures({"kings": "The new name"})
    for entry in answered("a", 30).entries:
        live.apply(entry)
    (kings,) = live.today(NOON + timedelta(seconds=60), "provider")
    assert (kings.scope.id, kings.name, kings.of("A03")) == ("kings", "The new name", 1)


def test_a_day_without_calls_has_noughts() -> None:
    live = listening(answered("a", 30))
    later = NOON + timedelta(days=3)
    assert of(live.today(later, "total")[0], "A01", "B07") == [0, None]
    assert [kpis.of("A01") for kpis in live.today(later, "provider")] == [0, 0]


def test_an_event_of_a_call_long_forgotten_asks_for_the_day_again() -> None:
    call = Told().offered(0).queued(5).ended(60, "answered")
    live = listening(call)
    later = NOON + ENDED_KEPT + ENDED_BOX + timedelta(minutes=5)
    live.figures(later)
    for entry in call.entries:
        live.apply(entry)
    assert not live.lacks_entries, "what was counted is known for longer"
    live.apply(call.answered(20, "kings").entries[-1])
    assert live.lacks_entries
    live = live.anew()
    for entry in call.entries:
        live.apply(entry)
    assert (live.lacks_entries, live.figures(later).total.offered) == (False, 1)


def test_a_call_that_is_put_away_leaves_nothing_to_be_looked_for_as_garbage() -> None:
    """The service looks through everything only every ten minutes (infra/garbage.py)."""
    gc.collect()
    before = sum(type(each) is Call for each in gc.get_objects())
    gc.disable()
    try:
        live = listening(answered("a", 30).ended(60, "answered"))
        for later in (0, 2, 10):
            live.figures(NOON + timedelta(minutes=later))
        assert sum(type(each) is Call for each in gc.get_objects()) == before
    finally:
        gc.enable()


def test_windows_outside_the_hour_are_refused() -> None:
    for minutes in (0, 61):
        with pytest.raises(ValueError, match="minutes"):
            LiveFigures(PROVIDERS).window(NOON, minutes, "total")
