"""What fails again and again is told once a minute, not each time: a log of one line a second hides all others."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

TOLD_EVERY_S = 60.0

log = structlog.get_logger()


class Failing:
    """Tells the log how one piece of work that is tried again and again gets on.

    The first failure is told at once, as is the first of another type; then each type once a minute, with how many
    there were of all since the last line (``times``). One line says that the work goes again. So work that fails every
    other time tells no more than that.
    """

    def __init__(
        self, failed: str, goes_again: str, *, monotonic: Callable[[], float] = time.monotonic, **what: str
    ) -> None:
        """``failed`` and ``goes_again`` are the names of the lines; ``what`` stands in each of them."""
        self._failed = failed
        self._goes_again = goes_again
        self._monotonic = monotonic
        self._what = what
        self._told_at: dict[str, float] = {}  # by the error's type
        self._times = 0
        self._is_told = False

    def failed(self, error: BaseException, again_in_s: float) -> None:
        """It failed, and is tried again by and by."""
        now, kind = self._monotonic(), type(error).__name__
        self._times += 1
        told_at = self._told_at.get(kind)
        if told_at is not None and now - told_at < TOLD_EVERY_S:
            return
        log.error(self._failed, **self._what, error=kind, times=self._times, again_in_s=again_in_s)
        self._told_at[kind] = now
        self._times = 0
        self._is_told = True

    def goes(self) -> None:
        """It went; to be told each time."""
        if self._is_told:
            log.info(self._goes_again, **self._what)
            self._is_told = False
