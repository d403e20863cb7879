"""Languages and slow speech: the same prompts under another voice."""

from __future__ import annotations

from typing import Any

import pytest
from flows.player import Player

from ivr.flow import read_flow
from ivr.model import Gather, Hold, Play

MENU: dict[str, Any] = {
    "action": "menu", "prompts": ["menu"], "keys": {"1": "go"}, "words": {"go": ["go"]}, "exits": {"go": "wait"},
}  # fmt: skip


def call(**facts: object) -> Player:
    flow = read_flow(
        {
            "flow": "spoken",
            "title": "Spoken",
            "languages": ["en", "pl"],
            "start": "choose",
            "facts": {"language": {"values": ["en", "pl"]}, "slow_speech": {"type": "bool"}},
            "nodes": {
                "choose": {"action": "set", "facts": facts, "exits": {"next": "menu"}},
                "menu": MENU,
                "wait": {"action": "queue", "services": ["dental"], "hold_s": 60, "hold_prompts": ["hold"]},
            },
        }
    )
    return Player(flow)


@pytest.mark.parametrize(
    ("facts", "voice"),
    [({}, ""), ({"language": "en"}, ""), ({"language": "pl"}, "pl/"), ({"slow_speech": True}, "en_slow/"),
     ({"language": "pl", "slow_speech": True}, "pl_slow/")],
)  # fmt: skip
def test_prompts_come_in_the_callers_voice(facts: dict[str, object], voice: str) -> None:
    player = call(**facts)
    assert player.instructions[1] == Play((f"{voice}menu",))

    player.play("1")
    assert Hold((f"{voice}hold",)) in player.instructions


def test_words_are_only_listened_for_in_the_first_language() -> None:
    gathers = {language: call(language=language).instructions[2] for language in ("en", "pl")}

    assert gathers == {"en": Gather(1, True, 5.0, ("go",)), "pl": Gather(1, False, 5.0)}
