"""The client: sends prepared requests over kept connections as fast as they are answered. A process of its own.

``python -m tests.bench.load PORT CONNECTIONS FILE`` reads requests (four octets of length, then the bytes) and
prints one line of JSON: when the first was sent and the last answered (monotonic seconds, one clock for all
processes of a machine), each latency, its own CPU. Anything but a 200 with a document as
long as the first one is an error.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import uvloop


class Connection(asyncio.Protocol):
    """One kept connection: sends the next request as soon as the last one is answered; reconnects when closed."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._transport: asyncio.Transport | None = None
        self._heard = b""
        self._sent: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class is no subclass
        self._next()

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, end, body = self._heard.partition(b"\r\n\r\n")
        if not end:
            return
        lower = head.lower()
        length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) < length or self._sent is None:
            return
        self._run.answered(self._sent, head.startswith(b"HTTP/1.1 200"), body[:length])
        self._heard, self._sent = b"", None
        if b"connection: close" in lower and self._transport is not None:
            self._transport.close()
        else:
            self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        if self._sent is not None:
            self._run.answered(self._sent, False, b"")
        self._run.closed()

    def _next(self) -> None:
        assert self._transport is not None
        request = self._run.next_request()
        if request is None:
            self._transport.close()
            return
        self._sent = time.monotonic()
        self._transport.write(request)


class Run:
    """All connections and what they have seen."""

    def __init__(self, port: int, requests: list[bytes]) -> None:
        self._requests: Iterator[bytes] = iter(requests)
        self._unsent = len(requests)
        self.left = len(requests)
        self.latencies: list[float] = []
        self.errors = 0
        self.sample = b""
        self.done = asyncio.Event()
        self._port = port
        self._tasks: set[asyncio.Task[object]] = set()

    def next_request(self) -> bytes | None:
        """What is to be sent next, None when all is sent."""
        request = next(self._requests, None)
        self._unsent -= request is not None
        return request

    def connect(self) -> None:
        """One connection more."""
        task = asyncio.ensure_future(
            asyncio.get_running_loop().create_connection(lambda: Connection(self), "127.0.0.1", self._port)
        )
        self._tasks.add(task)

    def answered(self, sent: float, right: bool, body: bytes) -> None:
        """One answer, right or wrong."""
        self.latencies.append(time.monotonic() - sent)
        self.sample = self.sample or body
        self.errors += not right or len(body) != len(self.sample)  # a fall-back's document is another one
        self.left -= 1
        if not self.left:
            self.done.set()

    def closed(self) -> None:
        """The other side closed a connection: another one, if there is work left."""
        if self._unsent:
            self.connect()


async def _run(port: int, connections: int, requests: list[bytes]) -> dict[str, object]:
    run = Run(port, requests)
    cpu, first = time.process_time(), time.monotonic()
    for _ in range(min(connections, len(requests))):
        run.connect()
    await run.done.wait()
    return {
        "first": first,
        "last": time.monotonic(),
        "cpu_s": time.process_time() - cpu,
        "errors": run.errors,
        "latencies_ms": [round(each * 1000, 2) for each in run.latencies],
        "sample": run.sample.decode(),
    }


def _read(file: Path) -> list[bytes]:
    raw, at, found = file.read_bytes(), 0, []
    while at < len(raw):
        (length,) = struct.unpack_from("!I", raw, at)
        found.append(raw[at + 4 : at + 4 + length])
        at += 4 + length
    return found


if __name__ == "__main__":
    PORT, CONNECTIONS, FILE = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    print(json.dumps(uvloop.run(_run(PORT, CONNECTIONS, _read(FILE)))))
