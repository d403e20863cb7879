"""Neighbouring prompts are one request to Asterisk, unless a key or an instruction between them tells them apart."""

from __future__ import annotations

import pytest

from adapters.asterisk.line import merged
from ivr.model import Answer, Gather, Hold, Instruction, Play

GATHER = Gather(1, speech=False, timeout_s=4)


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        ([], []),
        ([Play(("a",))], [Play(("a",))]),
        ([Answer(), Play(("a",)), Play(("b", "c")), GATHER], [Answer(), Play(("a", "b", "c")), GATHER]),
        ([Play(("a",), False), Play(("b",), False)], [Play(("a", "b"), False)]),
        ([Play(("a",), False), Play(("b",), True)], [Play(("a",), False), Play(("b",), True)]),
        ([Play(("a",)), Answer(), Play(("b",))], [Play(("a",)), Answer(), Play(("b",))]),
        ([Play(("a",)), Hold(("b",)), Play(("c",))], [Play(("a",)), Hold(("b",)), Play(("c",))]),
    ],
)
def test_merged(instructions: list[Instruction], expected: list[Instruction]) -> None:
    assert list(merged(instructions)) == expected
