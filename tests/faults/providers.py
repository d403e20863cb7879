"""Stand-in providers: each rings, answers, talks, and keeps a log of its own of who came to it and when."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from typing import Any

from tests.faults.sip import LOOPBACK, Endpoint, Message, audio, reply
from tests.faults.sound import Voice


@dataclass
class Leg:
    """One INVITE as the provider saw it; times are monotonic seconds. ``context``: the User-to-User header."""

    provider: str
    call_id: str
    number: str
    context: str
    invited_at: float
    answered_at: float | None = None
    ended_at: float | None = None
    cancelled: bool = False
    media_port: int = 0
    tag: str = ""

    @property
    def open(self) -> bool:
        """Whether it still rings or talks."""
        return self.ended_at is None


class StandIn:
    """One provider. ``ring_s`` until it answers, None: never; ``refuses`` with a status and its words instead."""

    def __init__(self, name: str, sound: int, voice: Voice, *, ring_s: float | None = 0.0) -> None:
        self.name = name
        self.sound = sound
        self.ring_s = ring_s
        self.refuses: str | None = None
        self.legs: list[Leg] = []
        self._by_call: dict[str, Leg] = {}
        self._voice = voice
        self._endpoint = Endpoint(self._heard)
        self._asked: dict[str, tuple[Message, Any]] = {}
        self._probed = asyncio.Event()

    @property
    def port(self) -> int:
        """Where it is rung."""
        return self._endpoint.port

    async def open(self) -> None:
        """Be there."""
        await self._endpoint.open()

    async def probed(self) -> None:
        """Return when Asterisk has asked (OPTIONS) whether it lives."""
        await self._probed.wait()

    def close(self) -> None:
        """Be gone: nothing is answered any more."""
        self._endpoint.close()
        for leg in self.legs:
            self._voice.stop(leg.call_id)

    def _heard(self, message: Message, addr: Any) -> None:
        match message.method:
            case "OPTIONS" if not message.status:
                self._endpoint.send(reply(message, "200 OK", tag="options"), addr)
                self._probed.set()
            case "INVITE" if not message.status:
                self._invited(message, addr)
            case "ACK":
                self._acknowledged(message)
            case "CANCEL":
                self._cancelled(message, addr)
            case "BYE" if not message.status:
                self._ended(message, addr)
            case _:
                pass

    def _invited(self, message: Message, addr: Any) -> None:
        if message.call_id in self._by_call:
            return  # sent again: the answer is on its way
        leg = Leg(self.name, message.call_id, message.user, message.header("user-to-user"), time.monotonic(),
                  media_port=message.media_port, tag=secrets.token_hex(4))  # fmt: skip
        self.legs.append(leg)
        self._by_call[leg.call_id] = leg
        self._asked[leg.call_id] = (message, addr)
        if self.refuses is not None:
            leg.ended_at = time.monotonic()
            self._endpoint.send(reply(message, self.refuses, tag=leg.tag), addr)
            return
        self._endpoint.send(reply(message, "180 Ringing", tag=leg.tag, contact=self._contact), addr)
        if self.ring_s is not None:
            asyncio.get_running_loop().call_later(self.ring_s, self._answer, leg)

    def _answer(self, leg: Leg) -> None:
        if not leg.open:
            return
        message, addr = self._asked[leg.call_id]
        body = audio(self._voice.port)
        lines = reply(message, "200 OK", tag=leg.tag, contact=self._contact, body=body)
        self._endpoint.send_until_answered((leg.call_id, message.header("cseq")), lines, addr, body)

    def _acknowledged(self, message: Message) -> None:
        self._endpoint.settle(message)
        leg = self._by_call.get(message.call_id)
        if leg is not None and leg.open and leg.answered_at is None:
            leg.answered_at = time.monotonic()
            self._voice.start(leg.call_id, leg.media_port, self.sound)

    def _cancelled(self, message: Message, addr: Any) -> None:
        self._endpoint.send(reply(message, "200 OK", tag="cancel"), addr)
        leg = self._by_call.get(message.call_id)
        if leg is not None and leg.answered_at is None and leg.open:
            leg.cancelled, leg.ended_at = True, time.monotonic()
            invite, where = self._asked[leg.call_id]
            self._endpoint.send(reply(invite, "487 Request Terminated", tag=leg.tag), where)

    def _ended(self, message: Message, addr: Any) -> None:
        self._endpoint.send(reply(message, "200 OK"), addr)
        leg = self._by_call.get(message.call_id)
        if leg is not None and leg.open:
            leg.ended_at = time.monotonic()
            self._voice.stop(leg.call_id)

    @property
    def _contact(self) -> str:
        return f"sip:provider@{LOOPBACK}:{self.port}"
