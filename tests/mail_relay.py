"""A mail relay on loopback, in the test's own loop: what the service posts to it by SMTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import Message
from typing import Any

from aiosmtpd.smtp import SMTP


class Relay:
    """Keeps what it takes; ``port`` is where it listens."""

    def __init__(self) -> None:
        self.mails: asyncio.Queue[Message] = asyncio.Queue()
        self.port = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        self.mails.put_nowait(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"

    async def next_subject(self, within_s: float) -> str:
        return str((await asyncio.wait_for(self.mails.get(), within_s))["Subject"])


@asynccontextmanager
async def mail_relay() -> AsyncIterator[Relay]:
    relay = Relay()
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: SMTP(relay, hostname="relay"), "127.0.0.1", 0) as server:
        relay.port = server.sockets[0].getsockname()[1]
        yield relay
