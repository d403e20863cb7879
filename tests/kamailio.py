"""A real Kamailio before two real Asterisks, each with the same two providers, and callers who ring Kamailio."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from infra.asterisk.instance import (
    Asterisk,
    AsteriskSettings,
    AsteriskUnavailable,
    Provider,
    find_installation,
)
from infra.kamailio.instance import Kamailio, KamailioSettings, KamailioUnavailable, find_kamailio
from tests.sip.alive import wait_alive
from tests.sip.rtp import RtpEnd
from tests.sip.sipp import SipMessage, SippCaller, SippProvider

LOOPBACK = "127.0.0.1"


@dataclass
class Edge:
    """What a test holds. `call` rings Kamailio; the providers are `default` and, for 999 too, `north`."""

    kamailio: Kamailio
    asterisks: list[Asterisk]
    providers: dict[str, SippProvider]
    folder: Path
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def call(self, **how: object) -> tuple[SippCaller, RtpEnd]:
        """A caller who has just dialled (arguments of SippCaller), and what the caller hears."""
        ear = self._open.enter_context(RtpEnd())
        caller = SippCaller(self.folder, self.kamailio.port, ear, **how)  # type: ignore[arg-type]
        return self._open.enter_context(caller), ear

    def rung(self, provider: str, number: str) -> SipMessage:
        """The INVITE of that caller, as the provider got it; from now on the provider talks to that caller."""
        for count in range(1, 1000):
            invite = self.providers[provider].wait_called(count=count)
            if number in (invite.header("From") or ""):
                return invite
        raise AssertionError("unreachable")

    def taken_by(self, caller: SippCaller) -> Asterisk:
        """The Asterisk that answered this caller."""
        contact = re.search(r":(\d+)[>;]", caller.wait_answered().header("Contact") or "")
        assert contact is not None
        return next(each for each in self.asterisks if each.ports.sip == int(contact[1]))

    def one_on_each(self, *, heard: int) -> list[tuple[SippCaller, RtpEnd]]:
        """A caller at every Asterisk, in their order; `default` talks to the one at the Asterisk of that index."""
        found: dict[int, tuple[SippCaller, RtpEnd, str]] = {}
        for count in range(100):
            number = f"+4477009003{count:02}"
            caller, ear = self.call(number=number)
            found.setdefault(self.asterisks.index(self.taken_by(caller)), (caller, ear, number))
            if len(found) == len(self.asterisks):
                break
        self.rung("default", found[heard][2])
        return [found[n][:2] for n in range(len(self.asterisks))]

    def wait_watched(self) -> None:
        """Until Kamailio has the connection to every Asterisk by which it hears of a death; a second at the most."""
        deadline = time.monotonic() + 20
        while not all(tcp_connections_to(each.ports.sip) for each in self.asterisks):
            assert time.monotonic() < deadline, "Kamailio is not connected"
            time.sleep(0.05)  # it tells nobody

    def options(self, address: str = LOOPBACK) -> str:
        """What Kamailio says to OPTIONS from that address: the whole answer."""
        here = f"{LOOPBACK}:{self.kamailio.port}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as carrier:
            carrier.settimeout(5)
            carrier.bind((address, 0))
            own = carrier.getsockname()
            lines = [
                f"OPTIONS sip:{here} SIP/2.0",
                f"Via: SIP/2.0/UDP {own[0]}:{own[1]};branch=z9hG4bK{own[1]}",
                f"From: <sip:{own[0]}>;tag={own[1]}",
                f"To: <sip:{here}>",
                f"Call-ID: options-{own[1]}",
                "CSeq: 1 OPTIONS",
                "Max-Forwards: 70",
                "Content-Length: 0",
            ]
            carrier.sendto("\r\n".join([*lines, "", ""]).encode(), (LOOPBACK, self.kamailio.port))
            return carrier.recv(4096).decode()


def tcp_connections_to(port: int) -> int:
    """How many established ones this machine has to that loopback port (proc(5): state 01)."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


@contextlib.contextmanager
def callers_of(edge: Edge) -> Iterator[Edge]:
    """The same edge; who is on the line when this ends is hung up."""
    with contextlib.ExitStack() as stack:
        yield Edge(edge.kamailio, edge.asterisks, edge.providers, edge.folder, stack)
        for asterisk in edge.asterisks:
            asterisk.cli("channel request hangup all")


@contextlib.contextmanager
def an_edge(
    folder: Path, *, capacity: int = 400, asterisk_capacity: int = 200, answer_after: float = 0.0
) -> Iterator[Edge]:
    """Two Asterisks that know their providers as alive, and Kamailio before them. Skips where one is missing."""
    if shutil.which("sipp") is None:
        pytest.skip("SIPp is not installed: apt-get install sip-tester")
    try:
        installation = find_installation()
        find_kamailio()
    except (AsteriskUnavailable, KamailioUnavailable) as reason:
        pytest.skip(str(reason))
    with contextlib.ExitStack() as stack:
        providers = {
            name: stack.enter_context(SippProvider(folder, stack.enter_context(RtpEnd()), answer_after=answer_after))
            for name in ("default", "north")
        }
        settings = AsteriskSettings(
            [Provider(name, LOOPBACK, line.port) for name, line in providers.items()],
            default_provider="default",
            emergency_provider="north",
            capacity=asterisk_capacity,
            ring_seconds=5,
        )
        asterisks = [stack.enter_context(Asterisk(folder / f"asterisk-{n}", settings, installation)) for n in (1, 2)]
        for asterisk in asterisks:
            wait_alive(asterisk)
        behind = KamailioSettings([(LOOPBACK, each.ports.sip) for each in asterisks], capacity=capacity)
        kamailio = stack.enter_context(Kamailio(folder / "kamailio", behind))
        yield Edge(kamailio, asterisks, providers, folder, stack)
