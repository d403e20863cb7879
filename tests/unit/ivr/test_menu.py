"""A menu: keys, words, silence, what was not understood, and how often it asks again."""

from __future__ import annotations

from flows.player import Player, inline

from ivr.model import Chose, Flagged, Gather, GatherWait, Heard, InputKind, Missed, OfferWait, Play

MENU = {
    "action": "menu",
    "prompts": ["menu"],
    "keys": {"1": "tooth", "#": "other"},
    "words": {"tooth": ["tooth", "gum"]},
    "timeout_s": 4,
    "no_input": {"limit": 1, "prompts": ["are_you_there"]},
    "no_match": {"limit": 3, "prompts": ["sorry", "sorry_again"]},
    "exits": {"tooth": "dental", "other": "dental", "no_input": "quiet", "no_match": "lost"},
}
FLOW = inline(
    "menu",
    menu=MENU,
    dental={"action": "queue", "services": ["dental"], "hold_s": 60},
    quiet={"action": "queue", "services": ["clinician"], "hold_s": 60},
    lost={"action": "queue", "services": ["pharmacy"], "hold_s": 60},
)


def missed(player: Player) -> list[tuple[str, int]]:
    return [(each.what, each.count) for each in player.happenings if isinstance(each, Missed)]


def test_asks_for_one_key_or_words_and_says_which_words_to_expect() -> None:
    player = Player(FLOW)

    assert player.instructions[-2:] == [Play(("menu",)), Gather(1, True, 4.0, ("tooth", "gum"))]
    wait = player.session.wait
    assert isinstance(wait, GatherWait)
    assert wait.deadline_s > 4.0, "the deadline leaves time for the prompt before the silence"


def test_key_and_words_make_the_same_choice() -> None:
    by_key, by_word = Player(FLOW).play("1"), Player(FLOW).play("say gum")

    assert by_key.dialled == by_word.dialled == ("dental",)
    assert Chose("menu", "tooth", "key") in by_key.happenings
    assert Chose("menu", "tooth", "speech") in by_word.happenings


def test_0_is_always_a_person() -> None:
    player = Player(FLOW).play("0")

    assert player.dialled == ("111",)
    assert Chose("menu", "person", "key") in player.happenings


def test_each_miss_is_answered_by_its_own_prompt_and_the_last_one_repeats() -> None:
    player = Player(FLOW).play("9", "say blah", "8")

    assert player.heard == ("menu", "sorry", "menu", "sorry_again", "menu", "sorry_again", "menu")
    assert missed(player) == [("no_match", 1), ("no_match", 2), ("no_match", 3)]
    assert player.play("7").dialled == ("pharmacy",)


def test_silence_and_what_was_not_understood_are_counted_apart_and_never_reset() -> None:
    player = Player(FLOW).play("silence", "9", "silence")

    assert missed(player) == [("no_input", 1), ("no_match", 1), ("no_input", 2)]
    assert player.dialled == ("clinician",)


def test_deadline_is_silence_that_the_network_did_not_tell() -> None:
    assert missed(Player(FLOW).play("timer")) == [("no_input", 1)]


def test_menu_without_exits_for_misses_leads_to_111() -> None:
    bare = inline(
        "menu",
        menu={**MENU, "no_input": {"limit": 0}, "exits": {"tooth": "dental"}},
        dental=FLOW.nodes["dental"].model_dump(),
    )

    assert Player(bare).play("silence").dialled == ("111",)
    assert Player(bare).play("9", "9", "9", "9").dialled == ("111",)


def test_red_flag_wins_over_the_menu_and_keeps_its_words_for_the_person() -> None:
    player = Player(FLOW).play("say i can't breathe")

    flag = Flagged("menu", "breathing", "i can't breathe", "test")
    assert flag in player.happenings
    assert player.dialled == ("clinician",)
    assert "breathe" not in repr(flag), "words are health data and stay out of anything printed"


def test_partial_words_and_events_of_legs_mean_nothing_to_a_menu() -> None:
    player = Player(FLOW)
    before = player.session
    for kind in (InputKind.SPEECH_PARTIAL, InputKind.LEG_ENDED, InputKind.OFFERED, InputKind.PLAYBACK_FINISHED):
        player.give(Heard(kind, "x"))

    assert player.session == before


def test_worker_that_takes_over_asks_again_and_says_sorry_after_answering() -> None:
    player = Player(FLOW)
    first = len(player.instructions)
    player.play("taken_over")

    kinds = [each.kind for each in player.instructions[first:]]
    assert kinds == ["answer", "play", "play", "gather"], "nothing is played to a call that is not answered"
    assert player.heard == ("menu", "sorry_missed_that", "menu")
    assert isinstance(player.play("1").session.wait, OfferWait) is False
    assert player.dialled == ("dental",)
