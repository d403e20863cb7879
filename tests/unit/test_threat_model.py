"""The threat model names a test beside each threat, and each of these tests exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = [
    line.split("|")[1:-1]
    for line in (ROOT / "docs/security/careplans.md").read_text().splitlines()
    if re.match(r"\| [STRIDE]\d+ \|", line)
]
TESTS = {
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^ *(?:async )?def (test_\w+)\(", file.read_text(), re.M)
}


def test_each_threat_has_a_control_and_a_test_that_exists() -> None:
    assert len(ROWS) > 25
    for number, threat, control, shown_by in ROWS:
        named = re.findall(r"`(\w+)`", shown_by)
        assert named, f"{number}: no test"
        assert threat.strip(), number
        assert control.strip(), number
        assert set(named) <= TESTS, f"{number}: there is no {', '.join(sorted(set(named) - TESTS))}"
