"""The promises of a provider of texts, on GOV.UK Notify's protocol and on Twilio's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.notify.govuk import NotifySettings
from callrouter.texts.model import Purpose, Template, Text
from callrouter.texts.ports import ProviderBusy, TextProvider, TextRefused, TextUnsure
from tests.hand_clock import HandClock
from tests.text_providers import API_KEY, SECRET, SERVICE, Notify, StandIn, Twilio

LINK = Template("link", "See https://www.nhs.uk", "f33517ff-2a88-4f6e-b855-c550268ce08a")
CREW = Template("crew_notice", "Ref ((reference)).", "f33517ff-2a88-4f6e-b855-c550268ce08b")
TEXT = Text("0" * 32, Purpose.CALLER, LINK, "+447700900123")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["govuk_notify", "twilio"])
def both(request: pytest.FixtureRequest, clock: HandClock) -> tuple[StandIn, TextProvider]:
    stand_in = Notify(clock, {"link": LINK, "crew": CREW}) if request.param == "govuk_notify" else Twilio()
    return stand_in, stand_in.provider()


async def test_what_is_sent_arrives_under_its_reference(both: tuple[StandIn, TextProvider]) -> None:
    stand_in, provider = both
    await provider.send(TEXT)
    await provider.send(replace(TEXT, reference="1" * 32, template=CREW, values={"reference": "K7P3"}))
    assert stand_in.sent == [
        ("+447700900123", "See https://www.nhs.uk", "0" * 32),
        ("+447700900123", "Ref K7P3.", "1" * 32),
    ]
    assert not any("7700900123" in line.split(" ")[1] for line in stand_in.received)  # in no address


@pytest.mark.parametrize("fault", [429, 503, "down"])
async def test_a_provider_that_is_down_or_has_too_many_has_not_taken_it(
    both: tuple[StandIn, TextProvider], fault: int | str
) -> None:
    stand_in, provider = both
    stand_in.fault = fault
    with pytest.raises(ProviderBusy) as busy:
        await provider.send(TEXT)
    assert "7700900123" not in str(busy.value)


async def test_a_number_that_takes_no_text_is_refused_for_ever(both: tuple[StandIn, TextProvider]) -> None:
    _, provider = both
    with pytest.raises(TextRefused) as refused:
        await provider.send(replace(TEXT, to="+442079460101"))
    assert "2079460101" not in str(refused.value)


@pytest.mark.parametrize("fault", ["lost", "cut", 502, 504])
async def test_without_an_answer_nobody_knows_whether_it_was_taken(
    both: tuple[StandIn, TextProvider], fault: int | str
) -> None:
    stand_in, provider = both
    await provider.send(TEXT)  # what is asked about templates is answered by now
    stand_in.fault = fault
    with pytest.raises(TextUnsure):
        await provider.send(replace(TEXT, reference="1" * 32))


async def test_twilio_cannot_be_asked_by_our_reference() -> None:
    provider = Twilio().provider()
    await provider.send(TEXT)
    assert await provider.find(TEXT.reference) is None


# ------------------------------------------------------------------ GOV.UK Notify alone


async def test_notify_is_asked_under_the_reference_whether_it_took_a_text(clock: HandClock) -> None:
    notify = Notify(clock, {"link": LINK})
    provider = notify.provider()
    assert await provider.find(TEXT.reference) is False
    await provider.send(TEXT)
    assert await provider.find(TEXT.reference) is True
    notify.fault = "down"
    assert await provider.find(TEXT.reference) is None


@pytest.mark.parametrize("status", [403, 500])
async def test_notify_may_take_it_later(clock: HandClock, status: int) -> None:
    notify = Notify(clock, {"link": LINK})
    provider = notify.provider()
    await provider.send(TEXT)
    notify.fault = status
    with pytest.raises(ProviderBusy):
        await provider.send(TEXT)


async def test_a_token_is_of_our_service_and_of_now(clock: HandClock) -> None:
    notify = Notify(clock, {"link": LINK})
    provider = notify.provider()
    await provider.send(TEXT)
    clock.move(3600)
    await provider.send(TEXT)  # made anew for each request
    notify.clock = HandClock()  # the two clocks are now an hour apart
    with pytest.raises(ProviderBusy, match="notify_403"):
        await provider.send(TEXT)


async def test_a_template_with_other_words_there_is_never_used(clock: HandClock) -> None:
    notify = Notify(clock, {"link": LINK})
    notify.bodies[LINK.govuk_notify] = "See https://www.nhs.uk ((name))"
    with pytest.raises(TextRefused, match="notify_other_words"):
        await notify.provider().send(TEXT)
    with pytest.raises(TextRefused, match="notify_other_words"):
        await notify.provider().send(replace(TEXT, template=CREW, values={"reference": "K7P3"}))
    with pytest.raises(TextRefused, match="notify_no_template"):
        await notify.provider().send(replace(TEXT, template=replace(LINK, govuk_notify="")))
    assert notify.sent == []


def test_the_key_is_read_as_notify_shows_it() -> None:
    read = NotifySettings(api_key=API_KEY)
    assert (read.service, read.secret) == (SERVICE, SECRET)
    assert SECRET not in repr(read)
    with pytest.raises(ValueError, match="expected name-") as refused:
        NotifySettings(api_key="hush-hush")
    assert "hush" not in str(refused.value)
