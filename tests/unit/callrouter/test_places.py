"""Turns of those who wait: the same as if everybody were sorted each time, at a cost that does not grow with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from callrouter.dispatch.places import Place, Places
from ivr.model import Band

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SERVICES = ("111", "clinician", "dental")

callers = st.sampled_from([f"call-{n}" for n in range(8)])
some_services = st.lists(st.sampled_from(SERVICES), min_size=1, max_size=3, unique=True).map(tuple)
places = st.builds(
    Place, callers, some_services, st.sampled_from(Band), st.integers(0, 5).map(lambda n: NOON + timedelta(seconds=n))
)


@given(st.lists(places | callers), some_services)
def test_the_first_is_whom_sorting_everybody_would_put_first(steps: list[Place | str], wanted: tuple[str, ...]) -> None:
    kept, plain = Places(), dict[str, Place]()
    for step in steps:
        if isinstance(step, Place):
            kept.add(step)
            plain.pop(step.call_ref, None)
            plain[step.call_ref] = step
        else:
            kept.remove(step)
            plain.pop(step, None)
    waiting = [each for each in plain.values() if set(each.services) & set(wanted)]
    assert kept.first(wanted) == min(waiting, key=lambda each: each.order, default=None)
    assert kept.callers() == list(plain)
    assert bool(kept) == bool(plain)


class _CountedBand:
    """Counts how often it is compared: the work of a question, without a clock."""

    asked = 0

    def __init__(self, rank: int) -> None:
        self._rank = rank

    @property
    def rank(self) -> int:
        _CountedBand.asked += 1
        return self._rank


def test_a_question_looks_at_no_more_places_when_more_callers_wait() -> None:
    looked = []
    for waiting in (10, 5000):
        kept = Places()
        for n in range(waiting):
            at = NOON + timedelta(seconds=n)
            kept.add(Place(f"call-{n}", ("111",), _CountedBand(1), at))  # type: ignore[arg-type]
        _CountedBand.asked = 0
        assert kept.first(("111",)) is not None
        kept.remove("call-5")
        looked.append(_CountedBand.asked)
    assert looked[1] <= looked[0]
