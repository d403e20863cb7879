"""Replies that no adapter asked for (an offer, a deadline) find their way to whoever holds the caller's line.

A call may be moved by any process: the one that frees a line, or that notices a deadline. The line itself is held
by one. If that is another process, it is told to look again; should it never hear so, the call's deadline passes
and the sweep brings the caller on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from callrouter.errors import UnknownCall
from callrouter.model import Reply
from callrouter.ports import Nudge, Performer


class Pushing:
    """The adapters of this process, by network. ``nudge`` tells the other processes; None if there are none."""

    def __init__(
        self,
        present: Callable[[str], Awaitable[Reply]],
        give_up: Callable[[str, str], Awaitable[bool]],
        nudge: Nudge | None,
    ) -> None:
        self._present = present
        self._give_up = give_up
        self._nudge = nudge
        self._performers: dict[str, list[Performer]] = {}

    def add(self, network: str, performer: Performer) -> None:
        """One more adapter that holds lines of ``network``."""
        self._performers.setdefault(network, []).append(performer)

    async def push(self, network: str, reply: Reply) -> None:
        """Have the reply performed. A network without performers asks by itself (Twilio's rounds of hold)."""
        performers = self._performers.get(network, [])
        for performer in performers:
            if performer.owns(reply.call_ref):
                await performer.perform(reply)
                return
        if self._nudge is not None:
            await self._nudge(reply.call_ref)
        elif performers:
            # the caller went on without us: nobody else may wait for the line that this reply has reserved
            await self._give_up(reply.call_ref, "line_lost")

    async def nudged(self, call_ref: str) -> None:
        """Perform what the call waits for now, if its line is held here."""
        for performers in self._performers.values():
            for performer in performers:
                if performer.owns(call_ref):
                    try:
                        await performer.perform(await self._present(call_ref))
                    except UnknownCall:
                        return
