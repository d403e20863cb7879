"""Replies as TwiML: what each instruction becomes."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from adapters.twilio.fallback import fallback_document
from adapters.twilio.settings import TwilioSettings
from adapters.twilio.twiml import Sheet, hold_again, twiml
from callrouter.dispatch.providers import Provider, Providers
from callrouter.model import Reply
from infra.numbers import read_number
from ivr.model import (
    Answer,
    Band,
    Connect,
    DisconnectLeg,
    End,
    Gather,
    GatherWait,
    GoneWait,
    HandBack,
    Hold,
    Instruction,
    LegWait,
    OfferWait,
    Play,
    PlaybackWait,
    Record,
    TalkWait,
    Unhold,
    Wait,
)

CONTEXT = "c0ffee" * 5 + "00"
HERE = "https://calls.example/twilio/voice/ref/1.4"
OVER = "#ct=1000&rt=2500&rc=2&rp=all"
PROMPTS = {"first": "First & foremost <now>.", "second": "Second.", "hold": "Please hold the line. " * 3}
GATHER = GatherWait("menu", 64)
OFFER = OfferWait("handler", ("111",), Band.NORMAL, 900, 900)
LEG = LegWait("handler", "north", 35)


def a_provider(**about: str) -> Provider:
    return Provider(id="north", name="North", services=("111",), tel="+442079460101", **about)  # type: ignore[arg-type]


def a_sheet(
    provider: Provider | None = None, *, number: str = "+447700900123", prompts_url: str | None = None
) -> Sheet:
    settings = TwilioSettings(
        public_url="https://calls.example/",
        auth_tokens=("t",),
        fallback_number="+442079460199",
        prompts_url=prompts_url,
    )
    return Sheet(settings, PROMPTS, Providers((provider or a_provider(),)), read_number(number), "+442079460000")


def a_reply(wait: Wait, *instructions: Instruction) -> Reply:
    return Reply("ref", CONTEXT, 1, 4, "1.4", wait, instructions)


def verbs(text: str) -> list[ET.Element]:
    return list(ET.fromstring(text))


def test_what_must_be_heard_is_outside_the_gather_what_a_key_stops_is_inside() -> None:
    reply = a_reply(
        GATHER, Answer(), Play(("first",), barge_in=False), Play(("second",)), Gather(1, True, 4.0, ("a", "b"))
    )
    say, gather, redirect = verbs(twiml(reply, a_sheet()))
    assert say.text == PROMPTS["first"]
    assert [each.text for each in gather] == ["Second."]
    assert (gather.get("action"), redirect.text) == (f"{HERE}/gather{OVER}", f"{HERE}/gather{OVER}")
    assert gather.get("hints") == "a,b"


def test_a_prompt_that_comes_before_one_that_must_be_heard_keeps_its_place() -> None:
    reply = a_reply(GATHER, Play(("second",)), Play(("first",), barge_in=False), Gather(4, False, 2.2))
    said = verbs(twiml(reply, a_sheet()))
    assert [each.text for each in said[:2]] == ["Second.", PROMPTS["first"]]
    gather = said[2]
    assert (gather.get("input"), gather.get("numDigits"), gather.get("timeout")) == ("dtmf", "4", "3")
    assert gather.get("hints") is None
    assert gather.get("speechTimeout") is None


def test_a_message_takes_one_key_and_says_when_it_was_heard_what_comes_before_it_takes_none() -> None:
    reply = a_reply(PlaybackWait("advice", 60), Play(("first",), barge_in=False), Play(("second",), barge_in=False))
    say, gather, redirect = verbs(twiml(reply, a_sheet()))
    assert (say.text, [each.text for each in gather]) == (PROMPTS["first"], ["Second."])
    assert (gather.get("numDigits"), gather.get("finishOnKey"), gather.get("timeout")) == ("1", "", "1")
    assert (gather.get("actionOnEmptyResult"), gather.get("action")) == ("true", f"{HERE}/message{OVER}")
    assert redirect.text == f"{HERE}/finished{OVER}"


def test_over_the_telephone_network_nothing_personal_travels() -> None:
    (dial,) = verbs(twiml(a_reply(LEG, Unhold(), Connect("north", 20)), a_sheet()))
    assert dial.attrib == {
        "timeout": "15",  # and Twilio's five seconds more: safety rule 2, unanswered in 20 s
        "answerOnBridge": "true",
        "callerId": "+447700900123",
        "action": f"{HERE}/dial{OVER}",
        "method": "POST",
    }
    assert dial[0].text == "+442079460101"
    assert dial[0].get("statusCallback") == f"{HERE}/leg{OVER}"
    assert CONTEXT not in ET.tostring(dial).decode()


@pytest.mark.parametrize(
    ("transport", "parameter"), [("udp", ""), ("tcp", ";transport=tcp"), ("tls", ";transport=tls")]
)
def test_over_sip_the_context_travels_in_user_to_user(transport: str, parameter: str) -> None:
    provider = a_provider(sip="sip.north.example:5061", transport=transport)
    (dial,) = verbs(twiml(a_reply(LEG, Connect("north", 20)), a_sheet(provider)))
    assert dial[0].tag == "Sip"
    address = f"sip:+442079460000@sip.north.example:5061{parameter}?User-to-User={CONTEXT}%3Bencoding%3Dhex"
    assert dial[0].text == address
    assert len(f"{CONTEXT};encoding=hex") < 128  # octets: docs/architecture, hand-over


@pytest.mark.parametrize("address", ["127.0.0.1:5071", "10.1.2.3:5060", "localhost:5060"])
def test_a_sip_address_inside_our_house_is_dialled_by_telephone(address: str) -> None:
    (dial,) = verbs(twiml(a_reply(LEG, Connect("north", 20)), a_sheet(a_provider(sip=address))))
    assert dial[0].tag == "Number"


def test_recorded_only_when_the_reply_says_so() -> None:
    (dial,) = verbs(twiml(a_reply(LEG, Record(), Connect("north", 20)), a_sheet()))
    assert dial.get("record") == "record-from-answer-dual"
    assert dial.get("recordingStatusCallback") == f"https://calls.example/twilio/recording{OVER}"


def test_a_withheld_number_is_not_sent_on() -> None:
    (dial,) = verbs(twiml(a_reply(LEG, Connect("north", 20)), a_sheet(number="anonymous")))
    assert dial.get("callerId") == "+442079460000"


def test_hold_lasts_about_ten_seconds_and_asks_again() -> None:
    reply = a_reply(OFFER, DisconnectLeg(), Play(("second",)), Hold(("hold",)))
    second, hold, pause, redirect = verbs(twiml(reply, a_sheet()))
    assert (second.text, hold.text) == ("Second.", PROMPTS["hold"])
    assert int(pause.attrib["length"]) == 6
    assert redirect.text == f"{HERE}/hold?round=1{OVER}"


def test_hold_prompts_come_back_every_third_round_and_what_led_to_the_hold_never() -> None:
    reply = a_reply(OFFER, Play(("second",)), Hold(("hold",)))
    rounds = [[verb.tag for verb in verbs(hold_again(reply, a_sheet(), count))] for count in (1, 2, 3)]
    assert rounds == [["Pause", "Redirect"], ["Pause", "Redirect"], ["Say", "Pause", "Redirect"]]


def test_hold_for_a_team_hears_key_0_in_every_round() -> None:
    wait = OfferWait("team", ("palliative", "clinician"), Band.NORMAL, 60, 60)
    reply = a_reply(wait, Hold(("hold",)))
    for document, inside in ((twiml(reply, a_sheet()), ["Say", "Pause"]), (hold_again(reply, a_sheet(), 1), ["Pause"])):
        gather, redirect = verbs(document)
        assert [each.tag for each in gather] == inside
        assert (gather.get("numDigits"), gather.get("actionOnEmptyResult")) == ("1", None)
        assert gather.get("action") == redirect.text


def test_hold_music_where_recordings_are() -> None:
    sheet = a_sheet(prompts_url="https://prompts.example/en/")
    music, _ = verbs(hold_again(a_reply(OFFER, Hold()), sheet, 1))
    assert (music.tag, music.text) == ("Play", "https://prompts.example/en/hold_music.wav")


def test_an_offer_at_once_replaces_the_hold() -> None:
    (dial,) = verbs(twiml(a_reply(LEG, Hold(("hold",)), Unhold(), Connect("north", 20)), a_sheet()))
    assert dial.tag == "Dial"


def test_hand_back_dials_the_default_service_without_us() -> None:
    dial, say = verbs(twiml(a_reply(GoneWait("fall_back"), HandBack("default_service_unreachable")), a_sheet()))
    assert dial[0].text == "+442079460199"
    assert dial.get("action") is None
    assert dial[0].attrib == {}
    assert say.tag == "Say"


def test_end_hangs_up_after_what_is_said() -> None:
    say, hangup = verbs(
        twiml(a_reply(GoneWait("bye"), Play(("second",), barge_in=False), End("caller_chose")), a_sheet())
    )
    assert (say.tag, hangup.tag) == ("Say", "Hangup")


def test_nothing_to_perform_is_the_default_service() -> None:
    assert twiml(a_reply(TalkWait("handler", "north")), a_sheet()) == fallback_document("+442079460199")


def test_the_static_document_needs_nothing_of_ours() -> None:
    text = fallback_document("+442079460199")
    assert "http" not in text
    assert [verb.tag for verb in verbs(text)] == ["Dial", "Say"]
