"""Several keys for one question: when it is complete, and what counts of what was typed."""

from __future__ import annotations

import pytest

from adapters.asterisk.line import is_whole, typed_keys
from ivr.model import Gather

ONE = Gather(1, speech=False, timeout_s=4)
EIGHT = Gather(8, speech=False, timeout_s=6, finish_on="#")


@pytest.mark.parametrize(
    ("gather", "pressed", "whole", "typed"),
    [
        (ONE, "", True, ""),
        (ONE, "#", True, "#"),
        (ONE, "12", True, "1"),
        (EIGHT, "", True, ""),
        (EIGHT, "0", False, "0"),
        (EIGHT, "0#", True, "0"),
        (EIGHT, "0404195", False, "0404195"),
        (EIGHT, "04041950", True, "04041950"),
        (EIGHT, "040419507", True, "04041950"),
        (EIGHT, "*4", False, "*4"),
        (EIGHT, "#", True, ""),
    ],
)
def test_what_was_typed(gather: Gather, pressed: str, whole: bool, typed: str) -> None:
    keys = [(digit, f"press{number}") for number, digit in enumerate(pressed)]

    assert is_whole(keys, gather) is whole
    assert typed_keys(keys, gather)[0] == typed


def test_answer_is_named_for_its_last_key_press() -> None:
    assert typed_keys([("1", "a"), ("2", "b"), ("#", "c")], EIGHT) == ("12", "b")
    assert typed_keys([("#", "a")], EIGHT) == ("", "a")
    assert typed_keys([], EIGHT) == ("", "")
