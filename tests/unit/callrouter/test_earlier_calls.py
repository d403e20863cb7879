"""The page of a call asks about earlier ones: the answer is kept, details make a repeat caller certain."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from call_world import House

from callrouter import events as ev
from callrouter.approvals import RoleMissing
from callrouter.desk import Desk
from callrouter.handover import Role, SignedIn
from callrouter.model import MOST_LOOKS, InputKind
from callrouter.plans.matched_calls import JournalCalls
from callrouter.repeat.contacts import EarlierReport, External, RepeatCalls
from callrouter.repeat.earlier_calls import EarlierCalls, NotNow
from callrouter.repeat.patient import Patient
from callrouter.repeat.tables import metadata
from console.calls import add_calls
from console.earlier import add_earlier
from infra.bus import MemoryStream
from infra.numbers import Number, NumberClass
from infra.state import MemoryStates
from tests.console_browser import Console

ADA = Patient("Ada", "Fictional", date(1965, 2, 17), "female", "ZZ99 3AA")
HANNAH = SignedIn("Hannah", Role.HANDLER)
DETAILS = {
    "first_name": "Ada", "last_name": "Fictional", "born": "17/2/1965",
    "gender": "female", "postcode": "zz99 3aa",
}  # fmt: skip


@dataclass
class Talk:
    """A caller who talks to a handler, in front of the page of the call."""

    house: House
    repeats: RepeatCalls
    earlier: EarlierCalls
    context: str

    async def reported(self, *hours: float, patient: Patient = ADA) -> None:
        """Another provider has reported contacts of so many hours ago."""
        for n, each in enumerate(hours):
            started = self.house.clock.now() - timedelta(hours=each)
            report = EarlierReport(started, False, "South 111", "Dx06 within 6 hours", "Dizzy since Monday")
            told = External(f"doc{n}{each}", 1, "XX1", f"case{n}{each}", "", patient, (), report)
            await self.repeats.keep_external([told], self.house.clock.now())

    def console(self) -> Console:
        calls = JournalCalls(self.house.journal)
        pages = Desk(self.house.journal, self.house.door, cast(Any, None), calls, {}, self.house.clock)

        def add(router: Any, web: Any) -> None:
            add_calls(router, web, pages, self.house.clock)
            add_earlier(router, web, pages, self.earlier, self.house.clock)

        return Console(self.house.clock, add)


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    house = House(tmp_path)
    house._ids = (f"{n:032x}" for n in itertools.count(1))
    await house.open()
    await house.database.write(metadata.create_all)
    repeats = RepeatCalls(house.database, house.keys)
    await house.talk(evidence="agent")
    await house.writer.drain()
    record = await house.door.record("call")
    assert record is not None
    earlier = EarlierCalls(house.journal, house.door, repeats, house.clock, {})
    yield Talk(house, repeats, earlier, record.context)
    await house.close()


async def test_details_make_a_repeat_caller_certain_and_only_then_reports_are_shown(talk: Talk) -> None:
    await talk.reported(3, 50)
    similar = await talk.earlier.look(talk.context, replace(ADA, gender="", postcode=""), HANNAH)
    assert (similar.outcome, similar.reports) == ("PRC", ())
    found = await talk.earlier.look(talk.context, ADA, HANNAH)
    assert (found.outcome, [each.condition for each in found.reports]) == ("RC", ["Dizzy since Monday"] * 2)
    checked = await talk.house.events(ev.RepeatChecked)
    assert [(each.outcome, each.user) for each in checked] == [("PRC", "Hannah"), ("RC", "Hannah")]
    clear, _ = ev.split(checked[-1])
    assert set(clear) == {"role"}


async def test_who_was_told_of_is_known_when_they_call_from_elsewhere(talk: Talk) -> None:
    await talk.reported(50)
    await talk.earlier.look(talk.context, ADA, HANNAH)
    later, elsewhere = talk.house.clock.now() + timedelta(hours=5), Number(NumberClass.WITHHELD)

    assert (await talk.repeats.find(elsewhere, later, ADA)).outcome == "RC"
    assert (await talk.repeats.find(elsewhere, later, replace(ADA, first_name="Beth"))).outcome == "PRC"


async def test_only_who_takes_the_call_while_it_lasts_and_not_without_end(talk: Talk) -> None:
    with pytest.raises(RoleMissing):
        await talk.earlier.look(talk.context, ADA, SignedIn("Paul", Role.PUBLIC_HEALTH))
    with pytest.raises(NotNow, match="at least three"):
        await talk.earlier.look(talk.context, Patient("Ada", "Fictional"), HANNAH)
    with pytest.raises(NotNow, match="no such call"):
        await talk.earlier.look("f" * 32, ADA, HANNAH)
    for _ in range(MOST_LOOKS):  # quicker than the journal is written
        await talk.earlier.look(talk.context, ADA, HANNAH)
    with pytest.raises(NotNow, match="limit"):
        await talk.earlier.look(talk.context, ADA, HANNAH)
    await talk.house.tell(InputKind.HUNG_UP, "caller hung_up")
    await talk.house.writer.drain()
    talk.house.clock.move(3601)
    with pytest.raises(NotNow, match="an hour ago"):
        await talk.earlier.answered(talk.context, "yes", HANNAH)


async def test_a_look_that_cannot_be_recorded_shows_nothing(talk: Talk) -> None:
    await talk.reported(3, 50)
    started_again = talk.house.new_door(states=MemoryStates(MemoryStream()))  # the call is forgotten
    earlier = EarlierCalls(talk.house.journal, started_again, talk.repeats, talk.house.clock, {})
    with pytest.raises(NotNow, match="recorded"):
        await earlier.look(talk.context, ADA, HANNAH)


async def test_the_page_asks_and_keeps_the_answer(talk: Talk) -> None:
    path = f"/calls/{talk.context}"
    async with talk.console().browser(HANNAH) as browser:
        page = await browser.client.get(path)
        assert "Have you, or has someone for you, called 111 twice" not in page.text  # NRC: nobody is asked
        await talk.house.door.note("call", ev.RepeatChecked(outcome="PRC", reason="by_number", role="handler"))
        await talk.house.writer.drain()
        page = await browser.client.get(path)
        assert "Have you, or has someone for you, called 111 twice in the last four days?" in page.text
        await browser.send(f"{path}/asked", {"answer": "yes"}, of=path)
        await talk.house.writer.drain()
        page = await browser.client.get(path)
        assert "The caller was asked about earlier calls: <strong>yes</strong>" in page.text
    (answered,) = await talk.house.events(ev.RepeatAnswered)
    assert (answered.answer, answered.user, ev.split(answered)[0]) == ("yes", "Hannah", {"role": "handler"})


async def test_the_page_looks_again_and_puts_no_detail_into_an_address(talk: Talk) -> None:
    await talk.reported(3, 50)
    path = f"/calls/{talk.context}"
    async with talk.console().browser(HANNAH) as browser:
        refused = await browser.send(f"{path}/earlier", {**DETAILS, "born": "31 2 1965"}, of=path)
        assert (refused.status_code, "must be a real date" in refused.text) == (422, True)
        too_few = await browser.send(f"{path}/earlier", {"first_name": "Ada"}, of=path)
        assert (too_few.status_code, "at least three" in too_few.text) == (422, True)
        found = await browser.send(f"{path}/earlier", DETAILS, of=path)
        assert found.status_code == 200
        assert found.text.count("Dizzy since Monday") == 2
        assert "Ada" not in str(found.url)
