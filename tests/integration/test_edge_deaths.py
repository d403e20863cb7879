"""An Asterisk that dies or hangs under its callers: Kamailio ends what can only be silence, and nothing else.

One that is killed and stays away is in `test_edge.py`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.asterisk.instance import Asterisk
from infra.kamailio.instance import KamailioSettings
from tests.kamailio import Edge, an_edge
from tests.sip.sipp import SippCaller

pytestmark = [pytest.mark.alone, pytest.mark.slow]

# What counts as dead air, from the death to the BYE at the caller.
DEAD_AIR = 3.0
# One silence of a second until an Asterisk gets no more calls, then so long until its own are ended; and two to see it.
SILENT_FOR = KamailioSettings([]).silent_seconds + 3.0


@pytest.fixture(name="edge")
def _edge(tmp_path: Path) -> Iterator[Edge]:
    with an_edge(tmp_path) as edge:
        yield edge


def test_callers_of_an_asterisk_that_is_back_at_once_hear_the_end_too(edge: Edge) -> None:
    (cut, _), (talking, _) = edge.one_on_each(heard=1)
    edge.wait_watched()
    killed_at = time.time()
    edge.asterisks[0].kill()
    edge.asterisks[0].start()
    assert cut.wait_received("BYE").at.timestamp() - killed_at < DEAD_AIR
    _hang_up_in_peace(talking)


def test_who_hears_ringing_when_it_dies_is_told_to_ring_again(tmp_path: Path) -> None:
    with an_edge(tmp_path, answer_after=60.0) as edge:
        callers = [edge.call(refused_with=503)[0] for _ in range(6)]
        for caller in callers:
            caller.wait_received("SIP/2.0 180")
        edge.wait_watched()
        for asterisk in edge.asterisks:
            asterisk.kill()
        for caller in callers:
            assert caller.wait_ended() == 0


def test_an_asterisk_that_hangs_for_two_seconds_keeps_its_callers(edge: Edge) -> None:
    (waiting, ear), (talking, _) = edge.one_on_each(heard=0)
    edge.wait_watched()
    with _hung(edge.asterisks[0]):
        _pass(2.0)
    _pass(SILENT_FOR)
    assert ear.wait_heard(50)
    _hang_up_in_peace(waiting)
    _hang_up_in_peace(talking)


def test_a_machine_that_is_gone_without_a_word_is_found_while_another_one_answers(edge: Edge) -> None:
    (cut, _), (talking, ear) = edge.one_on_each(heard=1)
    edge.wait_watched()
    hung_at = time.time()
    with _hung(edge.asterisks[0]):
        ended_after = cut.wait_received("BYE", within=3 * SILENT_FOR).at.timestamp() - hung_at
        print(f"BYE at the caller {ended_after:.2f} s after the last word")
        assert ear.wait_heard(50)
        _hang_up_in_peace(talking)


def test_an_edge_that_hears_nobody_ends_no_call(edge: Edge) -> None:
    callers = edge.one_on_each(heard=1)
    edge.wait_watched()
    with _hung(edge.asterisks[0]), _hung(edge.asterisks[1]):
        _pass(SILENT_FOR)
    assert callers[1][1].wait_heard(50)
    for caller, _ in callers:
        _hang_up_in_peace(caller)


@contextlib.contextmanager
def _hung(asterisk: Asterisk) -> Iterator[None]:
    os.kill(asterisk.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(asterisk.pid, signal.SIGCONT)


def _pass(seconds: float) -> None:
    """Time in which nothing is to happen."""
    threading.Event().wait(seconds)


def _hang_up_in_peace(caller: SippCaller) -> None:
    """The caller ends a call that nobody has ended before."""
    assert not caller.received("BYE")
    caller.hang_up()
    assert caller.wait_ended() == 0
