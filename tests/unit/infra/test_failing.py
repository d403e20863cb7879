"""A log that can still be read while something is away: what fails each second is one line a minute."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
import structlog

from infra.failing import Failing
from tests.hand_clock import HandClock

AWAY, FULL = ConnectionError("away"), MemoryError("full")


@pytest.fixture
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    with structlog.testing.capture_logs() as logs:
        yield logs


def told(logs: list[MutableMapping[str, Any]]) -> list[tuple[str, ...]]:
    return [(each["event"], *(str(each[name]) for name in ("error", "times") if name in each)) for each in logs]


def test_an_hour_away_is_a_line_a_minute_with_how_often(logs: list[MutableMapping[str, Any]]) -> None:
    clock = HandClock()
    failing = Failing("fails", "goes", monotonic=clock.monotonic, loop="journal")
    for _ in range(3600):
        failing.failed(AWAY, 1.0)
        clock.move(1)
    for _ in range(3):
        failing.goes()
    assert told(logs) == [("fails", "ConnectionError", "1"), *[("fails", "ConnectionError", "60")] * 59, ("goes",)]
    assert {each["loop"] for each in logs} == {"journal"}


def test_another_kind_of_failure_is_told_at_once(logs: list[MutableMapping[str, Any]]) -> None:
    failing = Failing("fails", "goes", monotonic=HandClock().monotonic)
    for error in (AWAY, AWAY, FULL, AWAY, FULL):
        failing.failed(error, 1.0)
    assert told(logs) == [("fails", "ConnectionError", "1"), ("fails", "MemoryError", "2")]


def test_what_fails_every_other_time_tells_no_more(logs: list[MutableMapping[str, Any]]) -> None:
    clock = HandClock()
    failing = Failing("fails", "goes", monotonic=clock.monotonic)
    for _ in range(120):
        failing.failed(AWAY, 1.0)
        failing.goes()
        clock.move(1)
    once = ("fails", "ConnectionError")
    assert told(logs) == [(*once, "1"), ("goes",), (*once, "60"), ("goes",)]


def test_what_never_failed_says_nothing(logs: list[MutableMapping[str, Any]]) -> None:
    Failing("fails", "goes").goes()
    assert told(logs) == []
