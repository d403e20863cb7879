"""The pages of messages over HTTP: who may do what, what a form answers, and which forms are refused."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select
from sqlalchemy import text as sql

from callrouter.handover import Role, SignedIn
from callrouter.messages.model import Phase
from callrouter.messages.service import NEWEST
from callrouter.messages.tables import messages
from console.messages import add_messages
from infra.sql import Database
from tests.console_browser import HOST, Console
from tests.message_world import ADA, ANN, BEN, CAZ, HAL, NIGHT, World, content, template, world_on

TYPED = {
    "title": "Flu & colds", "text_en": "There is flu about.", "areas": ["croydon", "north_west"], "priority": "2",
    "expires_at": "26/3/2026 09:30",
}  # fmt: skip


@pytest.fixture
async def world(sqlite: Database, tmp_path: Path) -> World:
    return world_on(sqlite, tmp_path)


def console_of(world: World) -> Console:
    return Console(world.clock, lambda router, web: add_messages(router, web, world.service, world.clock))


async def test_written_approved_and_stopped_through_the_pages(world: World) -> None:
    console = console_of(world)
    async with console.browser(ANN) as ann:
        page = await ann.send("/messages/new", TYPED)
        assert page.status_code == 200
        path = page.url.path
        assert "Flu &amp; colds" in page.text
        assert "NHS North West London" in page.text
        assert "Put it live" not in page.text
        assert "Approve what I see and hear" not in page.text  # she would only be refused
        assert "somebody else: clinical safety, commissioner, public health." in page.text
        own = await ann.send(f"{path}/approve", of=path)
        assert (own.status_code, "ask somebody else" in own.text) == (403, True)
    async with console.browser(CAZ) as caz:
        assert "Approve what I see and hear" in (await caz.client.get(path)).text
        assert "Caz</strong>, clinical safety" in (await caz.send(f"{path}/approve", of=path)).text
    async with console.browser(ANN) as ann:
        assert "Live" in (await ann.send(f"{path}/release", of=path)).text
        assert "Live now" in (await ann.client.get("/messages")).text
    assert await world.markers(area="croydon") == ["flu-colds"]
    async with console.browser(ADA) as ada:
        assert (await ada.send(f"{path}/stop", of="/messages")).status_code == 200
        assert "<strong>Stopped</strong> by Ada" in (await ada.client.get(path)).text
        assert "No message is live" in (await ada.client.get("/messages")).text
    assert await world.markers(area="croydon") == []


async def test_the_sound_is_heard_from_the_page(world: World) -> None:
    drafted = await world.service.draft(content(), ANN)
    async with console_of(world).browser(BEN) as ben:
        page = await ben.client.get(f"/messages/{drafted.id}")
        (address,) = re.findall(r'<audio[^>]* src="([^"]+)"', page.text)
        sound = await ben.client.get(address)
        assert (sound.headers["content-type"], sound.content[:4]) == ("audio/wav", b"RIFF")
        assert (await ben.client.get("/messages/sound/m-en-0.wav")).status_code == 404


async def test_of_two_who_change_a_message_at_once_the_second_is_told_and_undoes_nothing(world: World) -> None:
    drafted = await world.service.draft(content(), ANN)
    path = f"/messages/{drafted.id}/edit"
    console = console_of(world)
    async with console.browser(ANN) as ann, console.browser(CAZ) as caz:
        (seen,) = re.findall(r'name="shown" value="([^"]+)"', (await ann.client.get(path)).text)
        assert (await caz.send(path, {**TYPED, "title": "By Caz", "shown": seen})).status_code == 200
        page = await ann.send(path, {**TYPED, "title": "By Ann", "shown": seen})
        assert (page.status_code, "not what you have read" in page.text) == (422, True)
        assert 'value="By Ann"' in page.text, "what was typed is still there"
        assert "By Caz" in (await ann.client.get("/messages")).text
        (seen,) = re.findall(r'name="shown" value="([^"]+)"', (await ann.client.get(path)).text)
        assert "By Ann" in (await ann.send(path, {**TYPED, "title": "By Ann", "shown": seen})).text


async def test_what_is_live_or_for_the_night_stays_on_the_list_however_much_was_written_since(world: World) -> None:
    live, night = await world.released(), await world.approved_template()
    drafted = await world.service.draft(content(title="Given up"), ANN)
    await world.service.stop(drafted.id, ANN)
    later = world.clock.now() + timedelta(hours=1)

    def give_up_many(connection: Connection) -> None:
        row = dict(connection.execute(select(messages).where(messages.c.id == drafted.id)).mappings().one())
        many = [row | {"id": f"later-{n}", "written_at": later} for n in range(NEWEST)]
        connection.execute(insert(messages), many)

    await world.database.write(give_up_many)
    async with console_of(world).browser(ADA) as ada:
        page = (await ada.client.get("/messages")).text
    for each in (live, night):
        assert f'href="/messages/{each.id}"' in page
    assert f'href="/messages/{drafted.id}"' not in page


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"title": ""}, "title", "Enter a name"),
        ({"text_en": ""}, "text_en", "Enter the words in English"),
        ({"text_en": "word " * 100}, "text_en", "Plain words only, 400 characters"),
        ({"expires_at": ""}, "expires_at", "every message has an end"),
        ({"expires_at": "tomorrow"}, "expires_at", "Enter a day and a time of London"),
        ({"expires_at": "29/3/2026 01:30"}, "expires_at", "Enter a day and a time of London"),
        ({"areas": []}, "areas", "Choose where it is heard"),
        ({"offer": "pharmacy"}, "who_should_stay_en", "Say who should stay"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(
    world: World, change: dict[str, Any], field: str, text: str
) -> None:
    async with console_of(world).browser(ANN) as ann:
        page = await ann.send("/messages/new", {**TYPED, **change})
        assert page.status_code == 422
        assert f'href="#{field}"' in page.text
        assert f'id="{field}"' in page.text
        assert text in page.text
        assert "There is flu about." in page.text or field == "text_en"
        assert await world.service.newest(ANN) == []


async def test_a_change_voids_the_approval_on_the_page_too(world: World) -> None:
    approved = await world.approved()
    path = f"/messages/{approved.id}"
    async with console_of(world).browser(ANN) as ann:
        edit = await ann.client.get(f"{path}/edit")
        assert approved.content.wordings["en"].text in edit.text
        page = await ann.send(f"{path}/edit", {**TYPED, "title": "Other"})
        assert "nobody yet" in page.text
        assert "Put it live" not in page.text


async def test_what_was_changed_meanwhile_is_not_approved(world: World) -> None:
    drafted = await world.service.draft(content(), ANN)
    path = f"/messages/{drafted.id}"
    async with console_of(world).browser(CAZ) as caz:
        seen = await caz.client.get(path)
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', seen.text))
        await world.service.edit(drafted.id, content(priority=1), ANN)
        page = await caz.client.post(f"{path}/approve", data=hidden)
        assert (page.status_code, "open it again" in page.text) == (409, True)


async def test_the_night_through_the_pages(world: World) -> None:
    made = await world.approved_template()
    world.clock.time = NIGHT
    console = console_of(world)
    async with console.browser(ANN) as ann:
        of = f"/messages/{made.id}"
        choices = (await ann.client.get(of)).text
        assert 'value="bromley"' in choices
        assert 'value="camden"' not in choices
        page = await ann.send(f"{of}/start", {"areas": ["bromley"], "hours": "4"}, of=of)
        assert "Needs a second person" in page.text
        path = page.url.path
        refused = await ann.send(f"{of}/start", {"areas": ["camden"], "hours": "4"}, of=of)
        assert (refused.status_code, "Choose areas that the template allows" in refused.text) == (422, True)
    assert await world.markers(area="bromley") == ["norovirus"]
    async with console.browser(BEN) as ben:
        assert "Needs review" in (await ben.client.get("/messages")).text
        assert "Needs a second person" not in (await ben.send(f"{path}/review", of=path)).text
    world.clock.move(3 * 3600)
    assert await world.markers(area="bromley") == ["norovirus"]


@pytest.mark.parametrize("who", [HAL, SignedIn("Amb", Role.AMBULANCE, "s-amb")])
@pytest.mark.parametrize("path", ["/messages", "/messages/new", "/messages/m1", "/messages/sound/m-en-0.wav"])
async def test_those_who_answer_calls_see_no_messages(world: World, who: SignedIn, path: str) -> None:
    await world.released()
    async with console_of(world).browser(who) as browser:
        assert (await browser.client.get(path)).status_code == 403


async def test_a_reader_sees_and_changes_nothing(world: World) -> None:
    live = await world.released()
    reader = SignedIn("Ida", Role.INFORMATION_GOVERNANCE, "s-ida")
    path = f"/messages/{live.id}"
    async with console_of(world).browser(reader) as ida:
        page = await ida.client.get(path)
        assert "Nothing, in your role or at this stage" in page.text
        assert (await ida.client.get("/messages/new")).status_code == 403
        token = re.findall(r'name="token" value="([^"]*)"', page.text)[0]
        assert (await ida.client.post(f"{path}/stop", data={"token": token})).status_code == 403
    assert (await world.service.sheet(live.id, ANN)).message.phase(world.clock.now()) is Phase.LIVE


FOREIGN = {"origin": "http://elsewhere.test"}
OWN = {"origin": HOST}


@pytest.mark.parametrize(("headers", "data"), [(FOREIGN, {}), (OWN, {}), (OWN, {"token": "x"})])
async def test_a_form_from_elsewhere_changes_nothing(
    world: World, headers: dict[str, str], data: dict[str, str]
) -> None:
    live = await world.released()
    async with console_of(world).browser(ANN) as ann:
        answer = await ann.client.post(f"/messages/{live.id}/stop", data=data, headers=headers)
        assert answer.status_code == 403
    assert await world.markers() == ["norovirus"]


async def test_an_address_that_leads_nowhere(world: World) -> None:
    live = await world.released()
    async with console_of(world).browser(ANN) as ann:
        assert (await ann.client.get("/messages/m99")).status_code == 404
        assert (await ann.send(f"/messages/{live.id}/erase", of="/messages")).status_code == 404
        assert (await ann.send("/messages/m99/stop", of="/messages")).status_code == 404


async def test_a_message_for_the_night_is_written_with_hours(world: World) -> None:
    async with console_of(world).browser(ANN) as ann:
        night = {**TYPED, "expires_at": "", "longest_life": "8"}
        page = await ann.send("/messages/new?night=true", night)
        assert (page.status_code, "Template for the night" in page.text) == (200, True)
        page = await ann.send("/messages/new?night=true", {**night, "longest_life": ""})
        assert (page.status_code, 'href="#longest_life"' in page.text) == (422, True)
    (made,) = await world.service.newest(ANN)
    assert made.content.longest_life == timedelta(hours=8) == template().longest_life


async def test_without_the_database_each_page_says_what_to_do_and_claims_nothing(world: World) -> None:
    live = await world.released()
    async with console_of(world).browser(ANN) as ann:
        await world.database.write(lambda connection: connection.execute(sql("ALTER TABLE messages RENAME TO away")))
        pages = [await ann.client.get(path) for path in ("/messages", f"/messages/{live.id}")]
        pages.append(await ann.send(f"/messages/{live.id}/stop", of="/messages/new"))
        for page in pages:
            assert page.status_code == 503
            assert "The service cannot reach its database" in page.text
            assert "nobody can say yet whether it was kept" in page.text
            assert "Nothing was changed" not in page.text
        kept = await ann.send("/messages/new", TYPED)
        assert (kept.status_code, "There is flu about." in kept.text) == (422, True)
