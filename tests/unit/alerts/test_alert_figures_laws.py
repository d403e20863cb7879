"""Laws of the figures, for any calls in any order of arrival."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from alert_calls import NOON, Told
from hypothesis import given
from hypothesis import strategies as st

from alerts.figures.calls import NEEDS, kept_of
from alerts.figures.items import CLOCKS, Kpis, Scope, ScopeKind, Seconds
from alerts.figures.kpi import LiveFigures
from alerts.figures.packing import pack, seen_of, told_of
from alerts.figures.tally import Tally
from alerts.model import LONDON, ScopeFigures
from callrouter import events as ev
from infra.bus import Entry

PROVIDERS = {"kings": "King's 111", "thames": "Thames 111"}
NOW = NOON + timedelta(minutes=60, seconds=30)
AFTER_ALL = NOW + timedelta(minutes=15)
"""Whatever is told of a call of these has been told by then."""

AFTER_MIDNIGHT = timedelta(hours=-12, minutes=-20)
"""So long before now it is 00:40 in London, and the oldest call is yesterday's."""

AT_BOUNDS = (-270, -271, -870, -871, -3570, -3571)
"""Seconds from now to the first call of each window, and to the last that is not in it."""

EARLIEST, LATEST = (datetime(year, 1, 1) for year in (2020, 2060))  # noqa: DTZ001 - as Hypothesis takes them

PARTITIONS: tuple[ScopeKind, ...] = ("service", "area")
WHOLES: tuple[ScopeKind, ...] = ("total", *PARTITIONS)
KINDS: tuple[ScopeKind, ...] = (*WHOLES, "provider")


@st.composite
def calls(draw: st.DrawFn, ref: str) -> list[Entry]:
    """A call of the last 70 minutes as its journal could tell it, up to any point of its life."""
    offered = draw(st.one_of(st.integers(-4200, 0), st.sampled_from(AT_BOUNDS)))
    call = Told(ref, NOW + timedelta(seconds=offered)).offered(0)
    at = 0.0

    def later() -> float:
        nonlocal at
        at += draw(st.sampled_from([0.0, 0.5, 20.0, 60.0, 61.0]))
        return at

    if draw(st.booleans()):
        call.at(later(), ev.MessageHeard(node="flu", marker="pharmacy"))
    if draw(st.booleans()):
        call.queued(later())
    evidence = None
    for provider in draw(st.lists(st.sampled_from(["kings", "thames"]), max_size=3)):
        call.leg(later(), provider)
        outcome = draw(st.sampled_from(["failed", "agent", "switch", "open"]))
        if outcome == "failed":
            call.failed(later(), provider)
            continue
        if outcome != "open":
            evidence = outcome
            call.answered(later(), provider, outcome)
            if draw(st.booleans()):
                call.opened(later(), draw(st.sampled_from(["handler", "commissioner"])))
            if draw(st.booleans()):
                call.talk_ended(later(), provider)
        break
    if draw(st.booleans()):
        ends = ["answered", "answer_unknown"] if evidence else [*ev.END_CLASSES[2:]]
        call.ended(later(), draw(st.sampled_from([*ends, "dropped_by_us"])))
    return call.entries


@st.composite
def days(draw: st.DrawFn) -> tuple[list[Entry], list[Entry]]:
    """Some calls in order, and the same entries as a stream may bring them: reordered, some of them twice."""
    count = draw(st.integers(1, 5))
    entries = [entry for n in range(count) for entry in draw(calls(f"call-{n}"))]
    again = draw(st.lists(st.sampled_from(entries), max_size=5))
    return entries, draw(st.permutations(entries + again))


def end_classes(total: ScopeFigures) -> int:
    return total.in_progress + sum(int(getattr(total, each)) for each in ev.END_CLASSES)


@given(days())
def test_calls_received_are_the_sum_of_their_end_classes_at_every_moment(
    day: tuple[list[Entry], list[Entry]],
) -> None:
    """docs/safety/rules.md, 8: "A01 = their sum, always"."""
    live = LiveFigures(PROVIDERS)
    seen = set()
    for entry in day[1]:
        live.apply(entry)
        seen |= {entry.call_ref} if entry.kind == "offered" else set()
        total = live.figures(NOW).total
        assert total.offered == end_classes(total) == len(seen)


@given(days())
def test_answers_waits_and_bands_agree_in_every_window_scope_and_clock(
    day: tuple[list[Entry], list[Entry]],
) -> None:
    live = LiveFigures(PROVIDERS)
    for entry in day[1]:
        live.apply(entry)
    for clock in CLOCKS:
        for kind in KINDS:
            windows = [live.window(NOW, minutes, kind, clock) for minutes in (5, 15, 60)]
            for kpis in (each for window in (*windows, live.today(NOW, kind, clock)) for each in window):
                assert kpis.of("A03") == kpis.seconds.total == kpis.ends["answered"]
                assert kpis.of("B02") == sum(kpis.of(band) or 0 for band in ("B03", "B04", "B05"))
                assert kpis.waits.total >= kpis.seconds.total >= (kpis.of("B01") or 0)


def offered_since(entries: list[Entry], start: datetime) -> int:
    """How many calls were offered since then: counted here, from what was drawn."""
    return len({each.call_ref for each in entries if each.kind == "offered" and each.at >= start})


