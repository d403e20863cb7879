"""Callers: each dials, hears, presses keys and hangs up, as told. What happened to one is read from its own dialog."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from tests.faults.sip import LOOPBACK, Endpoint, Message, audio, branch, reply
from tests.faults.sound import Ear, Heard

NUMBERS = [f"+447700900{n:03d}" for n in range(1000)] + [f"+44207946{n:04d}" for n in range(1000)]
"""Every number that Ofcom keeps for drama, mobile and London."""


@dataclass(eq=False)
class Caller:
    """One call from the caller's side; times are monotonic seconds. ``status``: how the INVITE was refused."""

    number: str
    phones: Phones
    call_id: str = field(default_factory=lambda: secrets.token_hex(12))
    tag: str = field(default_factory=lambda: secrets.token_hex(4))
    invited_at: float = 0.0
    answered_at: float | None = None
    ended_at: float | None = None
    hung_up_at: float | None = None
    status: int = 0
    media_port: int = 0
    pressed: list[tuple[float, str]] = field(default_factory=list)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _cseq: int = 1
    _branch: str = field(default_factory=branch)
    _to: str = ""
    _target: str = ""

    @property
    def dropped(self) -> bool:
        """The other side ended the call, or never took it."""
        return self.hung_up_at is None and (self.ended_at is not None or self.status >= 300)

    def heard(self, since: float = 0.0) -> list[Heard]:
        """Every packet of this call since then."""
        if self.answered_at is None:
            return []
        return self.phones.ear.heard(self.media_port, max(since, self.invited_at))

    def hears(self) -> Heard | None:
        """The newest packet; one of the call that had the same port before is none."""
        last = self.phones.ear.last(self.media_port) if self.answered_at is not None else None
        return last if last is not None and last.at >= self.invited_at else None

    def dial(self, extension: str = "111") -> None:
        """Call; :attr:`answered` is set at the 200."""
        self.invited_at = time.monotonic()
        self._target = f"sip:{extension}@{LOOPBACK}:{self.phones.asterisk_port}"
        self._to = f"<{self._target}>"
        self.phones.by_call[self.call_id] = self
        body = audio(self.phones.ear.port)
        lines = [*self._request("INVITE", 1, self._branch), f"Contact: <sip:caller@{LOOPBACK}:{self.phones.port}>",
                 "Content-Type: application/sdp"]  # fmt: skip
        self.phones.ask(self.call_id, "1 INVITE", lines, body)

    def press(self, key: str) -> None:
        """One key, by INFO: it is there at once."""
        self.pressed.append((time.monotonic(), key))
        self._cseq += 1
        body = f"Signal={key}\r\nDuration=100\r\n"
        lines = [*self._request("INFO", self._cseq), "Content-Type: application/dtmf-relay"]
        self.phones.ask(self.call_id, f"{self._cseq} INFO", lines, body)

    def hang_up(self) -> None:
        """BYE; nothing if the call is over."""
        if self.answered_at is None or self.ended_at is not None:
            return
        self.hung_up_at = self.ended_at = time.monotonic()
        self._cseq += 1
        self.phones.ask(self.call_id, f"{self._cseq} BYE", self._request("BYE", self._cseq))
        self.ended.set()

    def hear_message(self, message: Message, addr: Any) -> None:
        """Something of this call came from Asterisk."""
        if message.status and message.method == "INVITE":
            self._hear_answer(message)
        elif message.method == "BYE" and not message.status:
            self.phones.send(reply(message, "200 OK"))
            self._over()

    def _hear_answer(self, message: Message) -> None:
        if message.status < 200:
            return
        self._to = message.header("to")
        contact = re.search(r"<([^>]+)>", message.header("contact"))
        self._target = contact[1] if contact and message.status < 300 else self._target
        self.phones.send(self._request("ACK", 1, self._branch if message.status >= 300 else ""))
        if message.status >= 300:
            self.status = message.status
            self._over()
        elif self.answered_at is None:
            self.answered_at, self.media_port = time.monotonic(), message.media_port
            self.answered.set()

    def _over(self) -> None:
        if self.ended_at is None:
            self.ended_at = time.monotonic()
            self.ended.set()
            self.answered.set()

    def _request(self, method: str, number: int, own_branch: str = "") -> list[str]:
        me = f"{LOOPBACK}:{self.phones.port}"
        return [f"{method} {self._target} SIP/2.0", f"Via: SIP/2.0/UDP {me};branch={own_branch or branch()}",
                f"From: <sip:{self.number}@carrier.example>;tag={self.tag}", f"To: {self._to}",
                f"Call-ID: {self.call_id}", f"CSeq: {number} {method}", "Max-Forwards: 70"]  # fmt: skip


class Phones:
    """The socket that all callers share, and their one ear."""

    def __init__(self, asterisk_port: int) -> None:
        self.asterisk_port = asterisk_port
        self.ear = Ear()
        self.by_call: dict[str, Caller] = {}
        self._endpoint = Endpoint(self._heard)

    @property
    def port(self) -> int:
        """Where callers are reached."""
        return self._endpoint.port

    async def open(self) -> None:
        """Be ready to dial."""
        await self._endpoint.open()

    def close(self) -> None:
        """Everything ends."""
        self._endpoint.close()
        self.ear.close()

    def send(self, lines: list[str]) -> None:
        """To Asterisk, once."""
        self._endpoint.send(lines, (LOOPBACK, self.asterisk_port))

    def ask(self, call_id: str, cseq: str, lines: list[str], body: str = "") -> None:
        """To Asterisk, until it answers."""
        self._endpoint.send_until_answered((call_id, cseq), lines, (LOOPBACK, self.asterisk_port), body)

    def _heard(self, message: Message, addr: Any) -> None:
        caller = self.by_call.get(message.call_id)
        if caller is not None:
            caller.hear_message(message, addr)
