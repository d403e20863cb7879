"""When an Asterisk of the tests knows that its providers live."""

from __future__ import annotations

import threading
import time

from infra.asterisk.instance import Asterisk

# Asterisk asks its providers before it is ready to hear their answers, and takes each for dead a second later.
SETTLED_S = 3
PATIENCE_S = 30.0


def wait_alive(asterisk: Asterisk) -> None:
    """Return when it counts all of its providers as alive, and will not change its mind."""
    deadline = time.monotonic() + PATIENCE_S
    while not (_uptime(asterisk) >= SETTLED_S and _alive(asterisk) >= len(asterisk.settings.providers)):
        if time.monotonic() > deadline:
            raise AssertionError(f"providers are not alive: {asterisk.cli('pjsip show contacts')}")
        threading.Event().wait(0.1)


def _alive(asterisk: Asterisk) -> int:
    return asterisk.cli("pjsip show contacts").count(" Avail ")


def _uptime(asterisk: Asterisk) -> int:
    first = asterisk.cli("core show uptime seconds").splitlines()[0]
    return int(first.rpartition(":")[2])
