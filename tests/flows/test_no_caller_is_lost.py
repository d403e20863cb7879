"""Laws of the London flow: whatever happens, in whatever order, a caller is on the way to a person."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flows.player import EVERYBODY, RED_FLAGS, Player, World, london
from ivr.actions.lookup import OUTCOMES, PATHWAYS
from ivr.model import (
    DEFAULT_NODE,
    DEFAULT_SERVICE,
    Answered,
    Band,
    End,
    Flagged,
    GatherWait,
    GoneWait,
    HandBack,
    Heard,
    InputKind,
    LegWait,
    Message,
    OfferWait,
    Play,
    PlaybackWait,
    TalkWait,
)

FLOW = london()
SAID = (*RED_FLAGS, "tooth", "crisis", "cough", "chemist", "yes", "no", "blah", "")


def _finds(what: str) -> st.SearchStrategy[Answered]:
    outcomes = st.sampled_from((*OUTCOMES[what], "an outcome that nobody declared"))
    return st.builds(Answered, outcomes, raises=st.booleans())


_facts = st.fixed_dictionaries({"pathway": st.sampled_from(PATHWAYS), "stale": st.booleans()})
_messages = st.lists(st.builds(Message, st.just("heat"), st.just(("m-heat",))), max_size=2).map(tuple)
_others = st.fixed_dictionaries(
    {
        "birth_date": st.builds(Answered, st.sampled_from(OUTCOMES["birth_date"]), st.booleans(), facts=_facts),
        "hours": _finds("hours"),
        "messages": st.builds(Answered, st.just("some"), messages=_messages),
    }
)
worlds = st.builds(World, _finds("plan"), _finds("repeat"), st.frozensets(st.sampled_from(sorted(EVERYBODY))), _others)
inputs = st.one_of(
    st.builds(Heard, st.just(InputKind.DIGIT), st.sampled_from("0123456789*#")),
    st.builds(Heard, st.just(InputKind.DIGIT), st.sampled_from(["04041950", "31022000", "123", "5", "1"])),
    st.builds(Heard, st.just(InputKind.SPEECH_FINAL), st.sampled_from(SAID)),
    st.builds(Heard, st.sampled_from(InputKind), st.sampled_from(("", "busy", "agent", "dental"))),
)
moves = st.lists(st.tuples(inputs, worlds), max_size=25)


@given(worlds, moves)
def test_caller_always_waits_with_a_deadline_or_talks_or_is_handed_back(
    first: World, then: list[tuple[Heard, World]]
) -> None:
    player = Player(FLOW, first)
    talked = False
    for heard, player.world in then:
        before = player.session
        player.give(heard)
        talked = talked or player.talked
        session = player.session
        assert session.band.rank <= before.band.rank, "a caller was lowered"
        match session.wait:
            case TalkWait():
                pass
            case GoneWait():
                handed_back = any(isinstance(each, HandBack) for each in player.instructions)
                assert handed_back or talked, "the call is over, and nobody has it"
            case wait:
                assert wait.deadline_s, "a wait without an end"
        assert talked or not any(isinstance(each, End) for each in player.instructions), "we hung up on a caller"


@given(worlds, moves)
def test_caller_who_does_nothing_more_comes_to_a_person(first: World, then: list[tuple[Heard, World]]) -> None:
    player = Player(FLOW, first)
    for heard, player.world in then:
        player.give(heard)
    player.world = World(free=frozenset({DEFAULT_SERVICE}))
    for _ in range(12):
        if isinstance(player.session.wait, LegWait | TalkWait | GoneWait):
            break
        player.play("taken_over" if isinstance(player.session.wait, OfferWait) else "timer")

    assert isinstance(player.session.wait, LegWait | TalkWait | GoneWait)


@given(worlds, moves)
def test_caller_who_is_never_reached_by_anybody_is_handed_back(first: World, then: list[tuple[Heard, World]]) -> None:
    player = Player(FLOW, first)
    for heard, player.world in then:
        player.give(heard)
    player.world = World(free=frozenset())
    for _ in range(40):
        player.play("timer")

    assert isinstance(player.session.wait, TalkWait | GoneWait)


@given(worlds, moves)
def test_red_flag_always_leads_to_the_highest_band_and_an_offer(first: World, then: list[tuple[Heard, World]]) -> None:
    player = Player(FLOW, first)
    for heard, player.world in then:
        before = len(player.happenings)
        player.give(heard)
        if any(isinstance(each, Flagged) for each in player.happenings[before:]):
            assert player.session.band is Band.EMERGENCY
            assert isinstance(player.session.wait, OfferWait | LegWait)


@given(worlds, moves, st.sampled_from(sorted(RED_FLAGS)))
def test_red_flag_is_taken_wherever_words_are(first: World, then: list[tuple[Heard, World]], words: str) -> None:
    player = Player(FLOW, first)
    for heard, player.world in then:
        player.give(heard)
    listens = isinstance(player.session.wait, GatherWait)
    player.play(f"say {words}")

    assert not listens or player.session.band is Band.EMERGENCY


@given(worlds, moves)
def test_key_0_leads_to_a_person_of_111_from_every_wait_that_hears_keys(
    first: World, then: list[tuple[Heard, World]]
) -> None:
    player = Player(FLOW, first)
    for heard, player.world in then:
        player.give(heard)
    player.world = World()
    before = player.session.wait
    hears_keys = isinstance(before, GatherWait | PlaybackWait) or (isinstance(before, OfferWait) and before.may_leave)
    player.play("0")

    wait = player.session.wait  # a repeat caller is offered to a clinician as well as to 111
    assert not hears_keys or (isinstance(wait, LegWait) and wait.node == DEFAULT_NODE)


@given(worlds, moves)
def test_999_words_are_the_first_that_are_heard(first: World, then: list[tuple[Heard, World]]) -> None:
    player = Player(FLOW, first)
    for heard, player.world in then:
        player.give(heard)

    prompts = [each for each in player.instructions if isinstance(each, Play)]
    assert prompts[0] == Play(("emergency_999",), barge_in=False)
