"""A wall clock that a test may step, as a wrong time server does, under processes that run: libfaketime beneath them.

Only the clock of the day steps. Monotonic clocks go on, as the kernel promises (clock_gettime(2)).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/local/lib/faketime/libfaketimeMT.so.1")


class WallClock:
    """Of all processes that were started with :attr:`environment`; right until the first :meth:`step`."""

    def __init__(self, folder: Path) -> None:
        found = [path for pattern in LIBRARIES for path in Path("/").glob(pattern.lstrip("/"))]
        if not found:
            pytest.skip("NO LIBFAKETIME: apt-get install libfaketime")
        self._file = folder / "wall-clock"
        self.environment = {
            "LD_PRELOAD": str(found[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",  # looked for at each look at the clock, it took an idle process half a core
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.step(timedelta())

    def step(self, off: timedelta) -> None:
        """Within a second the clock is so much ahead of the right time; negative: behind."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{off.total_seconds():+.0f}\n")
        new.rename(self._file)  # at once: no process reads half of it
