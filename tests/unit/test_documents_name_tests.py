"""What the list of faults, the hazard log and the line-by-line of the SIP edge call their proof is there to be run."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHORT = {"edge": "test_edge.py", "sip": "test_sip_edge.py", "door": "test_dialplan_door.py",
         "orders": "test_dialplan_orders.py", "dialplan": "test_dialplan.py"}  # fmt: skip
# `tests/x/test_y.py`, `test_y.py::test_z`, `edge::test_z…`, `…::test_z`: of the file named last.
NAMED = re.compile(
    r"`(?P<file>[\w/]*test_\w+\.py|edge|sip|door|orders|dialplan|…)?(?:::(?P<test>test_\w+)(?P<cut>…?))?`"
)
FOLDER = re.compile(r"`(tests/[\w/]+)`")


@pytest.fixture(scope="module", name="tests_of")
def _tests_of() -> dict[str, set[str]]:
    """By a file's name, and by its path from the root: the tests in it."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in (ROOT / "tests").rglob("test_*.py"):
        names = set(re.findall(r"def (test_\w+)", path.read_text()))
        found[path.name] |= names
        found[path.relative_to(ROOT).as_posix()] |= names
    return found


@pytest.mark.parametrize(
    "document", ["docs/faults.md", "docs/safety/hazard-log.md", "docs/safety/sentences.md", "docs/sip-edge.md"]
)
def test_every_test_that_it_names_is_there(document: str, tests_of: dict[str, set[str]]) -> None:
    text = (ROOT / document).read_text()
    missing = [folder for folder in FOLDER.findall(text) if not (ROOT / folder).is_dir()]
    file, named = "", 0
    for match in NAMED.finditer(text):
        if not match["file"] and not match["test"]:
            continue
        if match["file"] and match["file"] != "…":
            file = SHORT.get(match["file"], match["file"])
        tests = tests_of.get(file, set())
        wanted = match["test"] or ""
        if not tests or not any(each.startswith(wanted) if match["cut"] else wanted in ("", each) for each in tests):
            missing.append(match[0])
        named += 1
    assert missing == []
    assert named > 20, "the document is no longer read as it is written"
