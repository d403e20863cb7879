"""Whether an Asterisk stays away: then its callers were cut off, and the calls of who rings back can go on elsewhere.

One that does not answer us may well serve its callers; so nobody is given up before everything says the same for
:data:`AWAY_S`: we cannot see it, no worker is connected to it, another Asterisk does answer us, and every call is
known. Time in which another one did not answer is not counted: our own network may be cut, and mend at one of them a
look before the other. By then the edge has ended its calls (ADR 29): at once where the process died, nine seconds after
its last answer where the machine did.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

from infra.clock import Clock
from infra.errors import StateUnavailable
from infra.lease import Leases, say_alive

AWAY_S = 10.0

CONNECTED_S = 3.0
"""How long the word holds that somebody is connected: a worker gives it every second, the watch at each look."""


class Absence:
    """Of one Asterisk, as one process finds it.

    ``connected``: whether anybody says that it is; ``say``: tell all that it is; ``another``: whether some other
    Asterisk answers now; ``trusted``: whether the door knows of every call now.
    """

    def __init__(
        self, clock: Clock, connected: Callable[[], Awaitable[bool]], say: Callable[[], Awaitable[None]],
        another: Callable[[], bool], trusted: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._clock = clock
        self._connected = connected
        self._say = say
        self._another = another
        self._trusted = trusted
        self._since: float | None = None

    async def answers(self) -> None:
        """It has answered a look: no call on it is lost, whatever was doubted before."""
        self._since = None
        with suppress(StateUnavailable):  # who cannot hear it takes nobody for lost
            await self._say()

    async def does_not_answer(self) -> None:
        """A look was in vain. Tell of each: what does not hold at one of them has not held all the time."""
        if not (self._another() and self._trusted()) or await self._connected():
            self._since = None
        elif self._since is None:
            self._since = self._clock.monotonic()

    @property
    def is_away(self) -> bool:
        """Whether its callers are to be given up."""
        return self._since is not None and self._clock.monotonic() - self._since >= AWAY_S and self._another()


async def say_connected(leases: Leases, edge: str) -> None:
    """The word of a worker, or of the watch, to all: the Asterisk called ``edge`` has a connection. One is enough."""
    await say_alive(leases, _name(edge), CONNECTED_S)


async def is_connected(leases: Leases, edge: str) -> bool:
    """Whether anybody says so; True, too, while that cannot be known."""
    try:
        return await leases.is_held(_name(edge))
    except StateUnavailable:
        return True


def _name(edge: str) -> str:
    return f"connected:{edge}"
