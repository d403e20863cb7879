"""Counting: one end class for each call (rules of counting, safety rule 8)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from call_world import House, NewHouse, everybody, provider

from callrouter import events as ev
from callrouter.dispatch.providers import Providers
from callrouter.model import InputKind
from callrouter.view import fold


async def in_the_first_prompt(house: House) -> None:
    await house.start()


async def in_the_message(house: House) -> None:
    await house.press("4", await house.start())


async def after_the_message(house: House) -> None:
    message = await house.press("4", await house.start())
    await house.tell(InputKind.PLAYBACK_FINISHED, to=message)


async def while_it_rings_after_the_message(house: House) -> None:
    await after_the_message(house)
    await house.press("1", await house.door.present("call"))


async def while_it_rings(house: House) -> None:
    await house.press("1", await house.start())


async def while_waiting(house: House) -> None:
    await house.talk("other")
    await house.press("1", await house.start())


async def in_a_talk_with_a_person(house: House) -> None:
    await house.talk(evidence="agent")


async def in_a_talk_with_perhaps_a_queue(house: House) -> None:
    await house.talk(evidence="switch")


async def in_a_talk_with_the_page_open(house: House) -> None:
    await house.talk(evidence="switch")
    assert await house.door.note("call", ev.ContextOpened(role="handler", user="Ada"))


async def in_a_talk_that_only_a_commissioner_looks_at(house: House) -> None:
    await house.talk(evidence="switch")
    assert await house.door.note("call", ev.ContextOpened(role="commissioner", user="Bob"))


async def while_it_rings_with_the_page_open(house: House) -> None:
    await while_it_rings(house)
    assert await house.door.note("call", ev.ContextOpened(role="handler", user="Ada"))


async def after_the_talk(house: House) -> None:
    await in_a_talk_with_a_person(house)
    await house.tell(InputKind.TALK_ENDED, "provider normal")


@pytest.mark.parametrize(
    ("where", "end_class"),
    [
        (in_the_first_prompt, "left_in_message"),
        (in_the_message, "left_in_message"),
        (after_the_message, "deflected"),
        (while_it_rings_after_the_message, "abandoned"),
        (while_it_rings, "abandoned"),
        (while_waiting, "abandoned"),
        (while_it_rings_with_the_page_open, "abandoned"),
        (in_a_talk_with_a_person, "answered"),
        (in_a_talk_with_perhaps_a_queue, "answer_unknown"),
        (in_a_talk_with_the_page_open, "answered"),
        (in_a_talk_that_only_a_commissioner_looks_at, "answer_unknown"),
        (after_the_talk, "answered"),
    ],
    ids=lambda value: value.__name__ if callable(value) else value,
)
async def test_caller_who_hangs_up_is_counted_once(
    new_house: NewHouse, where: Callable[[House], Awaitable[None]], end_class: str
) -> None:
    house = await new_house(providers=everybody(lines=1))
    await where(house)
    view = fold(await house.recorded())
    assert view is not None
    assert view.end_class == "in_progress"

    await house.tell(InputKind.HUNG_UP, "caller hung_up")
    assert await house.end_class() == end_class
    view = fold(await house.recorded())
    assert view is not None
    assert (view.end_class, view.is_over) == (end_class, True)


async def test_call_that_the_fall_back_answers_is_never_counted_as_a_persons(new_house: NewHouse) -> None:
    house = await new_house(providers=Providers((provider("dental", "dental", answers="agent"),)))
    await house.press("3", await house.start())
    await house.tell(InputKind.LEG_FAILED, "busy")
    await house.tell(InputKind.LEG_ANSWERED)
    house.clock.move(30)
    await house.tell(InputKind.HUNG_UP, "caller hung_up")

    assert await house.end_class() == "answer_unknown"
    assert await house.events(ev.LegAnswered) == [ev.LegAnswered(provider="fall_back", evidence="switch")]
    ended = (await house.events(ev.TalkEnded))[0]
    assert (ended.provider, ended.talk_s) == ("fall_back", 30.0)


async def test_talk_that_is_over_is_not_answered_again(house: House) -> None:
    await after_the_talk(house)
    await house.tell(InputKind.LEG_ANSWERED)

    assert len(await house.events(ev.LegAnswered)) == 1


async def test_talk_is_timed_once_even_if_only_the_hang_up_is_told(house: House) -> None:
    await house.talk()
    house.clock.move(75.5)
    await house.tell(InputKind.HUNG_UP, "provider normal")

    (ended,) = await house.events(ev.TalkEnded)
    assert (ended.provider, ended.by, ended.talk_s) == ("handlers", "provider", 75.5)


async def test_page_opened_after_the_end_does_not_make_it_answered(house: House) -> None:
    await in_a_talk_with_perhaps_a_queue(house)
    await house.tell(InputKind.HUNG_UP, "caller hung_up")
    await house.door.note("call", ev.ContextOpened(role="handler", user="Ada"))

    view = fold(await house.recorded())
    assert view is not None
    assert (view.end_class, view.answer_evidence) == ("answer_unknown", "switch")


async def test_page_of_a_forgotten_call_is_noted_nowhere(house: House) -> None:
    assert not await house.door.note("nobody", ev.ContextOpened(role="handler", user="Ada"))
