"""How long a caller waits for the first sound: a telephone of its own, one call after another.

Measured at the caller, from sending the INVITE to receiving the 200, and to the first RTP packet.
"""

from __future__ import annotations

import re
import secrets
import select
import socket
import time
from dataclasses import dataclass

PATIENCE_S = 5.0
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 8\r\na=ptime:20\r\n"
)


@dataclass(frozen=True, slots=True)
class Waited:
    """Milliseconds from the INVITE."""

    answer_ms: float
    sound_ms: float


def call(extension: str, number: str, sip_port: int) -> Waited:
    """Dial, listen for the first packet, hang up. Raises TimeoutError."""
    with _socket() as sip, _socket() as rtp:
        sip.connect(("127.0.0.1", sip_port))
        dialog = _Dialog(extension, number, sip_port, sip.getsockname()[1])
        began = time.monotonic()
        sip.send(dialog.invite(rtp.getsockname()[1]))
        answered = heard = 0.0
        while not (answered and heard):
            ready, _, _ = select.select([sip, rtp], [], [], PATIENCE_S)
            now = time.monotonic()
            if not ready:
                raise TimeoutError(f"no sound on {extension} in {PATIENCE_S:g} s")
            if rtp in ready:
                rtp.recv(2048)
                heard = heard or now
            if sip in ready and dialog.is_answer(sip.recv(8192).decode()):
                answered = answered or now
                sip.send(dialog.request("ACK", 1))
        sip.send(dialog.request("BYE", 2))
        _drain(sip)
    return Waited(round((answered - began) * 1000, 3), round((heard - began) * 1000, 3))


class _Dialog:
    """The messages of one call."""

    def __init__(self, extension: str, number: str, sip_port: int, own_port: int) -> None:
        self._uri = f"sip:{extension}@127.0.0.1:{sip_port}"
        self._own_port = own_port
        self._from = f"<sip:{number}@carrier.example>;tag={secrets.token_hex(6)}"
        self._to = f"<{self._uri}>"
        self._id = secrets.token_hex(12)
        self._identity = f"P-Asserted-Identity: <sip:{number}@carrier.example>\r\n"

    def invite(self, rtp_port: int) -> bytes:
        """With an offer of A-law."""
        body = SDP.format(port=rtp_port)
        more = f"{self._identity}Content-Type: application/sdp\r\n"
        return self._message("INVITE", 1, more, body)

    def request(self, method: str, number: int) -> bytes:
        """Inside the dialog."""
        return self._message(method, number, "", "")

    def is_answer(self, text: str) -> bool:
        """Whether this is the 200 to our INVITE; its tag and contact are kept."""
        if not text.startswith("SIP/2.0 200") or "INVITE" not in text:
            return False
        self._to = re.search(r"^To: (.*?)\r$", text, re.MULTILINE | re.IGNORECASE)[1]  # type: ignore[index]
        self._uri = re.search(r"^Contact: <(.*?)>", text, re.MULTILINE | re.IGNORECASE)[1]  # type: ignore[index]
        return True

    def _message(self, method: str, number: int, more: str, body: str) -> bytes:
        here = f"127.0.0.1:{self._own_port}"
        return (
            f"{method} {self._uri} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{secrets.token_hex(8)}\r\n"
            f"From: {self._from}\r\nTo: {self._to}\r\nCall-ID: {self._id}\r\nCSeq: {number} {method}\r\n"
            f"Contact: <sip:caller@{here}>\r\nMax-Forwards: 70\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


def _socket() -> socket.socket:
    each = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    each.bind(("127.0.0.1", 0))
    return each


def _drain(sip: socket.socket) -> None:
    """Until the BYE is answered, so that the next call finds a quiet line."""
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        if select.select([sip], [], [], 0.2)[0] and b"BYE" in sip.recv(8192):
            return
