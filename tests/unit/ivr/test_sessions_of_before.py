"""Sessions that the version before wrote, every default in full, are still read: a deploy drops no caller."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from ivr.model import Instruction, Wait, read_session, written
from ivr.values import Unreadable
from tests.within import in_full, says_all_of

ROOT = Path(__file__).parents[2]
OF_BEFORE = (ROOT / "data" / "sessions-with-defaults.jsonl").read_bytes().splitlines()


@pytest.mark.parametrize("line", OF_BEFORE)
def test_session_of_the_version_before_is_read_and_loses_nothing(line: bytes) -> None:
    session = read_session(line)

    assert says_all_of(in_full(session), json.loads(line))
    assert read_session(written(session)) == session
    assert len(written(session)) < len(line)


def test_every_kind_is_among_the_sessions_of_before() -> None:
    sessions = [read_session(line) for line in OF_BEFORE]

    assert {type(each.wait) for each in sessions} == _kinds(Wait)
    assert {type(each) for session in sessions for each in session.present} == _kinds(Instruction)


@pytest.mark.parametrize("line", OF_BEFORE)
def test_what_is_written_says_nothing_that_the_version_before_does_not_know(line: bytes) -> None:
    session = read_session(line)
    now, before = json.loads(written(session)), json.loads(line)

    assert says_all_of(before, now)
    assert now["wait"]["kind"] == before["wait"]["kind"]
    assert [each["kind"] for each in now["present"]] == [each["kind"] for each in before["present"]]


@pytest.mark.parametrize(
    "wrong", [b'"deadline_s":"soon"', b'"node":["soon"]', b'"prompts":"soon"', b'"kind":"soon"', b'"band":"soon"']
)
def test_what_no_version_wrote_is_refused_and_the_error_repeats_nothing_of_it(wrong: bytes) -> None:
    field, _, _ = wrong.partition(b":")
    line = re.sub(re.escape(field) + rb":(\[[^]]*\]|[^,}]*)", wrong, OF_BEFORE[0])
    with pytest.raises(Unreadable) as refused:
        read_session(line)

    assert "soon" not in str(refused.value)


def _kinds(union: Any) -> set[Any]:
    return set(get_args(union))
