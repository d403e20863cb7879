"""Set, look-up and branch: what is known of a call, and where it leads."""

from __future__ import annotations

import pytest
from flows.player import Player, World, inline

from ivr.model import Answered, Band, Failed

QUEUES = {name: {"action": "queue", "services": [name], "hold_s": 60} for name in ("clinician", "dental", "pharmacy")}


def by_plan(plan: Answered) -> Player:
    flow = inline(
        "look",
        {"plan": {"values": ["none", "candidates", "asserted", "confirmed", "unavailable"]}},
        look={"action": "lookup", "what": "plan", "into": "plan", "exits": {"next": "fork"}},
        fork={
            "action": "branch",
            "fact": "plan",
            "exits": {"none": "pharmacy", "candidates": "clinician", "else": "dental"},
        },
        **QUEUES,
    )
    return Player(flow, World(plan=plan))


@pytest.mark.parametrize(
    ("outcome", "service"),
    [("none", "pharmacy"), ("candidates", "clinician"), ("unavailable", "dental"), ("confirmed", "dental")],
)
def test_branch_leaves_by_the_value_or_by_else(outcome: str, service: str) -> None:
    player = by_plan(Answered(outcome))

    assert player.dialled == (service,)
    assert player.session.facts["plan"] == outcome
    assert player.session.band is (Band.RAISED if outcome == "unavailable" else Band.NORMAL)


def test_answer_that_raises_lifts_the_band_whatever_the_author_wrote() -> None:
    assert by_plan(Answered("none", raises=True)).session.band is Band.RAISED


def test_answer_that_nobody_declared_fails_the_session_and_leads_to_111() -> None:
    player = by_plan(Answered("perhaps"))

    assert Failed("look", "unknown_outcome") in player.happenings
    assert player.dialled == ("111",)


@pytest.mark.parametrize(
    ("first", "then", "band"),
    [
        ("urgent", "normal", Band.URGENT),
        ("emergency", "raised", Band.EMERGENCY),
        ("raised", "urgent", Band.URGENT),
        ("normal", "normal", Band.NORMAL),
    ],
)
def test_band_is_only_ever_raised(first: str, then: str, band: Band) -> None:
    flow = inline(
        "first",
        first={"action": "set", "band": first, "exits": {"next": "then"}},
        then={"action": "set", "band": then, "exits": {"next": "clinician"}},
        **QUEUES,
    )
    assert Player(flow).session.band is band


@pytest.mark.parametrize(("value", "service"), [(True, "clinician"), (False, "dental"), (None, "pharmacy")])
def test_yes_or_no_fact_leads_by_true_false_or_else(value: bool | None, service: str) -> None:
    flow = inline(
        "put",
        {"minor": {"type": "bool"}},
        put={"action": "set", "facts": {"minor": value}, "exits": {"next": "fork"}},
        fork={
            "action": "branch",
            "fact": "minor",
            "exits": {"true": "clinician", "false": "dental", "else": "pharmacy"},
        },
        **QUEUES,
    )
    assert Player(flow).dialled == (service,)


def test_fact_has_its_first_value_before_anybody_sets_it() -> None:
    flow = inline(
        "fork",
        {"minor": {"type": "bool", "initial": True}},
        fork={"action": "branch", "fact": "minor", "exits": {"true": "clinician", "else": "pharmacy"}},
        **QUEUES,
    )
    assert Player(flow).dialled == ("clinician",)
