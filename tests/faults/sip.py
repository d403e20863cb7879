"""As much of SIP (RFC 3261) as the callers and providers of the fault tests need: UDP, loopback, one dialog a call."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

LOOPBACK = "127.0.0.1"
T1_S = 0.5
MOST_SENDS = 7
BUFFER = 8 * 1024 * 1024
SO_RCVBUFFORCE = 33  # Linux; lifts the limit that ordinary users have


@dataclass(frozen=True)
class Message:
    """A request or response: ``headers`` by lower-case name, in order (Via and Record-Route may come twice)."""

    start: str
    headers: Mapping[str, tuple[str, ...]]
    body: str

    @classmethod
    def read(cls, data: bytes) -> Message:
        """From the wire; whatever cannot be read comes out as text nobody knows."""
        head, _, body = data.decode(errors="replace").partition("\r\n\r\n")
        start, *lines = head.split("\r\n")
        headers: dict[str, tuple[str, ...]] = {}
        for line in lines:
            name, _, value = line.partition(":")
            key = name.strip().lower()
            headers[key] = (*headers.get(key, ()), value.strip())
        return cls(start, headers, body)

    def header(self, name: str) -> str:
        """The first of that name, empty if there is none."""
        return self.headers.get(name.lower(), ("",))[0]

    @property
    def status(self) -> int:
        """Of a response; 0 for a request."""
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """Of the request, or of the one that is answered."""
        return self.header("cseq").split()[-1] if self.status else self.start.split(" ", 1)[0]

    @property
    def call_id(self) -> str:
        """Call-ID."""
        return self.header("call-id")

    @property
    def media_port(self) -> int:
        """Where its sender wants audio; 0 if it does not say."""
        found = re.search(r"^m=audio (\d+)", self.body, re.MULTILINE)
        return int(found[1]) if found else 0

    @property
    def user(self) -> str:
        """The user part of From."""
        found = re.search(r"sip:([^@;>]+)@", self.header("from"))
        return found[1] if found else ""


class Endpoint(asyncio.DatagramProtocol):
    """A UDP socket with a port of its own. ``on_message`` is told of everything that comes, and from where."""

    def __init__(self, on_message: Callable[[Message, Any], None]) -> None:
        self._on_message = on_message
        self._transport: asyncio.DatagramTransport | None = None
        self._again: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self.port = 0

    async def open(self) -> None:
        """Bind it."""
        sock = bound()
        self.port = int(sock.getsockname()[1])
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=sock)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        message = Message.read(data)
        if message.status:
            self.settle(message)
        self._on_message(message, addr)

    def close(self) -> None:
        """Free the port."""
        for timer in self._again.values():
            timer.cancel()
        self._again.clear()
        if self._transport is not None:
            self._transport.close()

    def send(self, lines: Iterable[str], to: Any, body: str = "") -> None:
        """Once."""
        assert self._transport is not None
        text = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])
        self._transport.sendto(text.encode(), to)

    def send_until_answered(self, key: tuple[str, str], lines: Iterable[str], to: Any, body: str = "") -> None:
        """Again and again until :meth:`settle` hears of the key (Call-ID, CSeq), seven times at most."""
        self._resend(key, list(lines), to, body, 1)

    def settle(self, message: Message) -> None:
        """It has been answered, or acknowledged."""
        number = message.header("cseq").replace("ACK", "INVITE")
        timer = self._again.pop((message.call_id, number), None)
        if timer is not None:
            timer.cancel()

    def _resend(self, key: tuple[str, str], lines: list[str], to: Any, body: str, sends: int) -> None:
        self.send(lines, to, body)
        if sends < MOST_SENDS:
            later = asyncio.get_running_loop().call_later
            self._again[key] = later(T1_S * 2 ** (sends - 1), self._resend, key, lines, to, body, sends + 1)


def bound() -> socket.socket:
    """A UDP socket on a free loopback port, with room for a moment in which nobody reads."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    sock.bind((LOOPBACK, 0))
    sock.setblocking(False)
    return sock


def branch() -> str:
    """A new transaction's."""
    return f"z9hG4bK{secrets.token_hex(8)}"


def audio(port: int) -> str:
    """An offer or answer of A-law without telephone-event: keys go by INFO."""
    lines = ("v=0", f"o=- 1 1 IN IP4 {LOOPBACK}", "s=-", f"c=IN IP4 {LOOPBACK}", "t=0 0",
             f"m=audio {port} RTP/AVP 8", "a=rtpmap:8 PCMA/8000", "a=ptime:20", "a=sendrecv", "")  # fmt: skip
    return "\r\n".join(lines)


def reply(request: Message, status: str, *, tag: str = "", contact: str = "", body: str = "") -> list[str]:
    """The lines of a response to a request."""
    lines = [f"SIP/2.0 {status}"]
    lines += [f"Via: {each}" for each in request.headers.get("via", ())]
    lines += [f"Record-Route: {each}" for each in request.headers.get("record-route", ())]
    to = request.header("to")
    lines += [f"From: {request.header('from')}", f"To: {to}" + (f";tag={tag}" if tag and "tag=" not in to else "")]
    lines += [f"Call-ID: {request.call_id}", f"CSeq: {request.header('cseq')}"]
    if contact:
        lines.append(f"Contact: <{contact}>")
    if body:
        lines.append("Content-Type: application/sdp")
    return lines
