"""What a version of the flow asks callers of a signal: the same, until the words or options of its menu change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from alerts.surges.indicators import read_indicators
from alerts.surges.menus import note_asked, read_asked
from alerts.surges.tables import metadata, surge_menus
from callrouter.publishing.content import Content, seal
from callrouter.surges.menus import asked
from infra.sql import connect_database
from ivr.flow import read_flow

TEXTS = {"menu": "For a cold or flu, press 1. For anything else, press 2.", "bye": "Goodbye.", "pl/menu": "Grypa: 1."}


def content(texts: dict[str, str] | None = None, after: str = "bye", name: str = "main", **menu: Any) -> Content:
    """A flow with one menu; ``menu`` replaces fields of it, ``after`` is said to everybody."""
    exits = {"flu": "end", "medical": "end", "no_input": "end", "no_match": "end"}
    node = {"action": "menu", "prompts": ["menu"], "keys": {"1": "flu", "2": "medical"}, "exits": exits, **menu}
    end = {"action": "say", "prompts": [after], "exits": {"next": "default_111"}}
    flow = {"flow": "small", "title": "Small", "start": name, "nodes": {name: node, "end": end}}
    return seal(read_flow(flow), {"en": {**TEXTS, **(texts or {})}}, {})


BEFORE = asked(content(), read_indicators())


@pytest.mark.parametrize(
    "changed",
    [content({"bye": "Good bye, and thank you."}), content(after="menu"), content(name="first_menu"),
     content({"pl/menu": "Grypa lub zaziebienie: 1."}), content(timeout_s=9.0)],
    ids=["words elsewhere", "another prompt elsewhere", "another name", "a translation", "more time"],
)  # fmt: skip
def test_what_is_asked_is_the_same_when_anything_else_changes(changed: Content) -> None:
    assert changed.version != content().version
    assert asked(changed, read_indicators()) == BEFORE
    assert BEFORE.keys() == {"cold_or_flu", "other_symptoms"}, "nobody chooses the others here"


@pytest.mark.parametrize(
    "changed",
    [content({"menu": "For flu alone, press 1. For anything else, press 2."}),
     content(keys={"1": "medical", "2": "flu"}), content(words={"flu": ["flu", "cold"]}),
     content(keys={"1": "flu", "2": "medical", "3": "dental"},
             exits={"flu": "end", "medical": "end", "dental": "end", "no_input": "end", "no_match": "end"})],
    ids=["words", "keys", "words understood", "one choice more"],
)  # fmt: skip
def test_what_is_asked_is_another_when_its_menu_changes(changed: Content) -> None:
    assert asked(changed, read_indicators())["cold_or_flu"] != BEFORE["cold_or_flu"]


async def test_versions_are_compared_by_what_they_ask_and_one_that_nobody_noted_by_itself(tmp_path: Path) -> None:
    database = connect_database(f"sqlite:///{tmp_path}/counts.db")
    await database.write(metadata.create_all)
    for version in ("f1", "f2", "f1"):
        await note_asked(database, version, BEFORE)
    same = await database.read(read_asked)
    assert same("cold_or_flu", "f1/2026.1") == same("cold_or_flu", "f2/2026.1") != "f1/2026.1"
    assert same("cold_or_flu", "f1/2026.1") != same("cold_or_flu", "f1/2026.2"), "other indicators are a break"
    assert same("cold_or_flu", "f3/2026.1") == "f3/2026.1"
    assert same("difficulty_breathing", "f1/2026.1") == "f1/2026.1"
    assert same("cold_or_flu", same("cold_or_flu", "f1/2026.1")) == same("cold_or_flu", "f1/2026.1")
    assert len(await database.read(lambda connection: connection.execute(select(surge_menus)).all())) == 4
    await database.close()
