"""A file of the wrong shape is refused in its writer's words, and one that is not there by its setting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from alerts.rules.loading import load_rules
from alerts.surges.indicators import read_indicators
from callrouter.dispatch.providers import read_providers
from callrouter.errors import ConfigurationError
from callrouter.hours import read_hours
from callrouter.settings import load_settings
from careplans.sources.settings import read_sources

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


@pytest.mark.parametrize("kind", READERS)
def test_a_file_that_is_not_there_is_named_by_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv(f"CALLROUTER_{kind.upper()}_FILE", str(tmp_path / "nope.yaml"))
    with pytest.raises(ConfigurationError, match=rf"{kind.upper()}_FILE: there is no file .*nope.yaml"):
        load_settings()
