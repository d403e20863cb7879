"""The policy: which of the free providers is rung next."""

from __future__ import annotations

import pytest
from call_world import provider

from callrouter.dispatch.providers import MANY_LINES, next_provider

SMALL, LARGE, OPEN = provider("small", "111", lines=2), provider("large", "111", lines=10), provider("open", "111")


@pytest.mark.parametrize(
    ("free", "taken", "chosen"),
    [
        ((SMALL, LARGE, OPEN), {}, SMALL),  # all idle: the order of the file
        ((LARGE, SMALL), {}, LARGE),
        ((SMALL, LARGE), {"small": 1, "large": 4}, LARGE),  # a half against four tenths
        ((SMALL, LARGE), {"small": 1, "large": 5}, SMALL),  # a half each: the order of the file
        ((LARGE, OPEN), {"large": 1, "open": MANY_LINES // 20}, OPEN),
        ((LARGE, OPEN), {"large": 1, "open": MANY_LINES // 5}, LARGE),
        ((), {"small": 1}, None),
    ],
)
def test_least_share_of_lines_is_next_and_else_the_first(free, taken, chosen) -> None:  # type: ignore[no-untyped-def]
    assert next_provider(free, taken) is chosen
