"""A notice of an area or a service names no count under 5, whichever channel carries it: who is told has no role."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from alert_rule import RULE

from adapters.notify.webhook import payload
from alerts.model import AlertState, Metric, Notice
from alerts.notices.short import short, spoken
from alerts.notices.telling import Telling, notices
from alerts.notices.wording import body, subject
from tests.hand_clock import NOON

RINGING = replace(RULE, name="ringing", title="Nobody rings", metric="offered", threshold=9, clear=20, worse="below")


def told(scope: str, value: float, metric: Metric = "offered", *, than_usual: bool = False) -> Notice:
    rule = replace(RINGING, metric=metric, than_usual=than_usual)
    state = AlertState(rule=f"ringing:{scope}", phase="firing", since=NOON, worst=value, what="Few", where="X",
                       scope=scope)  # fmt: skip
    (notice,) = notices([Telling(rule, state, "fired", 0, value, RULE.who)] * 2, NOON)
    (also,) = notices([Telling(rule, replace(state, rule="a"), "fired", 0, 99, RULE.who),
                       Telling(rule, state, "fired", 0, value, RULE.who)], NOON)  # fmt: skip
    return replace(notice, also=also.also)


def texts(notice: Notice) -> str:
    return "\n".join([subject(notice), body(notice), *short(notice).values(), spoken(notice)])


@pytest.mark.parametrize("scope", ["area:camden", "service:dental"])
@pytest.mark.parametrize("metric", ["offered", "answer_unknown"])
def test_no_channel_carries_a_small_count_of_a_place_or_a_need(scope: str, metric: Metric) -> None:
    few = told(scope, 3, metric)
    many = told(scope, 7, metric)
    assert texts(few).count("fewer than 5") == 6  # line, list, how bad, worst, text, call
    assert texts(few) == texts(told(scope, 4, metric)), "nor does anything else tell which"
    assert "7" in texts(many)
    data = json.loads(payload(few))
    assert (data["value"], data["worst"], data["threshold"]) == (None, None, 9)
    assert json.loads(payload(many))["value"] == 7


@pytest.mark.parametrize("scope", ["total", "provider:kings"])
def test_a_provider_s_own_figure_is_told(scope: str) -> None:
    assert "3" in subject(told(scope, 3))
    assert json.loads(payload(told(scope, 3)))["value"] == 3


def test_per_cent_worse_than_usual_are_no_count() -> None:
    assert "3 % worse than usual" in body(told("area:camden", 3, than_usual=True))
