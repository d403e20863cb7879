"""A text that a flow offers: to a mobile number that the caller confirmed by key, once in a call, said on the page."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from call_world import House, NewHouse
from flows.player import inline

from callrouter import events as ev
from callrouter.model import InputKind, Reply
from callrouter.publishing.soundness import promised_with
from callrouter.texts import tables
from callrouter.texts.asked import AskedTexts, reference_of
from callrouter.texts.model import Kept, State, Template
from callrouter.texts.outbox import Outbox
from callrouter.texts.sending import Sender
from callrouter.timeline import rows
from ivr.check import World, check
from tests.text_providers import Notify, Twilio

LINK = Template("sore_throat", "See https://www.nhs.uk", "f33517ff-2a88-4f6e-b855-c550268ce08a")
OFFER = {
    "action": "offer", "kind": "text", "marker": "link", "text": "sore_throat", "prompts": ["advice"],
    "ask": ["want"], "who_should_stay": "stay", "safety_net": "net", "clinical_owner": "Lead",
}  # fmt: skip
FLOW = inline(
    "offer",
    offer={**OFFER, "exits": {"accepted": "again", "declined": "menu"}},
    again={**OFFER, "marker": "link_again", "exits": {"accepted": "menu", "declined": "menu"}},
    menu={"action": "menu", "prompts": ["menu"], "keys": {"1": "go"}, "exits": {"go": "person"}},
    person={"action": "queue", "services": ["111"], "hold_s": 60},
)


@dataclass
class Texting:
    """A house whose callers are sent texts."""

    house: House
    notify: Notify
    twilio: Twilio
    asked: AskedTexts
    sender: Sender

    async def work(self) -> None:
        """Everything that goes on behind the calls, once."""
        await self.asked.step(0)
        await self.house.writer.drain()
        while await self.asked.step(0):
            pass
        await self.sender.step(0)

    async def accept(self, call_ref: str = "call", number: str = "07700 900123") -> Reply:
        """A caller who takes the offer up and confirms their number."""
        message = await self.house.start(call_ref, number=number)
        asked = await self.house.tell(InputKind.PLAYBACK_FINISHED, to=message, call_ref=call_ref)
        own = await self.house.press("1", asked)
        return await self.house.press("1", own)


@pytest.fixture
async def texting(new_house: NewHouse) -> Texting:
    house = await new_house(flow=FLOW)
    await house.database.write(tables.metadata.create_all)
    outbox = Outbox(house.database, house.keys, house.clock)
    notify, twilio = Notify(house.clock, {LINK.key: LINK}), Twilio()

    async def told(kept: Kept) -> None:
        await house.door.note(kept.call_ref, ev.TextReported(text=kept.template, outcome=kept.state))

    templates = {LINK.key: LINK}
    sender = Sender(outbox, [notify.provider(), twilio.provider()], templates, house.clock, told)
    asked = AskedTexts(house.stream, house.journal, house.database, outbox, {LINK.key})
    await asked.join()
    return Texting(house, notify, twilio, asked, sender)


async def test_who_confirmed_by_key_is_sent_the_text_and_the_receipt_stands_in_the_journal(texting: Texting) -> None:
    await texting.accept()
    for _ in range(2):
        await texting.work()
    assert texting.notify.sent == [("+447700900123", LINK.words, reference_of("call"))]
    await texting.sender.received(reference_of("call"), "govuk_notify", State.DELIVERED, "")
    told = await texting.house.events(ev.TextReported)
    assert [each.outcome for each in told] == ["sent", "delivered"]


async def test_failure_is_said_on_the_page_of_the_call(texting: Texting) -> None:
    texting.notify.bodies.clear()
    texting.twilio.fault = 400
    await texting.accept()
    await texting.work()
    lines = [row.text for row in rows(await texting.house.recorded(), {})]
    assert "The text “sore throat” could not be sent, or may not have arrived: say where to find it" in lines


async def test_a_call_is_sent_one_text_whatever_it_asks_for(texting: Texting) -> None:
    again = await texting.accept()
    asked = await texting.house.tell(InputKind.PLAYBACK_FINISHED, to=again)
    await texting.house.press("1", asked)
    await texting.work()
    await texting.work()
    assert len(texting.notify.sent) == 1


async def test_without_the_key_nothing_is_sent(texting: Texting) -> None:
    message = await texting.house.start(number="07700 900123")
    asked = await texting.house.tell(InputKind.PLAYBACK_FINISHED, to=message)
    own = await texting.house.press("1", asked)
    await texting.house.press("2", own)
    await texting.work()
    assert texting.notify.sent == []


@pytest.mark.parametrize("number", ["020 7946 0101", "anonymous", "08979 123456"])
async def test_a_line_that_takes_no_text_is_sent_none(texting: Texting, number: str) -> None:
    message = await texting.house.start(number=number)
    asked = await texting.house.tell(InputKind.PLAYBACK_FINISHED, to=message)
    await texting.house.press("1", asked)
    await texting.work()
    assert texting.notify.sent == []


async def test_a_text_that_is_not_known_here_is_not_sent(texting: Texting) -> None:
    texting.asked._known = set()
    await texting.accept()
    await texting.work()
    assert texting.notify.sent == []


@pytest.mark.parametrize(
    ("texts", "rules"),
    [
        (frozenset[str](), {"not_carried_out", "unknown_text"}),
        (frozenset({"another"}), {"unknown_text"}),
        (frozenset({"sore_throat"}), set[str]()),
    ],
)
def test_the_check_refuses_a_text_only_where_nobody_carries_it_or_it_is_not_known(
    texts: frozenset[str], rules: set[str]
) -> None:
    found = check(FLOW, World(carried_out=promised_with(texts), texts=texts))
    assert {each.rule for each in found if each.rule in ("not_carried_out", "unknown_text")} == rules
