"""Say and play: sounds on the way."""

from __future__ import annotations

from flows.player import Player, inline

from ivr.model import Play

PERSON = {"action": "queue", "services": ["clinician"], "hold_s": 60}


def test_prompts_are_played_on_the_way() -> None:
    player = Player(
        inline("hello", hello={"action": "say", "prompts": ["a", "b"], "exits": {"next": "person"}}, person=PERSON)
    )

    assert player.heard == ("a", "b")
    assert player.dialled == ("clinician",)


def test_sound_is_played_by_its_key() -> None:
    chime = {"action": "play", "sound": "chime", "barge_in": False, "exits": {"next": "person"}}
    player = Player(inline("chime", chime=chime, person=PERSON))

    assert Play(("chime",), barge_in=False) in player.instructions
    assert player.dialled == ("clinician",)
