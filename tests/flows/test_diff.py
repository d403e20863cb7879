"""The difference of two flows: only callers who come out elsewhere, or at another time."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path

from callrouter.flows import load_prompts
from flows.player import london
from ivr import engine
from ivr.actions.menu import Menu
from ivr.actions.say import Say
from ivr.flow import Flow
from ivr.proof.diff import ANY, Row, as_data, as_table, differences, ranges
from ivr.proof.lengths import estimate_lengths

LENGTHS = estimate_lengths([load_prompts(Path(engine.__file__).parent / "prompts" / "en.yaml")])
LONDON = london()
SIZES = {name: len(values) for name, values in ranges(LONDON).items()}


def changed(name: str, **fields: object) -> Flow:
    """London, with one node changed."""
    node = LONDON.nodes[name].model_copy(update=fields)
    return LONDON.model_copy(update={"nodes": {**LONDON.nodes, name: node}})


def cases(row: Row, sizes: Mapping[str, int] = SIZES) -> int:
    return prod(sizes[name] if values == (ANY,) else len(values) for name, values in row.case.items())


def test_flow_differs_in_nothing_from_itself() -> None:
    assert differences(LONDON, LONDON, LENGTHS) == []


def test_key_that_moved_is_told_for_all_callers_whom_it_takes_elsewhere() -> None:
    menu = LONDON.nodes["main_menu"]
    assert isinstance(menu, Menu)
    keys = {("8" if key == "3" else key): choice for key, choice in menu.keys.items()}
    moved = changed("main_menu", keys=keys)
    rows = differences(LONDON, moved, LENGTHS)

    sizes = {name: len(values) for name, values in ranges(LONDON, moved).items()}
    first = [row for row in rows if row.case["key"] in {("3",), ("8",)}]
    assert sum(cases(row, sizes) for row in first) == 2 * prod(sizes.values()) // sizes["key"]
    assert {key for row in rows if row not in first for key in row.case["then"]} == {"3", "8"}, "who is asked again"
    to_dental = [row for row in first if row.after.services == ("dental",) and row.case["then"] != ("8",)]
    assert {(row.case["key"], row.after.band) for row in to_dental} == {(("8",), "normal")}, "raised callers never"
    assert {row.case["hours"] for row in to_dental} == {("open",)}


def test_longer_prompt_is_told_in_seconds_for_everybody_who_hears_it() -> None:
    said = LONDON.nodes["recording_notice"]
    assert isinstance(said, Say)
    rows = differences(LONDON, changed("recording_notice", prompts=(*said.prompts, *said.prompts)), LENGTHS)

    assert sum(map(cases, rows)) == prod(SIZES.values())
    longer = LENGTHS.of(said.prompts)
    for row in rows:
        assert row.after.services == row.before.services
        assert abs(row.after.seconds - row.before.seconds - longer) < 0.11


def test_team_of_a_pathway_that_changes_is_told_for_those_whom_it_takes_elsewhere() -> None:
    rows = differences(LONDON, changed("frailty.team", services=("clinician",)), LENGTHS)

    assert {row.case["pathway"] for row in rows} == {("frailty",)}
    assert {row.case["plan"] for row in rows} == {("asserted", "confirmed")}
    assert {(row.case["hours"], row.case["key"], row.case["then"]) for row in rows} == {(("open",), ("5",), ("1",))}
    assert {(row.before.services, row.after.services) for row in rows} == {(("frailty",), ("clinician",))}


def test_case_is_told_in_as_few_words_as_may_be() -> None:
    (row,) = differences(LONDON, changed("multiple_sclerosis.choose", keys={"1": "nurse", "3": "stay"}), LENGTHS)[:1]

    assert row.told["area"] == "any"
    assert row.told["plan"] == "asserted; confirmed"
    assert row.told["pathway"] == "multiple_sclerosis"
    longer = differences(LONDON, changed("find_earlier_calls", exits={"next": "handler"}), LENGTHS)
    assert {row.told["key"] for row in longer} >= {"2", "3", "4", "5"}
    assert any(row.told["repeat"] == "all but RC; PRC" or row.told["repeat"] == "RC; PRC" for row in longer)


def test_pathway_that_is_closed_is_told() -> None:
    by_pathway = LONDON.nodes["by_pathway"]
    rows = differences(
        LONDON, changed("by_pathway", exits={**by_pathway.exits, "mental_health": "first_free"}), LENGTHS
    )

    assert {row.case["pathway"] for row in rows} == {("mental_health",)}
    assert {row.before.services for row in rows} == {("crisis",)}


def test_rows_as_table_and_as_data_say_the_same() -> None:
    rows = differences(LONDON, changed("main_menu", timeout_s=9.0), LENGTHS)
    table = list(as_table(rows))

    assert table[0].split() == [*SIZES, "before", "after"]
    assert len(table) == len(rows) + 1 == len(as_data(rows)) + 1
    assert as_data(rows)[0]["before"] == {
        "services": list(rows[0].before.services), "band": rows[0].before.band, "seconds": rows[0].before.seconds,
    }  # fmt: skip
