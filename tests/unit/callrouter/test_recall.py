"""A version is recalled while callers are in it: each goes to 111 at their next wait, and none begins in it."""

from __future__ import annotations

import pytest
from call_world import RED_FLAGS, House

from callrouter import events as ev
from callrouter.calls import Calls
from callrouter.model import InputKind, Reply
from callrouter.publishing.content import seal
from callrouter.publishing.published import PublishedFlows
from callrouter.publishing.snapshot import Snapshot
from ivr.model import LegWait, TalkWait


class Recalling:
    """A door before two versions of the house's flow: ``bad`` is live until it is recalled."""

    def __init__(self, house: House) -> None:
        self.good = seal(house.flow, {}, {})
        self.bad = seal(house.flow.model_copy(update={"title": "the bad one"}), {}, {})
        self.flows = PublishedFlows(self.good, house.clock, lambda _content: ())
        self.flows.snapshot = Snapshot(live=self.bad, others={self.good.version: self.good})
        self.door: Calls = house.new_door(flows=self.flows)
        house.door = self.door

    def recall(self) -> None:
        self.flows.snapshot = Snapshot(live=self.good, recalled=frozenset({self.bad.version}))

    def roll_back(self) -> None:
        self.flows.snapshot = Snapshot(live=self.good, others={self.bad.version: self.bad})


async def version_of(house: House) -> str:
    record = await house.door.record("call")
    assert record is not None
    return record.session.version


@pytest.mark.parametrize(
    ("kind", "value"),
    [(InputKind.DIGIT, "2"), (InputKind.DIGIT, "3"), (InputKind.SILENCE, ""), (InputKind.SPEECH_FINAL, "teeth"),
     (InputKind.TAKEN_OVER, ""), (InputKind.TIMER, "")],
)  # fmt: skip
async def test_a_caller_in_a_recalled_version_goes_to_111_at_the_next_input(
    house: House, kind: InputKind, value: str
) -> None:
    versions = Recalling(house)
    menu = await house.start()
    assert await version_of(house) == versions.bad.version
    versions.recall()
    epoch = 2 if kind is InputKind.TAKEN_OVER else 1
    reply = await house.tell(kind, value, to=None if epoch == 2 else menu, epoch=epoch)
    assert isinstance(reply.wait, LegWait)
    assert reply.wait.target == "handlers"
    assert await version_of(house) == versions.good.version
    assert await house.events(ev.SessionFailed) == [ev.SessionFailed(node="main_menu", error_id="flow_recalled")]


async def test_a_red_flag_said_at_that_moment_goes_there_in_the_highest_band(house: House) -> None:
    versions = Recalling(house)
    menu = await house.start()
    versions.recall()
    words = next(iter(RED_FLAGS))
    reply = await house.tell(InputKind.SPEECH_FINAL, words, to=menu)
    assert isinstance(reply.wait, LegWait)
    record = await house.door.record("call")
    assert record is not None
    assert (record.session.band, record.session.version) == ("emergency", versions.good.version)
    assert [each.words for each in await house.events(ev.RedFlagHeard)] == [words]


async def test_a_talk_in_a_recalled_version_goes_on(house: House) -> None:
    versions = Recalling(house)
    await house.talk()
    versions.recall()
    reply = await house.tell(InputKind.TAKEN_OVER, epoch=2)
    assert (reply.instructions, type(reply.wait)) == ((), TalkWait)
    ended = await house.tell(InputKind.TALK_ENDED, "provider normal", epoch=2)
    assert [each.kind for each in ended.instructions] == ["end"]


async def test_after_a_roll_back_calls_finish_where_they_are_and_new_ones_begin_in_the_version_before(
    house: House,
) -> None:
    versions = Recalling(house)
    menu = await house.start()
    versions.roll_back()
    reply: Reply = await house.tell(InputKind.DIGIT, "3", to=menu)
    assert isinstance(reply.wait, LegWait)
    assert reply.wait.target == "dental"
    assert await version_of(house) == versions.bad.version
    await house.start("other", number="07700 900456", key="other")
    other = await house.door.record("other")
    assert other is not None
    assert other.session.version == versions.good.version


async def test_who_was_cut_off_goes_on_in_the_same_version_unless_it_was_recalled(house: House) -> None:
    for recalled in (False, True):
        versions = Recalling(house)
        name, again = f"first{recalled}", f"again{recalled}"
        await house.start(name, key=name)
        await house.tell(InputKind.HUNG_UP, "us lost", call_ref=name)
        versions.roll_back()
        if recalled:
            versions.recall()
        await house.start(again, key=again)
        record = await house.door.record(again)
        assert record is not None
        expected = (versions.good, "default_111") if recalled else (versions.bad, "main_menu")
        assert (record.session.version, record.session.node) == (expected[0].version, expected[1])
        await house.tell(InputKind.HUNG_UP, "caller", call_ref=again)
