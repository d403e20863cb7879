"""The websocket to Asterisk, without a queue and a task for each message on its way: that was a tenth of our CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import Event, State


class Socket(ClientConnection):
    """A connection that gives each whole text to ``heard`` as it comes in, and writes at once.

    Pass ``partial(Socket, heard)`` to :func:`websockets.asyncio.client.connect`. ``heard`` must not raise.
    """

    def __init__(self, heard: Callable[[Socket, bytes], None], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._heard = heard
        self._parts: list[bytes] = []

    def process_event(self, event: Event) -> None:
        """Whatever comes: an answer to our handshake, a piece of a text, a sign of life."""
        if (
            isinstance(event, Response)
            or not isinstance(event, Frame)
            or event.opcode not in (Opcode.TEXT, Opcode.CONT)
        ):
            super().process_event(event)
            return
        self._parts.append(bytes(event.data))
        if event.fin:
            whole, self._parts = b"".join(self._parts), []
            self._heard(self, whole)

    def say(self, text: bytes) -> bool:
        """Send a text; False if the connection is not open. It never waits: who asks limits how long for an answer."""
        if self.protocol.state is not State.OPEN:
            return False
        self.protocol.send_text(text)
        self.send_data()
        return True

    def drop(self) -> None:
        """End the connection without a word."""
        self.transport.abort()
