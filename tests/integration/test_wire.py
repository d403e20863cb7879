"""The wire that tests cut: what comes over it breaks at the cut, however far the connection has come."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from tests.wire import Wire

SYN_SENT = "02"


@contextlib.contextmanager
def server_that_accepts_nobody() -> Iterator[int]:
    """A port whose queue of connections is full: who connects to it waits without an answer. Yields the port."""
    with contextlib.ExitStack() as open_now:
        server = open_now.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(3):
            waiting = open_now.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def unanswered(port: int) -> int:
    """How many wait for an answer of ``port``."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines())
    return sum(row[2].endswith(f":{port:04X}") and row[3] == SYN_SENT for row in rows)


def ends(client: socket.socket) -> bool:
    """Whether the connection is over, closed or reset; waits for it a while."""
    client.settimeout(10)
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


@contextlib.contextmanager
def client_of(wire: Wire, target: int) -> Iterator[socket.socket]:
    """A client whom the wire has accepted, while it waits itself for ``target``."""
    before = unanswered(target)
    with socket.create_connection(("127.0.0.1", wire.port)) as client:
        deadline = time.monotonic() + 20
        while unanswered(target) <= before:
            assert time.monotonic() < deadline, "the wire did not ask its server"
            time.sleep(0.01)
        yield client


def test_a_cut_breaks_a_connection_that_the_server_has_not_accepted_yet() -> None:
    with server_that_accepts_nobody() as target, Wire(target) as wire, client_of(wire, target) as client:
        wire.cut()
        assert ends(client)


def test_a_wire_that_is_taken_away_breaks_such_a_connection_too() -> None:
    with server_that_accepts_nobody() as target, contextlib.ExitStack() as after:
        with Wire(target) as wire:
            client = after.enter_context(client_of(wire, target))
        assert ends(client)
