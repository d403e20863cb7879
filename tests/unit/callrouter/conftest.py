"""A house with one door for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from call_world import House, NewHouse


@pytest.fixture
async def new_house(tmp_path: Path) -> AsyncIterator[NewHouse]:
    """Makes houses with other providers or another flow."""
    houses: list[House] = []

    async def make(**differently: Any) -> House:
        houses.append(House(tmp_path, **differently))
        await houses[-1].open()
        return houses[-1]

    yield make
    for house in houses:
        await house.close()


@pytest.fixture
async def house(new_house: NewHouse) -> House:
    """A house where everybody is free and nobody is known."""
    return await new_house()
