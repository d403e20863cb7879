"""Room: what is counted of a session is never less than its JSON."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ivr.model import MAX_SESSION, Gather, GatherWait, Hold, LookupWait, Message, Play, PlaybackWait, Session, written
from ivr.room import at_most, fits

texts = st.text(alphabet=st.sampled_from('a\x01"\\é😀'), max_size=300)
several = st.lists(texts, max_size=20).map(tuple)
names = st.integers(1, 244).map(lambda length: "n" * length)
waits = st.one_of(
    st.builds(GatherWait, names, st.just(1e-9), st.just("read_back"), texts),
    st.builds(LookupWait, names, st.just("understand"), texts),
    st.builds(PlaybackWait, names, st.just(60.0), st.lists(st.builds(Message, texts, several), max_size=5).map(tuple)),
)
gathers = st.builds(Gather, st.just(12), st.just(True), st.just(0.1), several)
values = st.one_of(texts, st.booleans(), st.integers(-(2**63), 2**63))
sessions = st.builds(
    Session,
    flow=st.just("f" * 48),
    version=st.just("0" * 12),
    node=names,
    facts=st.dictionaries(names, values),
    counts=st.dictionaries(names.map("{}.leg_failed".format), st.integers(0, 2**31)),
    visits=st.dictionaries(names, st.integers(0, 25)),
    wait=waits,
    present=st.lists(st.one_of(st.builds(Play, several), st.builds(Hold, several), gathers), max_size=5).map(tuple),
)


@given(sessions)
def test_counted_is_never_less_than_written(session: Session) -> None:
    octets = len(written(session))

    assert at_most(session) >= octets
    assert fits(session) == (octets <= MAX_SESSION)
