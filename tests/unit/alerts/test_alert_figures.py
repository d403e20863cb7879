"""Live figures: what is counted, under which clock, on which day (docs/safety/rules.md, 8)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from alert_calls import NOON, Told

from alerts.figures.kpi import MINUTES_AT_MOST, LiveFigures
from alerts.model import Figures, ScopeFigures
from callrouter import events as ev
from infra.bus import Entry

PROVIDERS = {"kings": "King's 111", "thames": "Thames 111"}


def told(*calls: Told, now: float = 600) -> Figures:
    return listening(*calls).figures(NOON + timedelta(seconds=now))


def of(figures: Figures, provider: str) -> ScopeFigures:
    found = figures.of(provider)
    assert found is not None
    return found


def listening(*calls: Told) -> LiveFigures:
    live = LiveFigures(PROVIDERS)
    for call in calls:
        for entry in call.entries:
            live.apply(entry)
    return live


def test_providers_without_calls_appear_with_zeros_under_their_names() -> None:
    figures = told()
    assert [(p.scope, p.name, p.offered, p.waiting) for p in figures.providers] == [
        ("kings", "King's 111", 0, 0),
        ("thames", "Thames 111", 0, 0),
    ]
    assert (figures.total.offered, figures.total.longest_wait_s) == (0, 0.0)


def test_a_provider_that_nobody_named_appears_under_its_id() -> None:
    figures = told(Told().offered().leg(5, "mersey"))
    assert of(figures, "mersey").offered == 1
    assert of(figures, "mersey").name == "mersey"


def test_the_fall_back_that_answers_is_no_provider_of_ours() -> None:
    call = Told().offered().at(5, ev.HandedBack(reason="worker_gone")).answered(9, "fall_back", "switch")
    figures = told(call)
    assert [each.scope for each in figures.providers] == ["kings", "thames"]
    assert (figures.total.answer_unknown, figures.total.on_line) == (1, 1)


def test_no_provider_may_be_called_total() -> None:
    with pytest.raises(ValueError, match="whole service"):
        LiveFigures({"total": "Everyone"})


def test_the_longest_wait_is_counted_from_the_offer_to_the_service() -> None:
    calls = Told("a").offered(0).queued(20), Told("b").offered(100).queued(110)
    figures = told(*calls, now=130)
    assert (figures.total.waiting, figures.total.longest_wait_s) == (2, 130.0)


def test_a_caller_at_the_second_provider_has_waited_since_the_offer_to_the_service() -> None:
    call = Told().offered(0).leg(10, "kings").failed(40, "kings").leg(41, "thames")
    figures = told(call, now=100)
    assert (of(figures, "kings").waiting, of(figures, "thames").waiting) == (0, 1)
    assert of(figures, "thames").longest_wait_s == 100.0


def test_between_two_providers_the_caller_still_waits() -> None:
    figures = told(Told().offered(0).leg(10, "kings").failed(40, "kings"), now=100)
    assert (figures.total.waiting, figures.total.longest_wait_s) == (1, 100.0)


def test_the_talk_before_a_transfer_is_no_wait_at_the_next_provider() -> None:
    call = Told().offered(0).leg(5, "kings").answered(10, "kings").talk_ended(900, "kings").leg(905, "thames")
    figures = told(call, now=915)
    assert figures.total.waiting == 0
    assert (of(figures, "thames").waiting, of(figures, "thames").longest_wait_s) == (1, 10.0)


def test_a_caller_put_back_after_a_switch_alone_answered_waits_again() -> None:
    call = Told().offered(0).leg(5, "kings").answered(10, "kings", "switch").failed(60, "kings")
    figures = told(call, now=100)
    assert (figures.total.waiting, figures.total.longest_wait_s) == (1, 100.0)
    assert figures.total.in_progress == 1


def test_a_caller_in_the_menu_does_not_wait_for_a_person_yet() -> None:
    figures = told(Told().offered(0))
    assert (figures.total.waiting, figures.total.in_progress) == (0, 1)


def test_a_caller_handed_back_to_the_network_is_no_longer_waiting_with_us() -> None:
    call = Told().offered(0).leg(5, "kings").at(9, ev.HandedBack(reason="worker_gone"))
    figures = told(call)
    assert (figures.total.waiting, of(figures, "kings").waiting) == (0, 0)


@pytest.mark.parametrize(("seconds", "in_time"), [(59.9, 1), (60.0, 1), (60.1, 0)])
def test_sixty_seconds_include_the_bound(seconds: float, in_time: int) -> None:
    """docs/safety/rules.md, 8: "≤ 30 and ≤ 60 s include the bound"."""
    figures = told(Told().offered(0).leg(0, "kings").answered(seconds, "kings"))
    assert (figures.total.answered, figures.total.answered_within_60) == (1, in_time)
    assert of(figures, "kings").answered_within_60 == in_time


def test_a_provider_is_timed_from_the_offer_to_it_and_the_service_from_its_own() -> None:
    call = Told().offered(0).leg(10, "kings").failed(50, "kings").leg(51, "thames").answered(80, "thames")
    figures = told(call)
    assert (figures.total.answered, figures.total.answered_within_60) == (1, 0)
    assert (of(figures, "thames").answered, of(figures, "thames").answered_within_60) == (1, 1)


def test_a_call_passed_between_providers_is_one_call_and_one_offer_for_each() -> None:
    call = (
        Told().offered(0).leg(5, "kings").failed(9, "kings").leg(10, "thames").failed(20, "thames")
        .leg(21, "kings").answered(30, "kings").ended(90, "answered")
    )  # fmt: skip
    figures = told(call)
    assert (figures.total.offered, figures.total.answered) == (1, 1)
    assert [(p.offered, p.answered) for p in figures.providers] == [(1, 1), (1, 0)]


def test_a_provider_that_is_tried_again_is_timed_from_its_first_offer() -> None:
    call = Told().offered(0).leg(5, "kings").failed(30, "kings").leg(60, "kings").answered(70, "kings")
    kings = of(told(call), "kings")
    assert (kings.offered, kings.answered, kings.answered_within_60) == (1, 1, 0)


def test_an_answered_call_counts_while_they_still_talk() -> None:
    call = Told().offered(0).leg(5, "kings").answered(10, "kings")
    figures = told(call)
    assert (figures.total.answered, figures.total.in_progress, figures.total.on_line) == (1, 0, 1)
    assert of(figures, "kings").on_line == 1


def test_a_switch_alone_is_never_an_answer() -> None:
    """docs/safety/rules.md, 8: "An answer without an agent event is `answer_unknown`, never A03"."""
    call = Told().offered(0).leg(5, "kings").answered(10, "kings", "switch").ended(90, "answered")
    figures = told(call)
    assert (figures.total.answered, figures.total.answer_unknown) == (0, 1)
    assert (of(figures, "kings").answered, of(figures, "kings").answer_unknown) == (0, 1)


def test_a_handler_opening_the_page_makes_it_an_answer_at_that_moment() -> None:
    call = Told().offered(0).leg(5, "kings").answered(10, "kings", "switch").opened(70)
    figures = told(call.ended(90, "answer_unknown"))
    assert (figures.total.answered, figures.total.answered_within_60) == (1, 0)
    assert (of(figures, "kings").answered, of(figures, "kings").answered_within_60) == (1, 0)


@pytest.mark.parametrize("role", ["commissioner", "administrator"])
def test_somebody_who_takes_no_calls_has_not_answered_by_looking(role: str) -> None:
    call = Told().offered(0).leg(5, "kings").answered(10, "kings", "switch").opened(20, role)
    assert told(call).total.answer_unknown == 1


def test_a_page_opened_after_the_call_answers_nothing() -> None:
    call = Told().offered(0).leg(5, "kings").answered(10, "kings", "switch")
    assert told(call.ended(90, "answer_unknown").opened(95)).total.answer_unknown == 1


def test_a_call_abandoned_at_a_provider_is_abandoned_there() -> None:
    call = Told().offered(0).leg(5, "kings").failed(20, "kings").leg(21, "thames").ended(40, "abandoned")
    figures = told(call)
    assert figures.total.abandoned == 1
    assert [p.abandoned for p in figures.providers] == [0, 1]
    assert figures.total.waiting == 0


@pytest.mark.parametrize("end_class", [c for c in ev.END_CLASSES if c != "answered"])
def test_each_end_class_has_its_counter(end_class: str) -> None:
    total = told(Told().offered(0).ended(30, end_class)).total
    assert (total.offered, getattr(total, end_class), total.in_progress) == (1, 1, 0)


def test_an_end_that_we_cannot_name_is_our_own_failure() -> None:
    assert told(Told().offered(0).ended(30, "vanished")).total.dropped_by_us == 1


def test_an_entry_that_comes_twice_counts_once() -> None:
    call = Told().offered(0).leg(5, "kings").answered(10, "kings").ended(60, "answered")
    assert told(call, call) == told(call)


def test_entries_in_reverse_order_give_the_same_figures() -> None:
    call = Told().offered(0).leg(5, "kings").failed(9, "kings").leg(10, "thames").answered(12, "thames")
    backwards = LiveFigures(PROVIDERS)
    for entry in reversed(call.entries):
        backwards.apply(entry)
    assert backwards.figures(NOON + timedelta(seconds=600)) == told(call)


def test_a_caller_waits_even_while_the_offer_itself_is_late() -> None:
    call = Told().offered(0).queued(20)
    live = LiveFigures(PROVIDERS)
    live.apply(call.entries[1])
    figures = live.figures(NOON + timedelta(seconds=50))
    assert (figures.total.waiting, figures.total.longest_wait_s, figures.total.offered) == (1, 30.0, 0)


def test_an_event_in_a_form_that_we_cannot_read_is_left_out() -> None:
    live = listening(Told().offered(0))
    live.apply(Entry("call-1", 2, NOON, "queued", {"unheard_of": 1}))
    live.apply(Entry("call-1", 3, NOON, "kind_of_next_year", {}))
    assert live.figures(NOON).total.in_progress == 1


def test_the_day_begins_at_midnight_in_london_not_in_greenwich() -> None:
    midnight = datetime(2025, 6, 2, 23, 0, tzinfo=UTC)  # 00:00 British Summer Time on 3 June
    before = Told("a", midnight).offered(-1).queued(-0.5)
    after = Told("b", midnight).offered(0), Told("c", midnight).offered(5)
    live = listening(before, *after)
    figures = live.figures(midnight + timedelta(seconds=30))
    assert (figures.total.offered, figures.total.waiting) == (2, 1)
    assert figures.total.longest_wait_s == 31.0
    assert live.figures(midnight - timedelta(seconds=0.1)).total.offered == 1


def test_the_day_of_the_clock_change_has_twenty_five_hours() -> None:
    first = Told("a", datetime(2025, 10, 25, 23, 0, tzinfo=UTC)).offered(0)  # 00:00 British Summer Time
    last = Told("b", datetime(2025, 10, 26, 23, 59, tzinfo=UTC)).offered(0)  # 23:59 Greenwich time
    now = datetime(2025, 10, 26, 23, 59, 59, tzinfo=UTC)
    assert listening(first, last).figures(now).total.offered == 2


def test_a_call_long_over_still_counts_and_its_repeat_still_changes_nothing() -> None:
    call = Told().offered(0).leg(5, "kings").answered(10, "kings").ended(60, "answered")
    live = listening(call)
    later = NOON + timedelta(hours=6)
    before = live.figures(later)
    for entry in call.entries:
        live.apply(entry)
    assert live.figures(later) == before
    assert before.total.answered == 1


def test_a_call_that_lost_its_end_does_not_alarm_for_ever() -> None:
    live = listening(Told().offered(0).queued(5))
    assert live.figures(NOON + timedelta(hours=23)).total.waiting == 1
    assert live.figures(NOON + timedelta(hours=25)).total.waiting == 0


def test_the_chart_shows_offered_answered_and_the_longest_wait_of_each_minute() -> None:
    call = Told().offered(10).queued(20).leg(80, "kings").answered(130, "kings")
    points = listening(call).minutes(NOON + timedelta(seconds=190), 4)
    assert [p.at for p in points] == [NOON + timedelta(minutes=n) for n in range(4)]
    assert [p.offered for p in points] == [1, 0, 0, 0]
    assert [p.answered for p in points] == [0, 0, 1, 0]
    assert [p.waiting_longest_s for p in points] == [50.0, 110.0, 120.0, 0.0]


def test_the_last_point_of_the_chart_is_the_minute_in_progress() -> None:
    points = listening(Told().offered(0).queued(0)).minutes(NOON + timedelta(seconds=75), 2)
    assert [p.waiting_longest_s for p in points] == [60.0, 75.0]


@pytest.mark.parametrize("count", [0, MINUTES_AT_MOST + 1])
def test_a_chart_reaches_back_no_further_than_is_known(count: int) -> None:
    with pytest.raises(ValueError, match="minutes"):
        LiveFigures({}).minutes(NOON, count)
