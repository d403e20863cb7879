"""A file of the wrong shape is refused in its writer's words, and one that is not there by its setting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from typer.testing import CliRunner

from alerts.rules.loading import load_rules
from alerts.surges.indicators import read_indicators
from callrouter.cli.commands import commands
from callrouter.dispatch.providers import read_providers
from callrouter.errors import ConfigurationError
from callrouter.hours import read_hours
from callrouter.settings import load_settings
from callrouter.wiring import build
from careplans.sources.settings import read_sources
from infra.schema_words import in_words
from ivr.schema_words import in_words as of_a_flow

READERS: dict[str, Callable[[Path], object]] = {
    "providers": read_providers,
    "hours": read_hours,
    "plan_sources": read_sources,
    "indicators": read_indicators,
    "alert_rules": lambda path: load_rules(path, ()),
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("text", ["- one\n", "just words\n", "mood: 3\n"])
def test_a_file_of_another_shape_is_refused_without_the_words_of_a_schema(tmp_path: Path, kind: str, text: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text)
    with pytest.raises(Exception, match=rf"{path}:1: ") as refused:
        READERS[kind](path)
    assert "nput should" not in str(refused.value)
    assert "_File" not in str(refused.value)
    assert "ield required" not in str(refused.value)


@pytest.fixture(params=[*READERS, "flow", "prompts", "texts", "shared_lines"])
def setting(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The setting of a file; it names one that is not there."""
    name = f"CALLROUTER_{request.param.upper()}_FILE"
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv(name, str(tmp_path / "nope.yaml"))
    return name


def test_the_service_names_the_setting_of_a_file_that_is_not_there(setting: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{setting}: .*nope.yaml: No such file or directory$"):
        build(load_settings())


@pytest.mark.parametrize(("value", "why"), [("{}", "Is a directory"), ("{}/" + 300 * "a", "File name too long")])
def test_the_service_names_the_setting_of_what_cannot_be_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, why: str
) -> None:
    monkeypatch.setenv("CALLROUTER_HOURS_FILE", value.format(tmp_path))
    with pytest.raises(ConfigurationError, match=f"^CALLROUTER_HOURS_FILE: .*: {why}$"):
        build(load_settings())


@pytest.mark.usefixtures("setting")
def test_a_command_that_reads_none_of_the_files_goes_without_them() -> None:
    """Among them the change of the database, erasure, the alert auditor: none may hang on the providers' hours."""
    assert CliRunner().invoke(commands(["audit"]), ["audit", "key"]).exit_code == 0


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    text: str
    number: int
    share: float = Field(ge=0, le=1)
    few: tuple[int, ...] = Field(min_length=1, max_length=2)
    on: bool
    one_of: Literal["a", "b"]
    whole: dict[str, int]


WRONG = {"text": 3, "number": "x", "share": 2, "few": (), "on": "perhaps", "one_of": "c", "whole": [], "mood": 1}


def test_flows_and_all_other_files_are_refused_in_the_same_words() -> None:
    """The engine may import nothing of ours, so it has words of its own: they must not drift apart."""
    with pytest.raises(ValidationError) as refused:
        Shape.model_validate(WRONG, strict=True)
    assert len(refused.value.errors()) == len(WRONG) + 1
    assert [in_words(each) for each in refused.value.errors()] == [of_a_flow(each) for each in refused.value.errors()]
