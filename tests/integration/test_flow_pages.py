"""The pages of flows over HTTP: what the check says, what a version changes, who may do what with it."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import datetime

import pytest
from sqlalchemy import text as sql

from callrouter.handover import SignedIn
from callrouter.journal import Journal
from callrouter.publishing.content import Content
from callrouter.publishing.hearing import Hearing
from callrouter.publishing.published import PublishedFlows
from callrouter.publishing.service import Publishing
from callrouter.publishing.written import as_yaml
from callrouter.replay.kept import KeptReplays
from callrouter.replay.report import Report
from callrouter.replay.service import Progress, Replay
from console.flows import add_flows
from infra.sql import Database
from tests.console_browser import Console
from tests.hand_clock import HandClock
from tests.message_world import Beeper, speaks_english
from tests.publishing_world import ANN, BOB, DUTY, HANDLER, SAFE, a_worker, approved, content, raised
from tests.recorded_calls import KEYS, recorded_call

FIRST = content()


@dataclass
class House:
    """One worker, and its pages."""

    publishing: Publishing
    flows: PublishedFlows
    console: Console
    database: Database
    journal: Journal

    @property
    def live(self) -> str:
        """What a new caller meets."""
        return self.flows.for_dialled("111", "a-call").version


@pytest.fixture
async def house(sqlite: Database) -> House:
    clock = HandClock()
    publishing, flows = a_worker(sqlite, clock, shipped=FIRST)
    await publishing.ship(FIRST, replace=False)
    journal = Journal(sqlite, KEYS)
    replay = KeptReplays(Replay(journal, publishing), sqlite, clock)
    hearing = Hearing(Beeper(), speaks_english, None)
    console = Console(clock, lambda router, web: add_flows(router, web, publishing, hearing, replay))
    return House(publishing, flows, console, sqlite, journal)


async def drafted(house: House, new: Content) -> str:
    await house.publishing.draft(new, "Shorter menu", ANN)
    return f"/flows/{new.version}"


async def test_a_version_is_read_approved_and_published(house: House) -> None:
    new = content(texts={"hello_short": "Press 1."}, prompts=["hello_short"])
    path = await drafted(house, new)
    async with house.console.browser(BOB) as bob:
        page = (await bob.client.get(path)).text
        assert "every path ends with a person" in page
        assert "Prompt hello_short (en)" in page
        assert "Press 1." in page
        assert "Put it live" not in page
        assert "Put it live" in (await bob.send(f"{path}/approve", of=path)).text
        page = (await bob.send(f"{path}/publish", of=path)).text
        assert "This is what callers meet now" in page
        assert "<strong>Published</strong> by Bob, commissioner" in page
        assert "Shorter menu" in (await bob.client.get("/flows")).text
    assert house.live == new.version


async def test_who_wrote_a_version_is_told_who_may_approve_it(house: House) -> None:
    new = content(texts={"hello_short": "Press 1."}, prompts=["hello_short"])
    path = await drafted(house, new)
    async with house.console.browser(ANN) as ann:
        page = (await ann.client.get(path)).text
        assert "Approve what I have read" not in page
        assert "somebody else: clinical safety, commissioner." in page
    await house.publishing.stop(new.version, ANN)
    await house.publishing.draft(new, "Shorter menu", BOB)  # the same words, put in by another: two authors
    for who in (ANN, BOB):
        async with house.console.browser(who) as author:
            assert "Approve what I have read" not in (await author.client.get(path)).text
    async with house.console.browser(SAFE) as safe:
        assert "Approve what I have read" in (await safe.client.get(path)).text


async def test_which_callers_would_go_elsewhere(house: House) -> None:
    path = await drafted(
        house, content(texts={"hello_long": "Press 1 for the nurse, please. " * 3}, prompts=["hello_long"])
    )
    same = await approved(house.publishing, content(1), BOB)
    async with house.console.browser(BOB) as bob:
        assert f'href="{path}/callers"' in (await bob.client.get(path)).text
        page = (await bob.client.get(f"{path}/callers")).text
        assert re.search(r"[1-9] differences?: 0 to another place or urgency, [1-9] only sooner or later", page)
        assert "Callers who would go elsewhere" not in page
        assert "silence" in page
        assert "Nobody would." in (await bob.client.get(f"/flows/{same}/callers")).text
        assert (await bob.client.get(f"/flows/{FIRST.version}/callers")).status_code == 404
        assert (await bob.client.get("/flows/0123456789ab/callers")).status_code == 404


async def test_its_author_and_the_wrong_role_are_refused_with_the_reason(house: House) -> None:
    path = await drafted(house, raised(1))
    async with house.console.browser(ANN) as ann:
        page = await ann.send(f"{path}/approve", of=path)
        assert (page.status_code, "ask somebody else" in page.text) == (403, True)
        page = await ann.send(f"{path}/publish", of=path)
        assert (page.status_code, "Nothing was changed" in page.text) == (409, True)
    async with house.console.browser(BOB) as bob:
        page = await bob.send(f"{path}/approve", of=path)
        assert "Somebody from clinical safety has to approve it" in page.text
    async with house.console.browser(DUTY) as duty:
        assert (await duty.send(f"{path}/approve", of=path)).status_code == 403
    async with house.console.browser(HANDLER) as handler:
        assert (await handler.client.get("/flows")).status_code == 403
    assert house.live == FIRST.version


async def test_what_was_not_read_is_not_approved(house: House) -> None:
    path = await drafted(house, content(1))
    async with house.console.browser(BOB) as bob:
        page = await bob.send(f"{path}/approve", {"shown": "0" * 64}, of=path)
        assert (page.status_code, "open it again" in page.text) == (409, True)


async def test_staged_stopped_scheduled(house: House) -> None:
    new = content(1)
    path = f"/flows/{await approved(house.publishing, new, BOB)}"
    async with house.console.browser(SAFE) as safe:
        assert "for 10% of calls" in (await safe.send(f"{path}/stage", {"share": "10"}, of=path)).text
        assert "Rolled back" in (await safe.send(f"{path}/stop", of=path)).text
        other = f"/flows/{await approved(house.publishing, content(2), BOB)}"
        page = await safe.send(f"{other}/schedule", {"at": "soon"}, of=other)
        assert (page.status_code, "for example 24/3/2026 14:30" in page.text) == (422, True)
        page = await safe.send(f"{other}/schedule", {"at": "28/3/2026 18:00"}, of=other)
        assert "for Sat 28 March 2026, 18:00" in page.text
        page = await safe.send(f"{path}/stage", {"share": "99"}, of=path)
        assert page.status_code in (409, 422)
    assert house.live == FIRST.version


async def test_one_person_rolls_back_or_recalls(house: House) -> None:
    new = content(1)
    await approved(house.publishing, new, BOB)
    await house.publishing.publish(new.version, SAFE)
    path = f"/flows/{new.version}"
    async with house.console.browser(DUTY) as duty:
        page = (await duty.send(f"{path}/roll-back", {"note": "Callers get lost"}, of=path)).text
        assert "Callers get lost" in page
        assert house.live == FIRST.version
        again = await duty.send(f"{path}/roll-back", of=path)
        assert (again.status_code, house.live) == (409, FIRST.version)  # the second of two people takes nothing back
        assert "Recalled" in (await duty.send(f"{path}/recall", {"note": "Unsafe"}, of=path)).text
    assert house.flows.is_recalled(new.version)


async def test_problems_stand_on_the_page(house: House) -> None:
    path = await drafted(house, content(prompts=["unknown_prompt"]))
    async with house.console.browser(BOB) as bob:
        page = (await bob.client.get(path)).text
        assert "It cannot go live" in page
        assert "unknown_prompt" in page
        assert "Approve what I have read" not in page


async def test_an_address_that_leads_nowhere(house: House) -> None:
    async with house.console.browser(BOB) as bob:
        assert (await bob.client.get("/flows/0123456789ab")).status_code == 404
        live = f"/flows/{FIRST.version}"
        assert (await bob.send(f"{live}/erase", of=live)).status_code == 404
        token = re.findall(r'name="token" value="([^"]*)"', (await bob.client.get(live)).text)[0]
        recall = await bob.client.post(f"{live}/recall", data={"token": token}, headers={"origin": "http://other.test"})
        assert recall.status_code == 403
    assert house.live == FIRST.version


async def test_without_the_database_a_recall_says_what_to_do_and_claims_nothing(house: House) -> None:
    path = await drafted(house, content(texts={"hello_short": "Press 1."}, prompts=["hello_short"]))
    away = sql("ALTER TABLE flow_versions RENAME TO away")
    async with house.console.browser(SAFE) as safe:
        token = re.findall(r'name="token" value="([^"]*)"', (await safe.client.get(path)).text)[0]
        await house.database.write(lambda connection: connection.execute(away))
        recall = await safe.client.post(f"{path}/recall", data={"token": token})
        for page in (await safe.client.get("/flows"), recall):
            assert page.status_code == 503
            assert "The service cannot reach its database" in page.text
            assert "Nothing was changed" not in page.text


def typed(page: str, field: str) -> str:
    """What stands in a text area."""
    return html.unescape(re.findall(rf'<textarea[^>]* name="{field}"[^>]*>([^<]*)</textarea>', page)[0])


async def test_a_version_is_written_checked_and_saved_on_a_page(house: House) -> None:
    async with house.console.browser(ANN) as ann:
        assert 'href="/flows/new"' in (await ann.client.get("/flows")).text
        written = typed((await ann.client.get("/flows/new")).text, "flow")
        assert written == as_yaml(FIRST.flow)
        fields = {"flow": written.replace("[hello]", "[hello_calm]"), "prompts": "hello_calm: Take your time.\n"}
        page = (await ann.send("/flows/new", {**fields, "do": "check"})).text
        assert "every path ends with a person" in page
        assert "2 differences" in page
        assert typed(page, "flow").strip() == fields["flow"].strip()
        assert len(await house.publishing.versions(ANN)) == 1, "a check keeps nothing"
        saved = await ann.send("/flows/new", {**fields, "note": "A calmer menu", "do": "save"})
        assert "A calmer menu" in saved.text
        assert "Take your time." in saved.text
        version = str(saved.url).rpartition("/")[2]
        page = (await ann.client.get(f"/flows/new?base={version}")).text
        assert "[hello_calm]" in typed(page, "flow")
    assert (await house.publishing.version(version, ANN)).row.author.user == "Ann"
    assert house.live == FIRST.version


async def test_a_version_is_written_while_none_is_live(house: House) -> None:
    """The only version was unsafe and is recalled: callers go straight to 111 until somebody has written a better."""
    await house.publishing.recall(FIRST.version, DUTY, "Unsafe")
    async with house.console.browser(ANN) as ann:
        assert "No version is live." in (await ann.client.get("/flows")).text
        page = await ann.client.get("/flows/new")
        assert page.status_code == 200
        written = typed(page.text, "flow")
        assert written == as_yaml(FIRST.flow), "the last that was written"
        fields = {"flow": written.replace("[hello]", "[hello_calm]"), "prompts": "hello_calm: Take your time.\n"}
        checked = await ann.send("/flows/new", {**fields, "do": "check"})
        assert (checked.status_code, typed(checked.text, "flow").strip()) == (200, fields["flow"].strip())
        assert "every path ends with a person" in checked.text


async def test_what_is_wrong_in_a_draft_is_said_with_its_line_and_nothing_is_kept(house: House) -> None:
    async with house.console.browser(ANN) as ann:
        written = typed((await ann.client.get("/flows/new")).text, "flow")
        line = 1 + written.splitlines().index("  ask:")
        for wrong, said in (
            ({"flow": written.replace("[hello]", "[unheard_of]")}, f"Line {line}: "),
            ({"flow": written + "\nnodes: {}\n"}, "nodes is given twice"),
            ({"flow": "flow: [" + "x" * 5000}, "Line 1: "),
            ({"flow": written, "prompts": "hello: <b>Press</b>"}, "Prompts, line 1: "),
            ({"flow": written, "prompts": "hello: Something else."}, "a key of its own"),
        ):
            page = await ann.send("/flows/new", {**wrong, "do": "save"})
            assert (page.status_code, said in html.unescape(page.text)) == (422, True), page.text
            assert typed(page.text, "flow").strip() == wrong["flow"].strip(), "what was typed is still there"
    async with house.console.browser(DUTY) as duty, house.console.browser(HANDLER) as handler:
        assert (await duty.client.get("/flows/new")).status_code == 200
        assert (await handler.client.get("/flows/new")).status_code == 403
    assert [each.row.version for each in await house.publishing.versions(ANN)] == [FIRST.version]


async def test_prompts_that_differ_can_be_heard(house: House) -> None:
    new = content(texts={"hello_short": "Press 1.", "pl/hello_short": "Jeden."}, prompts=["hello_short"])
    path = await drafted(house, new)
    async with house.console.browser(BOB) as bob, house.console.browser(HANDLER) as handler:
        page = (await bob.client.get(path)).text
        assert f'src="{path}/sound/hello_short.wav"' in page
        assert f'src="{path}/sound/pl/hello_short.wav"' not in page
        assert "there is no recording of it and no voice for its language" in page
        sound = await bob.client.get(f"{path}/sound/hello_short.wav")
        assert (sound.headers["content-type"], sound.content[:4]) == ("audio/wav", b"RIFF")
        assert (await bob.client.get(f"{path}/sound/unheard_of.wav")).status_code == 404
        assert (await bob.client.get(f"{path}/sound/pl/hello_short.wav")).status_code == 404
        assert (await handler.client.get(f"{path}/sound/hello_short.wav")).status_code == 403


async def test_recorded_calls_are_replayed_on_a_page_that_names_nobody(house: House) -> None:
    new = content(texts={"hello_long": "Take your time, please. " * 3}, prompts=["hello_long"])
    path = await drafted(house, new)
    at = HandClock().now()
    await house.journal.write(recorded_call("one", FIRST.version, at))
    await house.journal.write(recorded_call("two", "0123456789ab", at))
    async with house.console.browser(BOB) as bob:
        assert f'href="{path}/replay"' in (await bob.client.get(path)).text
        assert "Calls from" in (await bob.client.get(f"{path}/replay")).text
        day = {"from": "28/3/2026 00:00", "to": "29/3/2026 00:00"}
        page = (await bob.client.get(f"{path}/replay", params=day)).text
        assert "0 of 2 calls would have gone elsewhere, 1 where they went; of 1 it is not known" in page
        assert "0 sooner, 0 as soon, 1 later" in page
        assert "Sat 28 March 2026, 00:00 to Sun 29 March 2026, 00:00" in page
        assert "The version of then is not known" in page
        assert "447700" not in page
        for wrong in ({"from": "soon", "to": day["to"]}, {"from": day["to"], "to": day["from"]}):
            assert (await bob.client.get(f"{path}/replay", params=wrong)).status_code == 422
        assert (await bob.client.get("/flows/0123456789ab/replay", params=day)).status_code == 404


class AtWork:
    """A replay that goes on, in whichever process, after the one that had begun it ended."""

    async def ask(self, version: str, start: datetime, end: datetime, who: SignedIn) -> Report | Progress:
        return Progress(1200, 3000, again=1)


async def test_how_far_a_long_replay_is_and_that_it_was_begun_again(house: House) -> None:
    hearing = Hearing(Beeper(), speaks_english, None)
    console = Console(HandClock(), lambda router, web: add_flows(router, web, house.publishing, hearing, AtWork()))
    async with console.browser(BOB) as bob:
        day = {"from": "28/3/2026 00:00", "to": "29/3/2026 00:00"}
        page = (await bob.client.get(f"/flows/{FIRST.version}/replay", params=day)).text

    assert "1,200 of 3,000 calls so far" in page
    assert "It was begun again, from the first call: the service was restarted meanwhile." in page
    assert "Look again" in page
