"""Several keys, languages and slow speech as TwiML, and as the telephone in the terminal reads them."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from adapters.twilio.settings import TwilioSettings
from adapters.twilio.twiml import Sheet, twiml
from callrouter.dispatch.providers import Provider, Providers
from callrouter.model import Reply
from infra.numbers import read_number
from ivr.model import Gather, GatherWait, Play

TEXTS = {"menu": "Press 1.", "pl/menu": "Proszę nacisnąć 1.", "only": "Only here."}
NORTH = Provider(id="north", name="North", services=("111",), tel="+442079460101")


def gathered(*prompts: str, gather: Gather | None = None) -> ET.Element:
    settings = TwilioSettings(
        public_url="https://calls.example", auth_tokens=("x" * 32,), fallback_number="+442079460199"
    )
    sheet = Sheet(settings, TEXTS, Providers((NORTH,)), read_number("07700 900123"), "111")
    instructions = (Play(prompts), gather or Gather(1, False, 5.0))
    reply = Reply("ref", "c0ffee", 1, 4, "1.4", GatherWait("menu", 64), instructions)
    found = ET.fromstring(twiml(reply, sheet)).find("Gather")
    assert found is not None
    return found


def test_several_keys_end_with_the_last_one_that_the_flow_names() -> None:
    gather = gathered("menu", gather=Gather(8, False, 6.0, finish_on="#"))

    assert (gather.get("numDigits"), gather.get("finishOnKey"), gather.get("timeout")) == ("8", "#", "6")
    assert gathered("menu").get("finishOnKey") == ""


def test_prompt_is_spoken_in_its_own_language() -> None:
    (say,) = gathered("pl/menu")

    assert (say.text, say.get("language"), say.get("voice")) == ("Proszę nacisnąć 1.", "pl-PL", None)


def test_slow_prompt_is_the_same_text_more_slowly() -> None:
    (say,) = gathered("en_slow/menu")
    (prosody,) = say

    assert (prosody.text, prosody.get("rate")) == ("Press 1.", "80%")


def test_text_that_a_language_lacks_is_said_in_the_first_one() -> None:
    assert ["".join(say.itertext()) for say in gathered("pl/only", "pl_slow/menu")] == [
        "Only here.",
        "Proszę nacisnąć 1.",
    ]
