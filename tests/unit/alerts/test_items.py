"""Centiles by nearest rank from counts by whole second, and scopes as text."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.figures.items import CLASSES, ITEMS, TOTAL, Scope, Seconds
from callrouter.events import END_CLASSES

SECONDS = st.lists(st.integers(0, 7200), max_size=60)


@given(SECONDS, st.integers(1, 100))
def test_a_centile_is_the_nearest_rank_of_the_sorted_list(seconds: list[int], percent: int) -> None:
    rank = math.ceil(percent * len(seconds) / 100)
    assert Seconds.of(seconds).centile(percent / 100) == (sorted(seconds)[rank - 1] if seconds else None)


@given(SECONDS, SECONDS)
def test_merging_two_counts_is_counting_all_calls_together(one: list[int], other: list[int]) -> None:
    both = Seconds.of(one) + Seconds.of(other)
    assert both.total == len(one) + len(other)
    assert both.centile(0.95) == Seconds.of(one + other).centile(0.95)
    assert both.within(60) == sum(each <= 60 for each in one + other)


def test_adding_a_call_leaves_the_old_counts_as_they_were() -> None:
    before = Seconds.of([5])
    assert (before.add(5).total, before.add(7, 2).total, before.total) == (2, 3, 1)


@pytest.mark.parametrize("share", [0, -0.5, 1.01])
def test_a_centile_outside_the_calls_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        Seconds.of([1]).centile(share)


def test_a_scope_is_read_as_it_is_written() -> None:
    for scope in (TOTAL, Scope("provider", "kings"), Scope("service", "111"), Scope("area", "southwark")):
        assert Scope.read(str(scope)) == scope
    assert [str(TOTAL), str(Scope("area", "southwark"))] == ["total", "area:southwark"]


@pytest.mark.parametrize("text", ["", "provider", "provider:", "total:x", "city:london"])
def test_a_text_that_names_no_scope_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a scope is"):
        Scope.read(text)


def test_every_end_class_of_the_journal_is_a_class_of_the_figures() -> None:
    assert set(CLASSES) == {*END_CLASSES, "in_progress"}
    assert {code: item.code for code, item in ITEMS.items()} == {code: code for code in ITEMS}
