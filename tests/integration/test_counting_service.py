"""The whole service counts its own calls: live, in its history, and again from its journal."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from alerts.model import LONDON
from alerts.surges.tables import surge_calls
from callrouter.model import Arrival, Input, InputKind
from callrouter.running import running
from callrouter.settings import load_settings
from callrouter.wiring import Service, build
from infra.migrate import upgrade_database
from infra.numbers import read_number
from infra.turns import Turns

SOON_S = 60.0  # what takes a second; the rest is for a busy machine


class Noted(Turns):
    """Turns that note what runs as work that gives way."""

    def __init__(self) -> None:
        super().__init__()
        self.given_way = list[str]()

    def giving_way(self, work: Coroutine[Any, Any, Any]) -> Coroutine[Any, Any, Any]:
        self.given_way.append(work.__qualname__)
        return super().giving_way(work)


async def a_call(service: Service, call_ref: str) -> None:
    """A caller from Bromley who hangs up in the menu."""
    arrival = Arrival("test", "111", read_number("01689 960123"))
    for kind, value, given in ((InputKind.STARTED, "", arrival), (InputKind.HUNG_UP, "caller hung_up", None)):
        await service.calls.handle(call_ref, Input(f"{kind}", kind, service.clock.now(), "", value, arrival=given))


@pytest.mark.slow
async def test_live_figures_history_and_recount_of_a_running_service_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(tmp_path))
    service = build(load_settings())
    await upgrade_database(service.database)
    counting, day = service.counting, service.clock.now().astimezone(LONDON).date()
    async with running(service):
        for number in range(3):
            await a_call(service, f"call-{number}")

        async def counted() -> bool:
            areas = {each.scope.id: each.of("A01") for each in service.board.window("today", "area")}
            rows = await counting.history.tallies(day)
            return areas.get("bromley") == 3 and sum(tally.ends["left_in_message"] for tally in rows.values()) == 9

        async with asyncio.timeout(SOON_S):
            while not await counted():  # noqa: ASYNC110 - it is read, it does not call
                await asyncio.sleep(0.05)
        compared = await counting.check.day(day, service.clock.now())
        assert (compared.calls, compared.differ) == (3, {})
        await counting.recontacts.follow(service.clock.now())
        (told,) = await counting.recontacts.told(day, day)
        assert (told.callers, told.again) == (3, (2, 2, 2))


async def test_a_call_that_ends_as_the_service_is_stopped_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Redis the stream ends with the process: whoever reads it must have come to its end."""
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(tmp_path))
    turns = Noted()
    service = replace(build(load_settings()), turns=turns)
    await upgrade_database(service.database)
    async with running(service):
        await a_call(service, "first-call")
        await asyncio.sleep(0)  # its readers have begun to gather
        await a_call(service, "last-call")
    assert turns.given_way.count("repeat") > 5, "the readers of the stream give way to callers"
    assert "watch" not in turns.given_way, "who says whether SQL answers waits for nobody"
    again = build(load_settings())
    try:
        assert await counted_for_surges(again) == 2
        assert sorted(await again.counting.history.parts(["first-call", "last-call"])) == ["first-call", "last-call"]
    finally:
        await again.database.close()


async def counted_for_surges(service: Service) -> int:
    query = select(func.count()).select_from(surge_calls)
    return int(await service.database.read(lambda connection: connection.execute(query).scalar_one()))
