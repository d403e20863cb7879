"""The pages of surges over HTTP: from a proposal to a message that callers hear, and off again; who may do what."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import APIRouter

from alerts.surges.indicators import read_indicators
from alerts.surges.model import Found, Screened, Series
from alerts.surges.store import ProposalStore
from callrouter.approvals import RoleMissing
from callrouter.handover import Role, SignedIn
from callrouter.surges.desk import AssessedAlready, NoTemplate, SurgeDesk
from console.messages import add_messages
from console.surges import add_surges
from console.web import Web
from infra.areas import london
from infra.migrate import upgrade_database
from infra.sql import Database, connect_database
from tests.console_browser import Console
from tests.message_world import ADA, ANN, CAZ, HAL, TUESDAY, World, world_on
from tests.surge_past import write_past

PIA = SignedIn("Pia", Role.PUBLIC_HEALTH, "s-pia")
BROMLEY = Series("cold_or_flu", "bromley")


@dataclass
class House:
    """Messages and surges on one database, with a surge in Bromley that one look has found."""

    world: World
    store: ProposalStore
    desk: SurgeDesk
    id: str

    def console(self) -> Console:
        def add(router: APIRouter, web: Web) -> None:
            add_surges(router, web, self.desk)
            add_messages(router, web, self.world.service, self.world.clock)

        return Console(self.world.clock, add)

    async def heard(self) -> list[str]:
        """What a caller in Bromley hears who asked about a cold or flu."""
        return await self.world.markers(area="bromley", service="pharmacy")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with four days of counts, to be copied."""
    file = tmp_path_factory.mktemp("made") / "surges.db"

    async def make() -> None:
        database = connect_database(f"sqlite:///{file}")
        await upgrade_database(database)
        await database.write(lambda connection: write_past(connection, TUESDAY, days=4, surge={"bromley": 5.0}))
        await database.close()

    with ThreadPoolExecutor(1) as thread:  # a fixture may be made within a running loop
        thread.submit(asyncio.run, make()).result()
    return file


@pytest.fixture
async def house(made: Path, tmp_path: Path) -> AsyncIterator[House]:
    shutil.copy(made, tmp_path / "surges.db")
    database = connect_database(f"sqlite:///{tmp_path}/surges.db")
    yield await surge_house(database, tmp_path)
    await database.close()


async def surge_house(database: Database, folder: Path) -> House:
    world, store = world_on(database, folder), ProposalStore(database)
    found = Found(BROMLEY, "hourly", "surge", TUESDAY - timedelta(hours=4), 18.9, 1)
    await store.record(Screened(TUESDAY, 6, 5, (found,), frozenset(), {"too little history": 1}))
    desk = SurgeDesk(database, store, world.service, read_indicators(), london(), world.clock)
    return House(world, store, desk, (await store.recent(TUESDAY))[0].id)


async def test_from_a_proposal_to_a_message_that_callers_hear_and_off_again(house: House) -> None:
    console, page = house.console(), f"/surges/{house.id}"
    async with console.browser(PIA) as pia:
        assert "Cold or flu: Bromley" in (await pia.client.get("/surges")).text
        draft = await pia.send(f"{page}/act", of=page)
        message = draft.url.path
        assert message.startswith("/messages/")
        for prefilled in ("Many callers with a cold or flu: Bromley", "ask a pharmacist", "Thu 26 March 2026, 10:00"):
            assert prefilled in draft.text
        assert (await pia.send(f"{message}/approve", of=message)).status_code == 403
    async with console.browser(CAZ) as caz:
        await caz.send(f"{message}/approve", of=message)
    assert await house.heard() == []
    async with console.browser(PIA) as pia:
        await pia.send(f"{message}/release", of=message)
        assert await house.heard() == ["cold-or-flu-bromley"]
        assert "Acted on</strong> by Pia, public health" in (await pia.client.get(page)).text
        await house.store.record(Screened(TUESDAY + timedelta(minutes=15), 6, 6, (), frozenset({BROMLEY})))
        assert "Faded: take the message off?" in (await pia.client.get("/surges")).text
        assert message in (await pia.client.get(page)).text
        await pia.send(f"{message}/stop", of=message)
        assert "Faded: take the message off?" not in (await pia.client.get("/surges")).text
    assert await house.heard() == []


async def test_of_two_surges_at_once_each_has_its_message_in_its_place_and_where_both_are_both_are_heard(
    house: House,
) -> None:
    later = TUESDAY + timedelta(minutes=15)
    series = (BROMLEY, Series("cough", "bromley"), Series("cough", "croydon"))
    found = tuple(Found(each, "hourly", "surge", TUESDAY - timedelta(hours=4), 9.0, 1) for each in series)
    await house.store.record(Screened(later, 8, 8, found, frozenset()))
    console, messages = house.console(), []
    async with console.browser(PIA) as pia:
        listed = (await pia.client.get("/surges")).text
        proposals = await house.store.recent(TUESDAY)
        assert {each.series for each in proposals} == set(series)
        for each in proposals:
            assert f"/surges/{each.id}" in listed
            draft = await pia.send(f"/surges/{each.id}/act", of=f"/surges/{each.id}")
            messages.append(draft.url.path)
    async with console.browser(CAZ) as caz:
        for message in messages:
            assert (await caz.send(f"{message}/approve", of=message)).status_code == 200
    async with console.browser(PIA) as pia:
        for message in messages:
            assert (await pia.send(f"{message}/release", of=message)).status_code == 200
    assert sorted(await house.heard()) == ["cold-or-flu-bromley", "cough-bromley"]
    assert await house.world.markers(area="croydon", service="pharmacy") == ["cough-croydon"]
    assert await house.world.markers(area="barnet", service="pharmacy") == []


