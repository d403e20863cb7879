"""The register of parts: since when, said once; and the one who asks those that cannot speak for themselves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from infra.health import Health, Part, watch
from tests.hand_clock import HandClock

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)


def test_a_part_keeps_the_moment_of_its_change_and_is_logged_once_each_way() -> None:
    clock = HandClock(NOON)
    health = Health(clock)
    with structlog.testing.capture_logs() as logs:
        health.ok("sql")
        clock.passed = 10
        health.failed("sql", "timed_out")
        clock.passed = 15
        health.failed("sql", "OSError")
        assert health.parts() == (Part("sql", "failed", NOON + timedelta(seconds=10), "timed_out"),)
        assert health.failing_s() == {"sql": 5.0}
        clock.passed = 20
        health.ok("sql")
    assert health.parts() == (Part("sql", "ok", NOON + timedelta(seconds=20)),)
    assert health.failing_s() == {"sql": 0.0}
    assert [(each["event"], each["part"]) for each in logs] == [("part_failed", "sql"), ("part_back", "sql")]
    assert logs[1]["failed_s"] == 10.0


def test_a_part_that_is_expected_and_never_comes_counts_as_failing_and_its_coming_is_no_news() -> None:
    clock = HandClock(NOON)
    health = Health(clock)
    with structlog.testing.capture_logs() as logs:
        health.expect("asterisk")
        clock.passed = 7
        assert (health.works("asterisk"), health.failing_s()) == (False, {"asterisk": 7.0})
        health.ok("asterisk")
        assert (health.works("asterisk"), health.failing_s()) == (True, {"asterisk": 0.0})
    assert logs == []


def test_a_part_that_was_slow_to_start_and_then_fails_has_not_worked_since_it_was_expected() -> None:
    clock = HandClock(NOON)
    health = Health(clock)
    health.expect("asterisk")
    clock.passed = 31
    health.failed("asterisk", "timed_out")
    assert health.failing_s() == {"asterisk": 31.0}
    assert health.parts() == (Part("asterisk", "failed", NOON + timedelta(seconds=31), "timed_out"),)


def test_a_part_that_nobody_named_does_not_work() -> None:
    assert not Health(HandClock(NOON)).works("redis")


class Broken:
    """A part that answers as told; ``again`` is set when it is asked a second time."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.asked = 0
        self.again = asyncio.Event()

    async def __call__(self) -> None:
        self.asked += 1
        if self.asked > 1:
            self.again.set()
        if self.error is not None:
            raise self.error
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (Broken(None), "timed_out"),
        (Broken(ConnectionRefusedError("postgresql://user:secret@host")), "ConnectionRefusedError"),
    ],
)
async def test_a_part_that_hangs_or_fails_is_told_by_a_word(broken: Broken, why: str) -> None:
    health = Health(HandClock(NOON))
    watching = asyncio.create_task(watch(health, "sql", broken, every_s=0, answer_s=0.01))
    await asyncio.wait_for(broken.again.wait(), 10)
    watching.cancel()
    assert [(each.state, each.why) for each in health.parts()] == [("failed", why)]


async def test_watching_goes_on_until_the_part_is_back() -> None:
    health, answers = Health(HandClock(NOON)), [OSError(), OSError()]
    back = asyncio.Event()

    async def ask() -> None:
        if answers:
            raise answers.pop()
        back.set()

    watching = asyncio.create_task(watch(health, "sql", ask, every_s=0))
    await asyncio.wait_for(back.wait(), 10)
    await asyncio.sleep(0)
    watching.cancel()
    assert health.works("sql")
