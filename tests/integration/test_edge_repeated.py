"""An INVITE that the carrier sends again, where nothing of ours remembers it: only Kamailio and two Asterisks.

No worker is connected, so no store takes part: what holds here holds while Redis is away. Nobody is refused.
"""

from __future__ import annotations

import contextlib
import re
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.kamailio.instance import Kamailio
from tests.kamailio import LOOPBACK, Edge, an_edge

pytestmark = [pytest.mark.alone, pytest.mark.slow]


@pytest.fixture(name="edge")
def _edge(tmp_path: Path) -> Iterator[Edge]:
    with an_edge(tmp_path, answer_after=1.0) as edge:
        yield edge


class Carrier:
    """Sends one call's INVITE as often as it is asked to, each time as a request of its own (another branch)."""

    def __init__(self) -> None:
        self.call_id = uuid.uuid4().hex

    @contextlib.contextmanager
    def sends(self, port: int) -> Iterator[Callable[[int], int]]:
        """To Kamailio on that port; yields what waits for the first answer with at least that status."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.settimeout(20)
            line.bind((LOOPBACK, 0))
            here = f"{LOOPBACK}:{line.getsockname()[1]}"
            sdp = f"v=0\r\no=- 1 1 IN IP4 {LOOPBACK}\r\ns=-\r\nc=IN IP4 {LOOPBACK}\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n"
            lines = [
                f"INVITE sip:111@{LOOPBACK}:{port} SIP/2.0",
                f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{uuid.uuid4().hex}",
                "From: <sip:+447700900123@carrier.example>;tag=first",
                f"To: <sip:111@{LOOPBACK}:{port}>",
                f"Call-ID: {self.call_id}",
                "CSeq: 1 INVITE",
                f"Contact: <sip:carrier@{here}>",
                "Max-Forwards: 70",
                "Content-Type: application/sdp",
                f"Content-Length: {len(sdp)}",
            ]
            line.sendto("\r\n".join([*lines, "", sdp]).encode(), (LOOPBACK, port))

            def answer(least: int) -> int:
                while (status := int(line.recv(4096).split()[1])) < least:
                    pass
                return status

            yield answer


def status(carrier: Carrier, port: int) -> int:
    with carrier.sends(port) as answer:
        return answer(200)


def test_an_invite_that_comes_again_comes_to_the_same_asterisk_and_is_served_by_whichever_kamailio(
    edge: Edge, tmp_path: Path
) -> None:
    with Kamailio(tmp_path / "second", edge.kamailio.settings) as second:
        for again in (edge.kamailio, second):
            carrier = Carrier()
            before = _calls(edge)
            with carrier.sends(edge.kamailio.port) as answer:
                assert answer(180) == 180
                assert status(carrier, again.port) == 200, "the first may have nobody any more who hears its answer"
            assert sorted(now - then for now, then in zip(_calls(edge), before, strict=True)) == [0, 2]


def test_an_invite_whose_asterisk_died_and_that_comes_again_is_served_at_once(edge: Edge) -> None:
    carrier = Carrier()
    assert status(carrier, edge.kamailio.port) == 200
    _kill_who_has_it(edge)
    assert status(carrier, edge.kamailio.port) == 200


def test_who_rings_again_since_our_answer_was_lost_is_served(edge: Edge) -> None:
    carrier = Carrier()
    assert [status(carrier, edge.kamailio.port) for _ in range(2)] == [200, 200]


def _calls(edge: Edge) -> list[int]:
    """How many each Asterisk has had."""
    found = (re.search(r"(\d+) calls? processed", each.cli("core show channels")) for each in edge.asterisks)
    return [int(each[1]) for each in found if each]


def _kill_who_has_it(edge: Edge) -> None:
    edge.wait_watched()
    next(each for each in edge.asterisks if "0 active calls" not in each.cli("core show channels")).kill()
