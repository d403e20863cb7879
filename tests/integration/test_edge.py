"""Kamailio's promises, with two real Asterisks behind it: whoever dies, the next caller is served."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.conftest_asterisk import Worker, until
from tests.kamailio import Edge, an_edge, callers_of
from tests.sip.sipp import SippCaller, SippFailed

pytestmark = pytest.mark.alone

# Of the first caller after a death: one silence of an Asterisk (1 s), the broadcast (0.5 s), and room for the machine.
SERVED_WITHIN = timedelta(seconds=2.5)
# What counts as dead air; a busy machine alone makes gaps of a second.
DEAD_AIR = 3.0


@pytest.fixture(scope="module", name="shared")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with an_edge(tmp_path_factory.mktemp("edge")) as edge:
        yield edge


@pytest.fixture(name="edge")
def _edge(shared: Edge) -> Iterator[Edge]:
    """For tests that leave it as it was."""
    with callers_of(shared) as edge:
        yield edge


@pytest.fixture(name="mortal")
def _mortal(tmp_path: Path) -> Iterator[Edge]:
    """For tests that kill."""
    with an_edge(tmp_path) as edge:
        yield edge


@pytest.mark.slow
def test_calls_are_spread_over_all_asterisks(edge: Edge) -> None:
    callers = [edge.call()[0] for _ in range(12)]
    taken = [edge.asterisks.index(edge.taken_by(caller)) for caller in callers]
    assert set(taken) == {0, 1}


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.slow)])
def test_the_next_caller_is_served_by_the_asterisk_that_lives(mortal: Edge, how: signal.Signals) -> None:
    (cut, _), (talking, ear) = mortal.one_on_each(heard=1)
    failed, living = mortal.asterisks
    assert ear.wait_heard(10)
    mortal.wait_watched()
    failed_at, since = time.time(), time.monotonic()
    os.kill(failed.pid, how)
    try:
        for _ in range(8):
            caller, _ = mortal.call()
            assert mortal.taken_by(caller) is living
            assert caller.answered_after() < SERVED_WITHIN
        # And the talk that was there heard nothing of it.
        assert ear.wait_heard(10)
        assert ear.longest_gap(since=since) < DEAD_AIR
        _hang_up_in_peace(talking)
    finally:
        if how == signal.SIGSTOP:
            os.kill(failed.pid, signal.SIGCONT)
    if how == signal.SIGKILL:
        # Nobody can speak to its callers any more: they hear the end, and can ring again.
        ended_after = cut.wait_received("BYE").at.timestamp() - failed_at
        print(f"BYE at the caller {ended_after:.2f} s after the death")
        assert ended_after < DEAD_AIR


@pytest.mark.slow
async def test_a_worker_learns_which_of_two_lines_of_one_caller_is_the_later(mortal: Edge) -> None:
    dead, living = mortal.asterisks
    async with Worker(living, claims=True) as worker:
        dead.kill()
        tries: list[str] = []
        while "2" not in tries:
            # What a carrier says of itself is not believed.
            mortal.call(headers={"X-Edge-Try": "9"})
            tries = await _tries(worker, len(tries) + 1)
    assert set(tries[:-1]) <= {"1"}


@pytest.mark.slow
def test_an_asterisk_that_wakes_rings_nobody_for_callers_whom_another_one_has(mortal: Edge) -> None:
    hung, living = mortal.asterisks
    os.kill(hung.pid, signal.SIGSTOP)
    try:
        # At once, before Kamailio has noticed: a Call-ID falls to either; all to the living one, once in 4,096 runs.
        hung_at = time.monotonic()
        for caller in [mortal.call()[0] for _ in range(12)]:
            assert mortal.taken_by(caller) is living
        # For longer than the five seconds that Kamailio usually remembers a call that was answered.
        while time.monotonic() - hung_at < 8:
            assert mortal.taken_by(mortal.call()[0]) is living
    finally:
        os.kill(hung.pid, signal.SIGCONT)
    rung = len(mortal.providers["default"].received("INVITE"))
    # It has had at least one of them, and none is left.
    deadline = time.monotonic() + 10
    while (
        not re.search(r"[1-9]\d* calls? processed", shown := hung.cli("core show channels"))
        or "0 active calls" not in shown
    ):
        assert time.monotonic() < deadline, shown
    # Longer than the broadcast after which the fall-back would ring.
    mortal.call()[0].wait_answered()
    time.sleep(1.0)
    assert len(mortal.providers["default"].received("INVITE")) == rung + 1
    # And nobody was cut from the one that has them.
    assert "/ended/" not in living.cli("database show ended")


@pytest.mark.slow
def test_an_asterisk_that_is_back_gets_calls_again(mortal: Edge) -> None:
    back = mortal.asterisks[0]
    back.kill()
    assert mortal.taken_by(mortal.call()[0]) is not back
    back.start()
    # Not before it has answered three times: by then it knows its own providers.
    assert any(mortal.taken_by(mortal.call()[0]) is back for _ in range(60))


@pytest.mark.slow
def test_with_no_asterisk_left_the_carrier_is_told_to_ring_elsewhere(mortal: Edge) -> None:
    for asterisk in mortal.asterisks:
        asterisk.kill()
    # The first caller finds it out, later ones are told at once.
    for _ in range(2):
        caller, _ = mortal.call(refused_with=503)
        assert caller.wait_ended() == 0
        assert caller.received("SIP/2.0 503")[0].header("Retry-After") == "10"
    answer = mortal.options()
    assert answer.startswith("SIP/2.0 503")
    assert "Retry-After: 10" in answer


@pytest.mark.slow
def test_the_end_of_a_call_reaches_the_other_side_through_the_edge(edge: Edge) -> None:
    byes = len(edge.providers["default"].received("BYE"))
    caller, _ = edge.call()
    caller.wait_answered()
    caller.hang_up()
    assert caller.wait_ended() == 0
    edge.providers["default"].wait_received("BYE", count=byes + 1)
    ended, _ = edge.call()
    asterisk = edge.taken_by(ended)
    asterisk.cli("channel request hangup all")
    assert ended.wait_ended() == 0
    assert ended.received("BYE")


@pytest.mark.slow
def test_a_caller_who_gives_up_while_it_rings_is_cancelled_through_the_edge(tmp_path: Path) -> None:
    with an_edge(tmp_path, answer_after=20.0) as edge:
        caller, _ = edge.call()
        edge.providers["default"].wait_received("INVITE")
        caller.wait_received("SIP/2.0 180")
        caller.hang_up()
        edge.providers["default"].wait_received("CANCEL")
        caller.wait_received("SIP/2.0 487")


def test_the_identity_passes_the_edge_as_it_came(edge: Edge) -> None:
    headers = {
        "P-Asserted-Identity": '"A, (b)" <sip:+442079460000@carrier.example>',
        "Privacy": "none",
        "Diversion": "<sip:+442079460123@gp.example>;reason=unconditional",
        "History-Info": "<sip:+442079460123@gp.example>;index=1",
    }
    edge.call(headers=headers, number="+447700900201")
    invite = edge.rung("default", "+447700900201")
    assert {name: invite.header(name) for name in headers} == headers


def test_only_the_carrier_may_ring(edge: Edge) -> None:
    stranger, _ = edge.call(address="127.0.0.2", refused_with=403)
    assert stranger.wait_ended() == 0
    assert edge.options("127.0.0.2").startswith("SIP/2.0 403")
    assert edge.options().startswith("SIP/2.0 200")


def test_a_long_invite_goes_on_by_tcp(edge: Edge) -> None:
    caller, _ = edge.call(headers={"Diversion": f"<sip:+442079460123@{'gp.' * 400}example>;reason=unconditional"})
    # Asterisk names the way by which the INVITE came to it.
    assert "transport=TCP" in (caller.wait_answered().header("Contact") or "")
    caller.hang_up()
    assert caller.wait_ended() == 0


@pytest.mark.slow
def test_a_carrier_on_tcp_is_served(edge: Edge) -> None:
    caller, ear = edge.call(transport="tcp", hang_up_after=1.0, number="+447700900202")
    caller.wait_answered()
    edge.rung("default", "+447700900202")
    assert ear.wait_heard(5)
    assert caller.wait_ended() == 0


def test_a_full_house_says_so_and_999_still_passes(tmp_path: Path) -> None:
    with an_edge(tmp_path, capacity=1) as edge:
        first, _ = edge.call()
        first.wait_answered()
        refused, _ = edge.call(refused_with=503)
        assert refused.wait_ended() == 0
        assert refused.received("SIP/2.0 503")[0].header("Retry-After") == "10"
        assert edge.options().startswith("SIP/2.0 503")
        for number in ("999", "112"):
            emergency, _ = edge.call(dial=number)
            emergency.wait_answered()
        assert len(edge.providers["north"].received("INVITE")) == 2
        # A place is free as soon as the call in it has ended.
        first.hang_up()
        assert first.wait_ended() == 0
        _serve_one(edge)


def test_nobody_appears_in_its_log(mortal: Edge) -> None:
    caller, _ = mortal.call(headers={"P-Asserted-Identity": "<sip:+442079460000@carrier.example>"})
    caller.wait_answered()
    for text in ("INVITE sip:+447700900123@x SIP/2.0\r\nFrom: <sip:+447700900123", "+447700900123 \x00\r\n\r\n"):
        _send_raw(mortal, text)
    assert mortal.options().startswith("SIP/2.0 200")
    mortal.kamailio.stop()
    log = (mortal.kamailio.folder / "log").read_text(errors="replace")
    assert "7700900123" not in log
    assert "2079460000" not in log


async def _tries(worker: Worker, count: int) -> list[str]:
    """Of the callers whom the worker owned, as soon as there are so many."""

    def known() -> list[str]:
        return [e.channel.variables["TRY"] for e in worker.seen if e.type == "StasisStart" and e.channel]

    await until(lambda: len(known()) >= count)
    return known()


def _hang_up_in_peace(caller: SippCaller) -> None:
    """The caller ends a call that nobody has ended before."""
    assert not caller.received("BYE")
    caller.hang_up()
    assert caller.wait_ended() == 0


def _serve_one(edge: Edge) -> SippCaller:
    for _ in range(20):
        caller, _ = edge.call()
        try:
            caller.wait_answered(within=1.0)
        except SippFailed:
            continue
        return caller
    raise AssertionError("nobody was served")


def _send_raw(edge: Edge, text: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as carrier:
        carrier.sendto(text.encode(), ("127.0.0.1", edge.kamailio.port))
