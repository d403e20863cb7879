"""Turns that tell how many callers came."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from infra.turns import Turns


class Noted(Turns):
    """Turns that count for how many callers other work has given way."""

    callers = 0

    @contextmanager
    def caller(self) -> Iterator[None]:
        """As :meth:`Turns.caller`."""
        self.callers += 1
        with super().caller():
            yield