async def test_a_dismissal_has_a_reason_and_a_name(house: House) -> None:
    page = f"/surges/{house.id}"
    async with house.console().browser(PIA) as pia:
        refused = await pia.send(f"{page}/dismiss", {"reason": "  "}, of=page)
        assert (refused.status_code, "Say in a few words why" in refused.text) == (422, True)
        assert "Watched</strong> by Pia" in (await pia.send(f"{page}/watch", of=page)).text
        done = await pia.send(f"{page}/dismiss", {"reason": "Surgery moved <its> clinic"}, of=page)
        assert "Dismissed</strong> by Pia, public health: Surgery moved &lt;its&gt; clinic" in done.text
        assert (await pia.send(f"{page}/act", of=page)).status_code == 409
        assert "Nothing is to be assessed" in (await pia.client.get("/surges")).text
    assert await house.world.service.newest(PIA) == []


async def test_only_public_health_and_clinical_safety_assess_also_past_the_page(house: House) -> None:
    page = f"/surges/{house.id}"
    for who in (ANN, ADA):
        async with house.console().browser(who) as browser:
            assert "Draft the message" not in (await browser.client.get(page)).text
            assert (await browser.send(f"{page}/act", of=page)).status_code == 403
        with pytest.raises(RoleMissing):
            await house.desk.watch(house.id, who)
        with pytest.raises(RoleMissing):
            await house.desk.dismiss(house.id, "no", who)
    async with house.console().browser(HAL) as hal:
        assert (await hal.client.get("/surges")).status_code == 403
        assert (await hal.client.get(page)).status_code == 403
    async with house.console().browser(PIA) as pia:
        assert (await pia.client.get("/surges/0123456789abcdef")).status_code == 404


async def test_each_signal_stands_as_count_and_as_share(house: House) -> None:
    sheet = await house.desk.sheet(house.id, PIA)
    hour = max(sheet.hours, key=lambda each: each.demand or 0)
    assert hour.share is not None
    assert 0 < hour.share == (hour.demand or 0) / hour.calls < 1
    async with house.console().browser(PIA) as pia:
        page = (await pia.client.get(f"/surges/{house.id}")).text
    assert f'<td class="nhsuk-table__cell">{hour.share:.1%}'.replace("%", " %") in page
    assert page.count("surge__chart") == 2
    assert "Share of all calls, last 3 hours" in page
    other = await house.desk.sheet(house.id, ANN)
    assert all(each.share is None for each in other.hours if each.demand is None)


async def test_numbers_under_5_and_what_tells_them_are_for_clinical_roles_alone(house: House) -> None:
    clinical, other = await house.desk.sheet(house.id, PIA), await house.desk.sheet(house.id, ANN)
    small = [place for place, each in enumerate(clinical.hours) if (each.demand or 0) < 5]
    assert small
    assert [place for place, each in enumerate(other.hours) if each.demand is None] == small
    assert {"london", "south_east", "everywhere"} <= {each.series.area for each, _, _ in clinical.neighbours}
    assert other.neighbours == (), "a board beside its boroughs tells what is withheld of one"
    async with house.console().browser(ANN) as ann:
        text = (await ann.client.get(f"/surges/{house.id}")).text
    assert "fewer than 5" in text
    assert "Numbers under 5 are not shown in your role" in text
    cells = re.findall(r'<td class="nhsuk-table__cell">(\d+)</td>', text)
    assert cells
    assert all(int(each) >= 5 for each in cells)


async def test_of_two_who_act_at_once_one_drafts_and_no_second_message_is_left(house: House) -> None:
    quinn = SignedIn("Quinn", Role.PUBLIC_HEALTH, "s-quinn")
    done = await asyncio.gather(*(house.desk.act(house.id, who) for who in (PIA, quinn)), return_exceptions=True)
    (message,) = [each for each in done if isinstance(each, str)]
    assert [type(each) for each in done if not isinstance(each, str)] == [AssessedAlready]
    still = [each for each in await house.world.service.newest(PIA) if each.state.value == "draft"]
    assert [each.id for each in still] == [message]


async def test_who_is_raised_hears_no_message_so_none_is_drafted_for_their_signal(house: House) -> None:
    later = TUESDAY + timedelta(minutes=15)
    found = Found(Series("self_harm", "everywhere"), "hourly", "surge", TUESDAY, 5.0, 1)
    await house.store.record(Screened(later, 7, 7, (found,), frozenset()))
    (proposal,) = [each for each in await house.store.recent(later) if each.series.signal == "self_harm"]
    with pytest.raises(NoTemplate):
        await house.desk.act(proposal.id, PIA)
    async with house.console().browser(PIA) as pia:
        assert "so none is drafted" in (await pia.client.get(f"/surges/{proposal.id}")).text


async def test_the_list_says_how_the_last_look_went(house: House) -> None:
    async with house.console().browser(PIA) as pia:
        text = (await pia.client.get("/surges")).text
    assert "5 of 6 series were judged, 1 unusual" in text
    assert "1: too little history" in text
