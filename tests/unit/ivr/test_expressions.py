"""Conditions: what they mean, that every one has an answer, and what is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.expressions import LONGEST, ExpressionError, parse
from ivr.facts import Fact
from ivr.model import FactValue

DECLARED = {
    "plan": Fact(values=("none", "candidates", "asserted", "confirmed")),
    "closed": Fact(type="bool"),
    "tries": Fact(type="int", min=-1, max=3),
    "born": Fact(type="date"),
}


@pytest.mark.parametrize(
    ("text", "facts", "holds"),
    [
        ("plan in {asserted, confirmed} and not closed", {"plan": "asserted", "closed": False}, True),
        ("plan in {asserted, confirmed} and not closed", {"plan": "asserted", "closed": True}, False),
        ("plan in {asserted, confirmed} and not closed", {"plan": "none"}, False),
        ("plan == none", {"plan": "none"}, True),
        ("plan == 'none' or closed", {"plan": "candidates"}, False),
        ("plan != none", {}, True),
        ("plan not in (none, candidates)", {"plan": None}, True),
        ("tries < 2", {"tries": 1}, True),
        ("tries >= 2", {"tries": 1}, False),
        ("tries == -1", {"tries": -1}, True),
        ("tries < 2", {}, False),
        ("closed == true", {"closed": True}, True),
        ("closed == false", {}, False),
        ("closed", {}, False),
        ("known(born)", {"born": "1950-04-01"}, True),
        ("not known(born)", {}, True),
        ("known(closed) and not closed", {"closed": False}, True),
    ],
)
def test_condition_means_what_it_says(text: str, facts: dict[str, FactValue], holds: bool) -> None:
    expression = parse(text)

    assert expression.faults(DECLARED) == []
    assert expression.holds(facts) is holds


@pytest.mark.parametrize(
    "text",
    [
        "", "plan ==", "plan = none", "plan == none == none", "1 < tries", "tries + 1 < 3", "plan.upper()",
        "known(plan, born)", "known('plan')", "__import__('os')", "plan in 'none'", "lambda: 1",
        "plan if closed else 1", "tries < 1.5", "closed is True", "plan in {x for x in y}", "f'{plan}'", "(" * 300,
        "plan == " + "x" * LONGEST,
    ],
)  # fmt: skip
def test_anything_else_is_no_condition(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("plans == none", "plans is not declared under facts"),
        ("known(age)", "age is not declared under facts"),
        ("plan == asserteed", "plan is never asserteed"),
        ("plan < 3", "plan is not a whole number: it has no order"),
        ("tries == 4", "tries is never 4"),
        ("tries == one", "tries is never one"),
        ("closed == 1", "closed is never 1"),
        ("plan", "plan is not a yes or no: compare it with a value"),
        ("born == '1950-04-01'", "born is a date: only known(born) can be asked"),
    ],
)
def test_what_never_comes_is_named(text: str, fault: str) -> None:
    assert parse(text).faults(DECLARED) == [fault]


_atoms = st.sampled_from(
    [
        "plan == none",
        "plan in {asserted, confirmed}",
        "plan != candidates",
        "closed",
        "tries < 2",
        "known(born)",
        "not closed",
    ]
)
_texts = st.recursive(
    _atoms, lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner)
)
_facts = st.fixed_dictionaries(
    {name: st.sampled_from([*fact.domain(), *(["x"] if fact.is_opaque else [])]) for name, fact in DECLARED.items()}
)


@given(_texts.filter(lambda text: len(text) < LONGEST - len("not ()")), _facts)
def test_every_condition_has_an_answer_and_its_negation_the_other(text: str, facts: dict[str, FactValue]) -> None:
    assert parse(text).holds(facts) is not parse(f"not ({text})").holds(facts)


@given(st.text(max_size=60))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    with suppress(ExpressionError):
        parse(text).holds({})
