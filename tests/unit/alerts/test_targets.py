"""The targets that a figure is held to: each with its source, and met at the bound itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.figures.targets import read_targets, targets


def test_every_target_has_a_source_and_only_one_number_is_verified() -> None:
    assert all(each.source for each in targets())
    assert [each.id for each in targets() if each.verified] == ["answered_60"]


@pytest.mark.parametrize(
    ("target", "values", "figure", "met"),
    [
        ("abandoned", {"B02": 3, "A01": 100}, 0.03, True),
        ("abandoned", {"B02": 4, "A01": 100}, 0.04, False),
        ("answered_60", {"B01": 95, "A03": 100}, 0.95, True),
        ("answered_60", {"B01": 94, "A03": 100}, 0.94, False),
        ("average_answer", {"B06": 2001, "A03": 100}, 20.01, False),
        ("centile_95_answer", {"B07": 120}, 120, True),
        ("centile_95_answer", {"B07": None}, None, None),
        ("abandoned", {"B02": 0, "A01": 0}, None, None),
        ("call_back_20", {"D13": None, "D14": None}, None, None),
    ],
)
def test_a_target_is_met_at_its_bound_and_unknown_is_neither(
    target: str, values: dict[str, float | None], figure: float | None, met: bool | None
) -> None:
    (found,) = (each for each in targets() if each.id == target)
    assert (found.figure(values), found.is_met(values)) == (figure, met)


@pytest.mark.parametrize(
    "defect", ["part: B99\n    at_most: 1", "part: B02", "part: B02\n    at_most: 1\n    at_least: 1"]
)
def test_a_defective_target_is_refused(tmp_path: Path, defect: str) -> None:
    file = tmp_path / "targets.yaml"
    file.write_text(
        f"targets:\n  - id: x\n    title: x\n    unit: share\n    source: x\n    verified: false\n    {defect}\n"
    )
    with pytest.raises(ValueError, match="x: "):
        read_targets(file)
