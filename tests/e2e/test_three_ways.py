"""The shipped flows by SIP, through a real Asterisk: the journals that Twilio and the terminal give, in one form."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from test_sip_call import House, Person, house, house_with_everything

from callrouter.events import join
from callrouter.messages.content import plain
from callrouter.messages.model import Places, Wording
from tests.canonical import canonical
from tests.message_world import ANN, CAZ, content
from tests.sip.rtp import RtpEnd
from tests.three_ways import MARKER, SCRIPTS, WORDS, Journal, by_twilio, dialled_by, number_of, plan_file

pytestmark = [pytest.mark.alone, pytest.mark.slow]

__all__ = ["house", "house_with_everything"]  # fixtures

OFTEN = ("medical", "frail and elderly, asserted")
FAULTS = pytest.mark.faults
"""The others by SIP are part of the long form (`make faults`): a call takes half a minute."""

BY_KEYS = [name for name, script in SCRIPTS.items() if not script.spoken and name != "flu, a pharmacist"]
"""By SIP nobody is understood: what is said there changes nothing. And the pharmacy of this house only rings."""

HEARD_FRAMES = 50  # a second of sound: the caller is in the flow's first words
HANGS_UP_ITSELF = "dental-line"


@pytest.fixture(scope="module")
def plans_known(house_with_everything: House, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The callers' plans are in the store."""
    done = house_with_everything.service.run("plan", "import", str(plan_file(tmp_path_factory.mktemp("plans"))))
    assert done.returncode == 0, done.stderr


STALLED_S = 0.3
"""How late the caller's own telephone was, of whose keys nobody can say when they came: a key lasts 0.1 s, and
every silence of the flow is counted by a clock. Such a call says nothing, and is made once more (a third call from one
number would be a repeat caller's)."""

MOST_CALLED_AGAIN = 2
"""Of the 33 of a run: more is a defect of what is tried, or a machine on which nothing can be told."""


@pytest.fixture(scope="module")
def called_again() -> list[str]:
    """The callers of this run who were called again."""
    return []


def by_sip(there: House, name: str, ears: list[RtpEnd]) -> Journal:
    """The journal of a caller who dials 111 by SIP; their telephone is put at the end of ``ears``."""
    how: dict[str, Any] = {"dial": dialled_by(name, "111")}
    if SCRIPTS[name].withheld:
        how |= {"from_header": '"Anonymous" <sip:anonymous@anonymous.invalid>', "headers": {"Privacy": "id"}}
    caller, ear = there.call(number_of(name), **how)
    ears.append(ear)
    caller.wait_answered()
    assert ear.wait_heard(HEARD_FRAMES)
    for count, keys in enumerate(SCRIPTS[name].keys):
        if count and keys:
            there.wait_for(lambda kinds, asked=count: _is_asked(kinds, asked), "no next question")
        if keys:
            ear.press(keys)
    there.wait_for_event("leg_answered", within=60)
    caller.hang_up()
    return canonical([join(each["kind"], _facts(each)) for each in there.ended(within=30)])


def _is_asked(kinds: list[str], answered: int) -> bool:
    """Whether something was asked after so many answers; a message that was heard to its end is one."""
    answers = [at for at, kind in enumerate(kinds) if kind in ("input_taken", "message_heard")]
    return len(answers) >= answered and "prompts_played" in kinds[answers[answered - 1] :]


def _facts(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in ("seq", "at", "kind")}


@contextmanager
def live_where_told(there: House, name: str) -> Iterator[None]:
    """The message of the scripts is live for this call, if it is of one that hears it."""
    if not SCRIPTS[name].message:
        yield
        return
    now = datetime.now(UTC)
    ann, caz = Person(there, ANN), Person(there, CAZ)
    told = content(
        marker=MARKER, wordings={"en": Wording(WORDS)}, places=Places(everywhere=True), starts_at=now,
        expires_at=now + timedelta(hours=1),
    )  # fmt: skip
    drafted = ann.post("", plain(told))
    one = f"/{drafted['id']}"
    caz.post(f"{one}/approve", {"digest": drafted["digest"]})
    ann.post(f"{one}/release")
    try:
        yield
    finally:
        caz.post(f"{one}/stop")


@pytest.mark.parametrize("name", [each if each in OFTEN else pytest.param(each, marks=FAULTS) for each in BY_KEYS])
def test_sip_tells_the_same_call(
    request: pytest.FixtureRequest,
    plans_known: None,
    called_again: list[str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
) -> None:
    get: Callable[[str], House] = request.getfixturevalue
    house = get("house")
    there = asyncio.run(by_twilio(tmp_path, name))
    ears: list[RtpEnd] = []
    try:
        tells_the_same(house, name, there, ears)
    except AssertionError:
        if not ears or ears[-1].late_s < STALLED_S or len(called_again) == MOST_CALLED_AGAIN:
            raise
        called_again.append(name)
        with capsys.disabled():
            print(
                f"\n{name}: the telephone was {ears[-1].late_s:.1f} s late and the call differed; called again, "
                f"{len(called_again)} of {MOST_CALLED_AGAIN} that may be in a run"
            )
        house.asterisk.cli("channel request hangup all")
        house.ended(within=60)
        tells_the_same(house, name, there, ears)


def tells_the_same(house: House, name: str, there: Journal, ears: list[RtpEnd]) -> None:
    with live_where_told(house, name):
        here = by_sip(house, name, ears)
    if any(facts.get("provider") == HANGS_UP_ITSELF for _, facts in here):
        assert [kind for kind, _ in here[-2:]] == ["talk_ended", "ended"]
        here, there = here[:-2], there[:-2]  # this line ends the talk by itself; who ends it is another story
    assert here == there