def received(found: tuple[Kpis, ...]) -> float:
    return sum(each.of("A01") or 0 for each in found)


@given(days(), st.sampled_from([timedelta(0), AFTER_MIDNIGHT]))
def test_a_window_holds_the_calls_that_were_offered_in_it(
    day: tuple[list[Entry], list[Entry]], shift: timedelta
) -> None:
    """The minute in progress and those before it; of today, those since midnight in London."""
    live, now = LiveFigures(PROVIDERS), NOW + shift
    come = [replace(entry, at=entry.at + shift) for entry in day[1] if entry.at <= NOW]
    for entry in come:
        live.apply(entry)
    midnight = now.astimezone(LONDON).replace(hour=0, minute=0, second=0)
    for kind in WHOLES:
        for minutes in (5, 15, 60):
            start = now.replace(second=0) - timedelta(minutes=minutes - 1)
            assert received(live.window(now, minutes, kind)) == offered_since(come, start)
        assert received(live.today(now, kind)) == offered_since(come, midnight)


@given(days())
def test_services_and_areas_each_add_up_to_the_whole(day: tuple[list[Entry], list[Entry]]) -> None:
    live = LiveFigures(PROVIDERS)
    for entry in day[0]:
        live.apply(entry)
    (whole,) = live.today(NOW, "total")
    for kind in PARTITIONS:
        parts = live.today(NOW, kind)
        assert sum(each.of("A01") or 0 for each in parts) == whole.of("A01")
        assert sum((each.waits for each in parts), Seconds()) == whole.waits


@given(days())
def test_the_order_of_arrival_and_repeats_change_nothing(day: tuple[list[Entry], list[Entry]]) -> None:
    in_order, as_they_come = LiveFigures(PROVIDERS), LiveFigures(PROVIDERS)
    for entry in day[0]:
        in_order.apply(entry)
    for entry in day[1]:
        as_they_come.apply(entry)
    assert as_they_come.figures(NOW) == in_order.figures(NOW)
    assert as_they_come.minutes(NOW, 60) == in_order.minutes(NOW, 60)


@given(days())
def test_parts_are_never_more_than_their_whole(day: tuple[list[Entry], list[Entry]]) -> None:
    live = LiveFigures(PROVIDERS)
    for entry in day[0]:
        live.apply(entry)
    figures = live.figures(AFTER_ALL)
    for scope in (figures.total, *figures.providers):
        assert 0 <= scope.answered_within_60 <= scope.answered <= scope.offered
        assert (scope.waiting > 0) == (scope.longest_wait_s > 0)
    for provider in figures.providers:
        assert end_classes(provider) <= provider.offered <= figures.total.offered


@given(days())
def test_forgetting_old_calls_keeps_the_counters(day: tuple[list[Entry], list[Entry]]) -> None:
    live, forgetful = LiveFigures(PROVIDERS), LiveFigures(PROVIDERS)
    for entry in day[0]:
        live.apply(entry)
        forgetful.apply(entry)
    later = NOW + timedelta(hours=8)
    forgetful.figures(later)
    for entry in day[1]:
        forgetful.apply(entry)
    assert forgetful.figures(later) == live.figures(later)


@given(days())
def test_a_call_that_is_put_away_and_comes_out_again_is_told_as_one_that_stood(
    day: tuple[list[Entry], list[Entry]],
) -> None:
    """Late events, repeats and parts of a call come while it is packed; so do questions about the past."""
    stood, packed = LiveFigures(PROVIDERS), LiveFigures(PROVIDERS)
    for entry in day[1]:
        stood.apply(entry)
        packed.apply(entry)
        packed.put_away(AFTER_ALL)
    for now in (NOW, AFTER_ALL):
        assert packed.figures(now) == stood.figures(now)
        assert packed.minutes(now, 60) == stood.minutes(now, 60)
        for kind in KINDS:
            assert counting(packed.window(now, 60, kind)) == counting(stood.window(now, 60, kind))
            assert counting(packed.today(now, kind)) == counting(stood.today(now, kind))
        assert packed.waited(now, NOW - timedelta(minutes=20)) == stood.waited(now, NOW - timedelta(minutes=20))
        over = NOW.date(), NOW - timedelta(minutes=30)
        assert datas(packed.tallies(now, *over)) == datas(stood.tallies(now, *over))


def counting(found: tuple[Kpis, ...]) -> list[Kpis]:
    """Those that count anybody: where a call was once, a nought stays."""
    return [each for each in found if each.of("A01")]


def datas(tallies: Mapping[Scope, Tally]) -> dict[Scope, dict[str, Any]]:
    return {scope: tally.as_data() for scope, tally in tallies.items() if not tally.is_empty}


@given(days(), st.datetimes(timezones=st.just(UTC), min_value=EARLIEST, max_value=LATEST))
def test_what_was_told_is_the_same_after_packing(day: tuple[list[Entry], list[Entry]], start: datetime) -> None:
    told = [
        (each.seq, start + (each.at - NOON), each.kind, kept)
        for each in day[0]
        if each.kind in NEEDS and (kept := kept_of(each.seq, each.kind, each.facts)) is not None
    ]
    packed = pack(1 << 70 | 6, told)
    assert (seen_of(packed), told_of(packed)) == (1 << 70 | 6, told)
