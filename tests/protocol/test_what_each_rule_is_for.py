"""Take one rule of the protocol away, and the exploration finds who is harmed: else it would prove nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from infra.bus import MemoryStream
from tests.protocol.explore import explore
from tests.protocol.moves import Rules
from tests.protocol.state import started
from tests.protocol.stores import RealStore, StoreWithoutEpochs


@pytest.mark.parametrize(
    ("without", "harm"),
    [
        ({"fence": False}, "a leg is dialled that the call does not wait for"),
        ({"dialplan_dials": False}, "two legs are dialled for one caller"),
        ({"lease_fence": False}, "a caller is dropped by us"),
        ({"to_claim": False}, "a caller is dropped by us"),
        ({"store": RealStore(lambda: StoreWithoutEpochs(MemoryStream()))}, "a stale worker's commit landed"),
    ],
    ids=["fence", "dialplan dials", "fenced renewal", "T to claim", "epochs in the store"],
)
def test_without_it_one_fault_is_enough_to_harm_the_caller(without: Mapping[str, Any], harm: str) -> None:
    rules = Rules(**{"store": RealStore(), **without})
    found = explore(started(2, faults=1), rules)

    assert found.broken is not None
    assert found.broken.startswith(harm), found.way


def test_a_worker_that_dials_itself_rings_for_a_caller_who_has_gone() -> None:
    rules = Rules(RealStore(), dialplan_dials=False)
    found = explore(started(1, faults=0, patient=False), rules)

    assert found.broken == "a ghost leg: the caller's channel has ended", found.way
