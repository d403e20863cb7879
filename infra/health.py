"""What the service stands on, and how each part of it is: told by the parts, asked by operators and alerts.

A part says its own state when it learns of it; nobody is asked because somebody looks. What cannot speak for
itself (a database) is asked by one loop, :func:`watch`, however many look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import structlog

from infra.clock import Clock
from infra.loops import until_next

log = structlog.get_logger()

ASK_EVERY_S = 2.0
"""Between questions to a part that cannot speak for itself: staff are told after seconds, not milliseconds."""

ANSWER_S = 2.0
"""A part that takes longer than this for a question that costs nothing is failing."""

State = Literal["starting", "ok", "failed"]


@dataclass(frozen=True, slots=True)
class Part:
    """One dependency. ``since``: when it came into this state (UTC). ``why``: a stable word, never an address."""

    name: str
    state: State
    since: datetime
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Kept:
    part: Part
    since_s: float  # on the monotonic clock: since it works, or does not, whatever it is called


class Health:
    """The register of parts. A change of state is logged once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._parts: dict[str, _Kept] = {}

    def expect(self, name: str) -> None:
        """The part will be used and has not been heard of yet; one that never comes counts as failing."""
        self._say(name, "starting", "")

    def ok(self, name: str) -> None:
        """The part works."""
        self._say(name, "ok", "")

    def failed(self, name: str, why: str) -> None:
        """The part does not work; ``why`` is a stable word for operators (``timed_out``, a class of error)."""
        self._say(name, "failed", why)

    def parts(self) -> tuple[Part, ...]:
        """Every part that has spoken, in the order of names."""
        return tuple(self._parts[name].part for name in sorted(self._parts))

    def works(self, name: str) -> bool:
        """Whether the part has said that it works, and nothing else since."""
        return name in self._parts and self._parts[name].part.state == "ok"

    def failing_s(self) -> dict[str, float]:
        """For how many seconds each part has not worked; 0 for those that do."""
        now = self._clock.monotonic()
        return {name: 0.0 if self.works(name) else now - self._parts[name].since_s for name in sorted(self._parts)}

    def _say(self, name: str, state: State, why: str) -> None:
        before = self._parts.get(name)
        if before is not None and before.part.state == state:
            return
        since_s = self._clock.monotonic()
        if before is not None and "ok" not in (before.part.state, state):
            # A part that never came and now says so has not worked any better in between: its alert would clear.
            since_s = before.since_s
        self._parts[name] = _Kept(Part(name, state, self._clock.now(), why), since_s)
        if state == "failed":
            log.error("part_failed", part=name, why=why)
        elif state == "ok" and before is not None and before.part.state == "failed":
            log.info("part_back", part=name, failed_s=round(self._clock.monotonic() - before.since_s, 1))


async def watch(
    health: Health,
    name: str,
    ask: Callable[[], Awaitable[object]],
    *,
    every_s: float = ASK_EVERY_S,
    answer_s: float = ANSWER_S,
) -> None:
    """Ask a part again and again, until cancelled; an error, or no answer in ``answer_s``, is a failure."""
    while True:
        try:
            async with asyncio.timeout(answer_s):
                await ask()
        except TimeoutError:
            health.failed(name, "timed_out")
        except Exception as error:  # noqa: BLE001 - whatever it raises: it does not work
            health.failed(name, type(error).__name__)
        else:
            health.ok(name)
        await asyncio.sleep(until_next(every_s))
