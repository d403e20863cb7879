"""Garbage is looked for between callers."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from infra.garbage import looking


class Circle:
    """Holds itself, so that only a search finds it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def nobody_else_looks() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("nobody_else_looks")
async def test_what_holds_itself_is_found_though_python_does_not_look() -> None:
    found = asyncio.Event()
    circle = Circle()
    weakref.finalize(circle, found.set)
    del circle
    assert not found.is_set()

    look = asyncio.create_task(looking(every_s=0))
    await asyncio.wait_for(found.wait(), 10)

    look.cancel()
    await asyncio.gather(look, return_exceptions=True)
