"""Servers that some tests need and a machine may lack: such a test is skipped, and says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class Missing(Exception):
    """It is not on this machine; the text says how to install it. ``what``: its name."""

    what = "SERVER"


@contextmanager
def or_skip() -> Iterator[None]:
    """``with or_skip(), RedisServer() as server:``."""
    try:
        yield
    except Missing as reason:
        pytest.skip(f"NO {reason.what}: {reason}")
