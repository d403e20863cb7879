"""Simulated callers: fictional numbers, the same for a seed, judged by what they experienced."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from test_phone_calls import a_line, an_app

from adapters.phone.model import Experience, HangUp, Moment, MomentKind, Pace, Press
from adapters.phone.persona import SimulatedCaller
from adapters.phone.simulate import Summary, _number, judge, simulate
from tests.service import build_calls


@pytest.mark.parametrize(
    ("experience", "content", "outcome"),
    [
        (Experience(talked_to=["x"], ended_by="far"), False, "answered"),
        (Experience(talked_to=["x"], ended_by="caller"), True, "answered"),
        (Experience(talked_to=["x"], fell_back=True, ended_by="far"), False, "answered"),
        (Experience(ended_by="caller"), False, "abandoned"),
        (Experience(ended_by="caller"), True, "deflected"),
        (Experience(ended_by="caller", fell_back=True), False, "abandoned"),
        (Experience(ended_by="system", fell_back=True), False, "in_error"),
        (Experience(ended_by="system", http_errors=1), False, "in_error"),
        (Experience(ended_by="system", how="document_ended"), False, "lost"),
        (Experience(), False, "lost"),
    ],
)
def test_each_call_has_one_outcome(experience: Experience, content: bool, outcome: str) -> None:
    assert judge(experience, content=content) == outcome


async def test_outcomes_add_up_and_the_service_saw_the_same_calls(tmp_path: Path) -> None:
    service = await build_calls(tmp_path)
    line = a_line(an_app(service))
    told: list[Summary] = []
    async with line.client:
        summary = await simulate(line, calls=60, rate=200, seed=7, speed=200, progress=told.append)
    sum_of = summary.answered + summary.abandoned + summary.deflected + summary.in_error + summary.lost
    assert (summary.offered, sum_of, summary.lost, summary.unserved) == (60, 60, 0, 0)
    assert len(told) == 60
    assert told[-1] == summary
    refs = set(await service.everything())
    assert len(refs) == 60
    for call_ref in refs:
        assert len(await service.events(call_ref, "ended")) == 1
    await service.close()


async def test_callers_whom_the_fall_back_alone_served_are_told_of(tmp_path: Path) -> None:
    """Wrong tokens, say: every caller reaches a person, and the service none of them."""
    service = await build_calls(tmp_path)
    line = replace(a_line(an_app(service)), auth_token="another")
    async with line.client:
        summary = await simulate(line, calls=5, rate=200, seed=7, speed=200)
    assert (summary.offered, summary.lost, summary.unserved) == (5, 0, 5)
    await service.close()


def test_numbers_are_fictional_some_are_withheld_and_some_call_again() -> None:
    numbers = [_number(random.Random(seed)) for seed in range(2000)]
    fictional = re.compile(r"\+447700900\d{3}|\+442079460\d{3}|anonymous")
    assert all(fictional.fullmatch(number) for number in numbers)
    assert 100 < numbers.count("anonymous") < 240
    assert max(numbers.count(number) for number in set(numbers) - {"anonymous"}) > 20


async def _acts(seed: int) -> list[object]:
    caller = SimulatedCaller(random.Random(seed), Pace(1e6))
    menu = "For urgent mental health help, press 2. For dental pain, press 3. For anything else, press 1."
    question = Moment(MomentKind.QUESTION, 40, menu, digits=1, speech=True)
    return [caller.nature, *[await caller.during(question) for _ in range(5)]]


async def test_a_seed_gives_the_same_caller() -> None:
    assert await _acts(3) == await _acts(3)
    assert any([await _acts(3) != await _acts(seed) for seed in range(4, 9)])


async def test_callers_listen_for_their_option() -> None:
    text = "For urgent mental health help, press 2. For dental pain, press 3. For anything else, press 1."
    pressed: dict[str, set[str]] = {}
    for seed in range(300):
        caller = SimulatedCaller(random.Random(seed), Pace(1e6))
        act = await caller.during(Moment(MomentKind.QUESTION, 60, text, digits=1))
        if isinstance(act, Press):
            pressed.setdefault(caller.nature.reason, set()).add(act.keys)
    assert pressed["dental"] <= {"3", "9"}
    assert pressed["mental_health"] <= {"2", "9"}
    assert pressed["medical"] <= {"1", "9"}


async def test_impatience_ends_every_wait() -> None:
    for seed in range(50):
        caller = SimulatedCaller(random.Random(seed), Pace(1e9))
        waited = 0.0
        while not isinstance(await caller.during(Moment(MomentKind.PAUSE, 10)), HangUp):
            waited += 10
            assert waited < 3600
