"""One end of an RTP stream, so that a test knows what a party really hears, and can talk and type keys.

SIPp's own media needs raw sockets (root), and binds the very port whose packets a test wants to count. So SIPp
only names this port in its SDP. Sound is A-law, 20 ms a packet (RFC 3551); keys are RFC 4733 events.
"""

from __future__ import annotations

import secrets
import socket
import struct
import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType

FRAME = 0.02
SAMPLES = 160
ALAW = 8
TELEPHONE_EVENT = 101
KEYS = "0123456789*#ABCD"
# Five frames of a held key, then three packets that say it ended (RFC 4733 2.5.1.4).
KEY_FRAMES = 5
KEY_ENDS = 3


@dataclass(frozen=True)
class Heard:
    """One packet that arrived: when (monotonic seconds), from which source id, of which payload type."""

    at: float
    source: int
    payload: int


class RtpEnd:
    """A bound UDP port that counts what it hears; `talk_to` makes it send until closed."""

    def __init__(self, address: str = "127.0.0.1", *, keep_sound: bool = False) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self.port: int = self._socket.getsockname()[1]
        self._heard: list[Heard] = []
        self._sound = bytearray()
        self.keeps_sound = keep_sound
        self._news = threading.Condition()
        self._peer: tuple[str, int] | None = None
        self._keys: list[str] = []
        self._sequence = 0
        self._stamp = 0
        self._late_s = 0.0
        self._source = secrets.randbits(32)
        self._closed = threading.Event()
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._listen, self._speak)]
        for thread in self._threads:
            thread.start()

    @property
    def heard(self) -> list[Heard]:
        """All packets so far, in the order of their arrival."""
        with self._news:
            return list(self._heard)

    @property
    def sound(self) -> bytes:
        """All A-law sound so far, if it is kept."""
        with self._news:
            return bytes(self._sound)

    def wait_heard(self, more: int = 1, within: float = 20.0) -> bool:
        """True as soon as `more` further packets have arrived."""
        with self._news:
            goal = len(self._heard) + more
            return self._news.wait_for(lambda: len(self._heard) >= goal, within)

    def longest_gap(self, since: float = 0.0) -> float:
        """Seconds of the longest silence between two packets that arrived after `since` (monotonic)."""
        times = [each.at for each in self.heard if each.at >= since]
        return max((b - a for a, b in pairwise(times)), default=0.0)

    @property
    def late_s(self) -> float:
        """Seconds by which this telephone was late at worst with what it sends: others had the machine."""
        return self._late_s

    def talk_to(self, address: str, port: int) -> None:
        """Send speech-like noise there from now on."""
        self._peer = (address, port)

    def press(self, keys: str) -> None:
        """Type keys after each other, each 100 ms, by RFC 4733. Needs `talk_to` first."""
        if self._peer is None:
            raise ValueError("talk_to comes first: it says where the keys go")
        self._keys.extend(keys)

    def close(self) -> None:
        """Free the port."""
        self._closed.set()
        listening, speaking = self._threads
        speaking.join(1)  # it may be about to send
        self._socket.close()
        listening.join(1)

    def __enter__(self) -> RtpEnd:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _listen(self) -> None:
        self._socket.settimeout(0.2)
        while not self._closed.is_set():
            try:
                packet = self._socket.recv(2048)
            except TimeoutError:
                continue
            except OSError:
                return
            if len(packet) < 12:
                continue
            with self._news:
                source = int.from_bytes(packet[8:12], "big")
                self._heard.append(Heard(time.monotonic(), source, packet[1] & 0x7F))
                if self.keeps_sound and packet[1] & 0x7F == ALAW:
                    self._sound += packet[12:]
                self._news.notify_all()

    def _speak(self) -> None:
        due = time.monotonic()
        while not self._closed.wait(max(0.0, due - time.monotonic())):
            self._late_s = max(self._late_s, time.monotonic() - due)
            due += FRAME
            if self._peer is None:
                continue
            if self._keys:
                due += self._key(self._keys.pop(0)) * FRAME
            else:
                self._send(ALAW, secrets.token_bytes(SAMPLES), self._stamp)
            self._stamp += SAMPLES

    def _key(self, key: str) -> int:
        event, start = KEYS.index(key.upper()), self._stamp
        # at once: where others have the machine in the middle of a key, the exchange takes it for two
        for n in range(1, KEY_FRAMES + KEY_ENDS + 1):
            last = n > KEY_FRAMES
            length = min(n, KEY_FRAMES) * SAMPLES
            self._send(TELEPHONE_EVENT, struct.pack("!BBH", event, 0x80 * last | 10, length), start, n == 1)
        # the time that it takes, and a pause of three frames, so that two equal keys are two
        frames = KEY_FRAMES + KEY_ENDS + 3
        self._closed.wait(frames * FRAME)
        self._stamp += frames * SAMPLES
        return frames

    def _send(self, payload: int, body: bytes, stamp: int, mark: bool = False) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        head = struct.pack(
            "!BBHII", 0x80, payload | (0x80 if mark else 0), self._sequence, stamp & 0xFFFFFFFF, self._source
        )
        peer = self._peer
        if peer is not None and not self._closed.is_set():
            self._socket.sendto(head + body, peer)
