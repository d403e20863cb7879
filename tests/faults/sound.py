"""Sound that says what it is: each prompt, the hold music and each provider is A-law of one number, told by the ear.

Asterisk passes A-law on as it is, so what a caller hears names its source, and a prompt that begins again shows it:
the second and third octet of each 20 ms count its frames.
"""

from __future__ import annotations

import secrets
import socket
import struct
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.faults.sip import LOOPBACK, bound

FRAME_S = 0.02
FRAME = 160
ALAW = 8
HEADER = 12
LOUD = 100  # where the number of a sound is read: any octet but the first three


class Heard(NamedTuple):
    """One packet: when (monotonic), which sound, which frame of it."""

    at: float
    sound: int
    frame: int


def write_sound(file: Path, sound: int, seconds: float) -> None:
    """A file that Asterisk plays as it is (``.alaw``)."""
    count = round(seconds / FRAME_S)
    file.write_bytes(b"".join(frame(sound, number) for number in range(count)))


def frame(sound: int, number: int) -> bytes:
    """20 ms."""
    return bytes((sound, number >> 8 & 0xFF, number & 0xFF)) + bytes((sound,)) * (FRAME - 3)


class Ear:
    """All callers' audio on one port, told apart by the port that Asterisk sends from. A thread of its own."""

    def __init__(self) -> None:
        self._socket = bound()
        self._socket.settimeout(0.2)
        self.port = int(self._socket.getsockname()[1])
        self._heard: defaultdict[int, list[Heard]] = defaultdict(list)
        self._closed = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def heard(self, port: int, since: float = 0.0) -> list[Heard]:
        """Everything that came from that port since then."""
        return [each for each in list(self._heard.get(port, ())) if each.at >= since]

    def last(self, port: int) -> Heard | None:
        """The newest packet from that port."""
        return self._heard[port][-1] if self._heard.get(port) else None

    def forget(self) -> None:
        """Before other calls: ports are used again."""
        self._heard.clear()

    def forget_port(self, port: int) -> None:
        """What came from there is not asked for any more."""
        self._heard.pop(port, None)

    def close(self) -> None:
        """Free the port."""
        self._closed = True
        self._thread.join(1)
        self._socket.close()

    def _listen(self) -> None:
        take, now, heard = self._socket.recvfrom, time.monotonic, self._heard
        while not self._closed:
            try:
                packet, (_, port) = take(2048)
            except TimeoutError:
                continue
            if len(packet) >= HEADER + LOUD:
                body = packet[HEADER:]
                heard[port].append(Heard(now(), body[LOUD - 1], body[1] << 8 | body[2]))


@dataclass
class Stream:
    """A voice on its way to one port."""

    port: int
    sound: int
    sequence: int = 0
    source: int = 0


class Voice:
    """Providers' voices: every 20 ms a packet to each who listens. A thread of its own."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self.port = int(self._socket.getsockname()[1])
        self._streams: dict[str, Stream] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._speak, daemon=True)
        self._thread.start()

    def start(self, call: str, port: int, sound: int) -> None:
        """Talk to that port from now on."""
        self._streams.setdefault(call, Stream(port, sound, source=secrets.randbits(32)))

    def stop(self, call: str) -> None:
        """Be silent to that call."""
        self._streams.pop(call, None)

    def close(self) -> None:
        """Be silent to all."""
        self._closed.set()
        self._thread.join(1)
        self._socket.close()

    def _speak(self) -> None:
        due = time.monotonic()
        while not self._closed.wait(max(0.0, due - time.monotonic())):
            due += FRAME_S
            for stream in list(self._streams.values()):
                stream.sequence += 1
                number = stream.sequence & 0xFFFF
                head = struct.pack("!BBHII", 0x80, ALAW, number, stream.sequence * FRAME, stream.source)
                self._socket.sendto(head + frame(stream.sound, number), (LOOPBACK, stream.port))
