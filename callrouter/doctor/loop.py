"""Who answers at a SIP address: a look at the ``Server`` header of an OPTIONS answer, over UDP or TCP."""

from __future__ import annotations

import asyncio
import secrets

ANSWER_S = 2.0


async def server_at(host: str, port: int, *, tcp: bool) -> str | None:
    """The ``Server`` or ``User-Agent`` of whatever answers there, empty if it names none; None for no answer."""
    request = _options(host, port, "TCP" if tcp else "UDP")
    try:
        async with asyncio.timeout(ANSWER_S):
            answer = await (_over_tcp(host, port, request) if tcp else _over_udp(host, port, request))
    except (OSError, TimeoutError):
        return None
    for line in answer.decode(errors="replace").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() in ("server", "user-agent"):
            return value.strip()
    return ""


def _options(host: str, port: int, transport: str) -> bytes:
    """RFC 3261, section 11. The answer comes back to where this came from (``rport``, RFC 3581)."""
    branch, tag, call_id = (secrets.token_hex(8) for _ in range(3))
    return (
        f"OPTIONS sip:{host}:{port} SIP/2.0\r\n"
        f"Via: SIP/2.0/{transport} doctor.invalid;rport;branch=z9hG4bK{branch}\r\n"
        f"Max-Forwards: 5\r\nFrom: <sip:doctor@doctor.invalid>;tag={tag}\r\nTo: <sip:{host}:{port}>\r\n"
        f"Call-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\nContact: <sip:doctor@doctor.invalid>\r\nContent-Length: 0\r\n\r\n"
    ).encode()


class _First(asyncio.DatagramProtocol):
    """The first datagram, or what the network said instead."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _addr: object) -> None:
        if not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


async def _over_udp(host: str, port: int, request: bytes) -> bytes:
    transport, first = await asyncio.get_running_loop().create_datagram_endpoint(_First, remote_addr=(host, port))
    try:
        transport.sendto(request)
        return await first.answer
    finally:
        transport.close()


async def _over_tcp(host: str, port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()
