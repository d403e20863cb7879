"""A circuit breaker: what has failed several times in a row is not asked for a while, so that nobody waits for it.

::

    closed ── `trips` failures in a row ──▶ open ── after `pause_s`: one probe ──▶ probing
      ▲                                      ▲                                        │
      └───────────── it succeeds ────────────┼──────────────── it fails ──────────────┤
                                             └── nothing heard of it in `pause_s`: another probe

Nygard, *Release It!*, "Circuit Breaker". A slow answer is a failure: whoever asks has a budget and knows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

TRIPS = 3
"""Failures in a row before it opens: one may be chance, and each costs a caller the whole budget."""

PAUSE_S = 5.0
"""Between probes: one caller in five seconds pays the budget for the rest, and a service that is back is used soon."""

State = Literal["closed", "open", "probing"]


class Breaker:
    """Guards one port. Ask :meth:`allows` before, then tell :meth:`succeeded` or :meth:`failed`, or nothing.

    Nothing is told where the question was given up (the caller has gone): that says nothing about the port.
    ``monotonic`` gives seconds that only go forward. ``on_change`` hears when it opens (True) and when it is
    closed again (False), once each.
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        *,
        trips: int = TRIPS,
        pause_s: float = PAUSE_S,
        on_change: Callable[[bool], None] = lambda _open: None,
    ) -> None:
        self._monotonic = monotonic
        self._trips = trips
        self._pause_s = pause_s
        self._on_change = on_change
        self._failures = 0
        self._state: State = "closed"
        self._next_probe = 0.0

    @property
    def state(self) -> State:
        """Where it stands."""
        return self._state

    def allows(self) -> bool:
        """Whether to ask now. While not closed, True is said to one asker in every ``pause_s`` seconds: the probe."""
        if self._state == "closed":
            return True
        if self._monotonic() < self._next_probe:
            return False
        self._state = "probing"
        self._next_probe = self._monotonic() + self._pause_s
        return True

    def succeeded(self) -> None:
        """An answer came in time. While open it is that of a question from before, and changes nothing."""
        self._failures = 0
        if self._state == "probing":
            self._state = "closed"
            self._on_change(False)

    def failed(self) -> None:
        """No answer, a late one, or an error."""
        if self._state == "closed":
            self._failures += 1
            if self._failures < self._trips:
                return
            self._on_change(True)
        elif self._state == "open":
            return
        self._state = "open"
        self._next_probe = self._monotonic() + self._pause_s
