"""A wall clock that a test may step, as a wrong time server does, under processes that run: a library beneath them.

Only the clock of the day steps (``wall_clock.c``). Monotonic clocks go on, as the kernel promises (clock_gettime(2)),
and no wait is touched. libfaketime 0.9.10, which was here before, takes the timed waits too: with its clock right, a
Python thread waited 50 ms for the interpreter while another computed (6 ms without it), and ``time.sleep`` failed.
Workers slowed like that are what a round then measured.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")


class WallClock:
    """Of all processes that were started with :attr:`environment`; right until the first :meth:`step`."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("NO C COMPILER: apt-get install gcc libc6-dev")
        library, self._file = folder / "wall-clock.so", folder / "wall-clock"
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
        self.environment = {"LD_PRELOAD": str(library), "WALL_CLOCK_FILE": str(self._file)}
        self.step(timedelta())

    def step(self, off: timedelta) -> None:
        """From now on the clock is so many whole seconds ahead of the right time; negative: behind."""
        with self._file.open("r+b" if self._file.exists() else "wb", buffering=0) as file:  # the file that is mapped
            file.write(struct.pack("=q", round(off.total_seconds())))
