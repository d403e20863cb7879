"""The pages of alerts over HTTP: what fires, who takes it on, silences, and who may do what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import APIRouter

from alerts.life.service import AlertService
from alerts.life.store import AlertStore, metadata
from alerts.model import Figures, Notice, Parts, Recipient, Rule, ScopeFigures, page_of
from callrouter.alerting.desk import AlertDesk
from callrouter.approvals import RoleMissing
from callrouter.handover import Role, SignedIn
from console.alerts import add_alerts
from console.web import Web
from infra.sql import Database, connect_database
from tests.console_browser import Console
from tests.hand_clock import HandClock

COMMISSIONER = SignedIn("Cara", Role.COMMISSIONER, "s-cara")
HANDLER = SignedIn("Hal", Role.HANDLER, "s-hal")
SLOW = Rule(
    name="longest-wait", title="Callers wait too long", metric="longest_wait_s", threshold=180, clear=120, for_s=0,
    severity="warning", usually_helps="Ask for more call handlers.", source="a test", link="https://calls.example/",
    who=(Recipient("Duty manager", "email", "duty@example.nhs.invalid"),),
)  # fmt: skip
WORSE = replace(SLOW, name="ten-minutes", title="A caller has waited ten minutes", threshold=600, severity="critical")
UNKNOWN = replace(SLOW, name="abandoned", metric="abandoned_share", threshold=0.03, clear=0.02)
PAGE = f"/alerts/{page_of('longest-wait')}"
WORSE_PAGE = f"/alerts/{page_of('ten-minutes')}"


class House:
    """A service whose longest wait the test sets, with its pages."""

    def __init__(self, database: Database) -> None:
        self.clock = HandClock()
        self.wait_s = 0.0
        self.taken: list[Notice] = []
        self.store = AlertStore(database)
        self.service = AlertService((SLOW, WORSE, UNKNOWN), self.figures, {"email": self}, self.store, self.clock)
        self.desk = AlertDesk(self.service, self.clock)

    def figures(self) -> Figures:
        total = ScopeFigures(scope="total", name="Whole service", longest_wait_s=self.wait_s)
        return Figures(self.clock.now(), total, ())

    async def send(self, notice: Notice) -> None:
        self.taken.append(notice)

    async def wait(self, seconds: float) -> None:
        self.wait_s = seconds
        await self.service.tick()

    def console(self) -> Console:
        def add(router: APIRouter, web: Web) -> None:
            add_alerts(router, web, self.desk)

        return Console(self.clock, add)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    database = connect_database(f"sqlite:///{tmp_path}/alerts.db")
    await database.write(metadata.create_all)
    yield House(database)
    await database.close()


async def test_whom_mail_does_not_reach_stands_on_the_page(house: House) -> None:
    async with house.console().browser(COMMISSIONER) as cara:
        assert "Mail does not reach everybody" not in (await cara.client.get("/alerts")).text
        await house.store.bounce("duty@example.nhs.invalid", house.clock.now())
        page = (await cara.client.get("/alerts")).text
    assert "Duty manager: mail comes back since" in page
    assert "duty@example" not in page


async def test_from_the_notice_to_taking_it_on_to_its_end(house: House) -> None:
    await house.wait(200)
    assert house.taken[0].link == f"https://calls.example{PAGE}"
    async with house.console().browser(HANDLER) as hal:
        shown = (await hal.client.get(PAGE)).text
        for told in ("Callers wait too long", "Nobody has taken it on", "Ask for more call handlers.", "3 min 20 s",
                     "fires from 3 min 0 s, clears below 2 min 0 s", "nobody has verified them yet",
                     "Duty manager by email: fired"):  # fmt: skip
            assert told in shown
        assert "Silence it" not in shown, "a handler takes it on, and silences nothing"
        taken = await hal.send(f"{PAGE}/acknowledge", of=PAGE)
        assert "<strong>Hal</strong> took it on" in taken.text
        await house.wait(0)
        assert ">Over</strong>" in (await hal.client.get(PAGE)).text
    assert [each.kind for each in house.taken] == ["fired", "cleared"]


async def test_the_page_of_an_alert_stays_while_it_may_begin_again(house: House) -> None:
    await house.wait(200)
    await house.wait(0)
    house.clock.move(1)
    house.service = AlertService((replace(SLOW, for_s=30),), house.figures, {"email": house}, house.store, house.clock)
    house.desk = AlertDesk(house.service, house.clock)
    await house.wait(200)
    async with house.console().browser(HANDLER) as hal:
        shown = (await hal.client.get(PAGE)).text
    assert "It was over at Sat 28 March 2026, 12:00." in shown
    assert "Over its bound again" in shown
    async with house.console().browser(COMMISSIONER) as cara:
        listed = (await cara.client.get("/alerts")).text
    assert "not yet for long enough to tell anybody" in listed
    assert "12:00, if it stays so" in listed
    house.clock.move(30)
    await house.wait(200)
    steps = [each.kind for each in reversed(await house.service.steps("longest-wait"))]
    assert steps[-3:] == ["pending", "fired", "sent"]
    async with house.console().browser(COMMISSIONER) as cara:
        assert "Over its bound</strong>: for 30 s until it began" in (await cara.client.get(PAGE)).text
        assert "not yet for long enough" not in (await cara.client.get("/alerts")).text


async def test_what_another_process_sees_is_taken_on_here_and_again_when_it_comes_again(house: House) -> None:
    rule = replace(SLOW, name="down", metric="dependency_down_s", dependency=None)
    parts = Parts({"redis": 0.0})
    house.service = AlertService((rule,), house.figures, {}, house.store, house.clock, parts=lambda: parts)
    house.desk = AlertDesk(house.service, house.clock)
    page = f"/alerts/{page_of('down:redis')}"
    async with house.console().browser(HANDLER) as hal:
        assert "It works for the process that shows this page" in (await hal.client.get(page)).text
        for _ in range(2):
            taken = await hal.send(f"{page}/acknowledge", of=page)
            assert "<strong>Hal</strong> took it on" in taken.text


async def test_what_has_cleared_meanwhile_cannot_be_taken_on(house: House) -> None:
    await house.wait(200)
    async with house.console().browser(HANDLER) as hal:
        await hal.client.get(PAGE)
        await house.wait(0)
        house.clock.move(1)
        answer = await hal.send(f"{PAGE}/acknowledge", of=PAGE)
        assert answer.status_code == 409
        assert "It has cleared" in answer.text


async def test_the_list_shows_the_worst_first_and_what_nobody_can_judge(house: House) -> None:
    await house.wait(700)
    async with house.console().browser(COMMISSIONER) as cara:
        listed = (await cara.client.get("/alerts")).text
        assert listed.index("A caller has waited ten minutes") < listed.index("Callers wait too long")
        assert "abandoned: the figures are not known yet" in listed
        await house.wait(0)
        listed = (await cara.client.get("/alerts")).text
        assert "Nothing fires" in listed
        assert listed.count("Callers wait too long: Whole service") == 1, "among what was over last"


async def test_a_silence_has_a_reason_and_an_end_and_is_lifted(house: House) -> None:
    await house.wait(700)
    console = house.console()
    async with console.browser(COMMISSIONER) as cara:
        refused = await cara.send(f"{PAGE}/silence", {"reason": " ", "hours": "1"}, of=PAGE)
        assert refused.status_code == 422
        assert "Say why nobody is to be told" in refused.text
        too_long = await cara.send(f"{WORSE_PAGE}/silence", {"reason": "a test", "hours": "8"}, of=WORSE_PAGE)
        assert "It may last 4 hours at most" in too_long.text
        for no_length in ("soon", "nan", "inf"):
            typed = {"reason": "a test", "hours": no_length}
            assert (await cara.send(f"{PAGE}/silence", typed, of=PAGE)).status_code == 422
        made = await cara.send(f"{PAGE}/silence", {"reason": "A planned test of the sirens", "hours": "2"}, of=PAGE)
        assert "Silenced until Sat 28 March 2026, 14:00" in made.text
        await house.service.tick()
        assert "Nobody is told: silenced by Cara" in (await cara.client.get("/alerts")).text
        (silence,) = await house.service.silences()
        lifted = await cara.send("/alerts/lift", {"silence": silence.id}, of=PAGE)
        assert lifted.url.path == PAGE
        assert await house.service.silences() == []
        again = await cara.send("/alerts/lift", {"silence": silence.id}, of=PAGE)
        assert again.url.path == "/alerts"


async def test_roles_are_enforced_in_the_service_and_pages_alike(house: House) -> None:
    await house.wait(200)
    for refused in (
        house.desk.overview(HANDLER),
        house.desk.silence(PAGE.rpartition("/")[2], HANDLER, "a test", 1),
        house.desk.lift("any", HANDLER),
    ):
        with pytest.raises(RoleMissing):
            await refused
    async with house.console().browser(HANDLER) as hal:
        assert (await hal.client.get("/alerts")).status_code == 403
        assert (await hal.send(f"{PAGE}/silence", {"reason": "a test", "hours": "1"}, of=PAGE)).status_code == 403
        assert (await hal.client.get("/alerts/0123456789abcdef")).status_code == 404
        assert (await hal.send(f"{PAGE}/dance", of=PAGE)).status_code == 404


async def test_a_form_of_elsewhere_takes_nothing_on(house: House) -> None:
    await house.wait(200)
    async with house.console().browser(HANDLER) as hal:
        answer = await hal.client.post(f"{PAGE}/acknowledge", data={"token": "of elsewhere"})
        assert answer.status_code in (400, 403)
    assert (await house.service.shown())[0].state.phase == "firing"
