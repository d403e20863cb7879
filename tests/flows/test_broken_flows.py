"""Broken flows: each file is named for its defect, and ends with what the check says of it, word for word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from callrouter.flows import FlowFileError, load_flow, load_prompts
from flows.player import EVERYBODY
from ivr import engine
from ivr.check import World
from ivr.model import MAX_NODES
from ivr.proof.lengths import estimate_lengths

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))
IVR = Path(engine.__file__).parent
TEXTS = load_prompts(IVR / "prompts" / "en.yaml")
WORLD = World(
    prompts=frozenset(TEXTS),
    lengths=estimate_lengths([TEXTS]),
    services=EVERYBODY,
)
REFUSED = "# refused:\n"
OWN_WORDS = "# words: "
"""What stands before the words of a fixture's own prompts, in place of those that ship."""


def expected(path: Path) -> list[str]:
    """What the check must say: the lines under the mark at the end of the file, each ``# LINE: text``."""
    _, marked, lines = path.read_text().partition(REFUSED)
    return [line.removeprefix("# ") for line in lines.splitlines()] if marked else [f"nothing is marked {REFUSED}"]


def world_of(path: Path) -> World:
    """The world of a fixture: its lines ``# words: KEY: TEXT`` replace what ships."""
    own = (line.removeprefix(OWN_WORDS) for line in path.read_text().splitlines() if line.startswith(OWN_WORDS))
    texts = dict(line.split(": ", 1) for line in own)
    return replace(WORLD, lengths=estimate_lengths([TEXTS | texts])) if texts else WORLD


def said(path: Path) -> list[str]:
    """What it says, without the name of the file."""
    with pytest.raises(FlowFileError) as refused:
        load_flow(path, world_of(path))
    return [problem.removeprefix(f"{path}:") for problem in refused.value.problems]


@pytest.mark.parametrize("path", [pytest.param(each, id=each.stem) for each in BROKEN])
def test_defect_is_named_with_its_line_and_the_exact_words(path: Path) -> None:
    assert said(path) == expected(path)


def test_flow_with_more_nodes_than_a_flow_may_have_is_refused_with_its_line(tmp_path: Path) -> None:
    nodes = {f"n{number}": {"action": "say", "prompts": ["hold_111"], "exits": {"next": f"n{number + 1}"}}
             for number in range(1, MAX_NODES + 2)}  # fmt: skip
    file = tmp_path / "large.yaml"
    file.write_text(yaml.safe_dump({"flow": "large", "title": "Large", "start": "n1", "nodes": nodes}, sort_keys=False))

    with pytest.raises(FlowFileError) as refused:
        load_flow(file)

    assert f"{file}:4: nodes: {MAX_NODES + 1} nodes; a flow has at most {MAX_NODES} [size]" in refused.value.problems


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


def test_every_declared_language_needs_a_sound_of_every_prompt_the_engines_own_among_them() -> None:
    prompts = frozenset(load_prompts(IVR / "prompts" / "en.yaml"))
    world = World(
        prompts=prompts, services=EVERYBODY, sounds=prompts - {"sorry_missed_that", "pl/digit_4", "pl/main_menu"}
    )
    path = IVR / "flows" / "london-111.yaml"
    line = next(number for number, text in enumerate(path.read_text().splitlines(), 1) if text.startswith("languages:"))

    with pytest.raises(FlowFileError) as refused:
        load_flow(path, world)

    end = "record them, or `callrouter prompts` [missing_sound]"
    assert refused.value.problems == (
        f"{path}:{line}: languages: no sound of sorry_missed_that: {end}",
        f"{path}:{line}: languages: no sound of pl/digit_4, pl/main_menu: {end}",
    )
