"""Broken flows: each file is named for its defect, and marks the line that must be named and the rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callrouter.flows import FlowFileError, load_flow, load_prompts
from ivr import engine
from ivr.check import World

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))
IVR = Path(engine.__file__).parent
WORLD = World(
    prompts=frozenset(load_prompts(IVR / "prompts" / "en.yaml")),
    services=frozenset({"111", "clinician", "mental_health", "dental", "pharmacy"}),
)
_MARK = re.compile(r"# defect: (\w+)$")


def marked(path: Path) -> set[tuple[str, str]]:
    """``FILE:LINE`` and rule of every mark in the file."""
    lines = enumerate(path.read_text().splitlines(), start=1)
    return {(f"{path}:{number}", found[1]) for number, line in lines if (found := _MARK.search(line))}


def found(problem: str) -> tuple[str, str]:
    """``FILE:LINE`` and rule of what the check says; what is not even YAML has no rule."""
    where, text = problem.split(": ", maxsplit=1)
    rule = re.search(r"\[(\w+)\]$", text)
    return where, rule[1] if rule else "yaml"


@pytest.mark.parametrize("path", [pytest.param(each, id=each.stem) for each in BROKEN])
def test_defect_is_named_with_its_line_and_rule(path: Path) -> None:
    with pytest.raises(FlowFileError) as refused:
        load_flow(path, WORLD)

    assert {found(problem) for problem in refused.value.problems} == marked(path)


def test_flow_that_ships_has_no_defect() -> None:
    assert load_flow(IVR / "flows" / "london-111.yaml", WORLD).flow == "london-111"


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FlowFileError, match=r"nowhere\.yaml"):
        load_flow(tmp_path / "nowhere.yaml", WORLD)


def test_house_without_the_default_service_is_refused_every_flow() -> None:
    without = World(prompts=WORLD.prompts, services=frozenset({"dental"}))

    with pytest.raises(FlowFileError, match="default service 111"):
        load_flow(IVR / "flows" / "london-111.yaml", without)


def test_prompts_that_the_engine_itself_says_are_needed() -> None:
    without = World(prompts=(WORLD.prompts or frozenset()) - {"red_flag_connecting"}, services=WORLD.services)

    with pytest.raises(FlowFileError, match="red_flag_connecting"):
        load_flow(IVR / "flows" / "london-111.yaml", without)
