"""The wallboard: who may read it, what it says of the unknown, and what its stream sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from console_world import SetBoard, World, lively_figures

from callrouter.handover import Role, SignedIn
from console.board import board


async def get(world: World, path: str, role: Role | None = None, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=world.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://console.test") as client:
        if role is not None:
            client.cookies.set(world.sessions.cookie_name, world.sessions.sign(SignedIn("Sam", role)))
        return await client.get(path, headers=headers)


@pytest.mark.parametrize("role", sorted(Role))
async def test_any_role_reads_the_wallboard(role: Role) -> None:
    page = await get(World(), "/", role)
    assert page.status_code == 200
    for words in ("South East London", "2:07", "Over 60 s", "449 of 470", "95.5%", "1,204"):
        assert words in page.text


async def test_without_sign_in_only_an_open_wallboard_is_read() -> None:
    assert (await get(World(), "/")).headers["location"] == "/sign-in?next=%2F"
    assert (await get(World(), "/wallboard/events", accept="text/event-stream")).status_code == 401
    assert (await get(World(open_wallboard=True), "/")).status_code == 200


async def test_page_is_complete_without_scripts() -> None:
    page = await get(World(), "/", Role.COMMISSIONER)
    assert page.text.count("data-row=") >= 5
    assert page.text.count('data-t="') == 30


def test_unknown_is_never_shown_as_zero() -> None:
    shown = board(None, ())
    assert {text for name, text in shown.total.cells.items() if not name.endswith("_share")} == {"not known"}


def test_unknown_single_figures_are_said_to_be_unknown() -> None:
    @dataclass(frozen=True)
    class Dead:
        scope: str = "dead"
        name: str = "Dead feed"
        offered: int | None = None
        waiting: int | None = None
        longest_wait_s: float | None = None
        answered: int | None = None
        answered_within_60: int | None = None
        abandoned: int | None = None

    @dataclass(frozen=True)
    class WithDead:
        at: Any
        total: Any
        providers: tuple[Dead, ...] = (Dead(),)

    figures = lively_figures()
    row = board(WithDead(figures.at, figures.total), ()).rows[0]
    counts = {name: text for name, text in row.cells.items() if not name.endswith("_share")}
    assert set(counts.values()) == {"not known"}
    assert row.late is False


@pytest.mark.parametrize(
    ("waiting", "longest", "text", "late"),
    [(0, 0.0, "none", False), (1, 0.4, "0:00", False), (1, 60.0, "1:00", False), (1, 60.1, "1:00", True),
     (3, 3727.0, "1:02:07", True)],
)  # fmt: skip
def test_longest_wait(waiting: int, longest: float, text: str, late: bool) -> None:
    live = SetBoard()
    live.set_total(waiting=waiting, longest_wait_s=longest)
    shown = board(live.figures(), ())
    assert (shown.total.cells["longest"], shown.total.late) == (text, late)


def test_no_share_of_nothing() -> None:
    live = SetBoard()
    live.set_total(offered=0, answered=0, answered_within_60=0, abandoned=0)
    cells = board(live.figures(), ()).total.cells
    assert (cells["within_60_share"], cells["abandoned_share"], cells["within_60"]) == ("", "", "0 of 0")
