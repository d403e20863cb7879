"""The file that says what counts to which signal: the shipped one fits flow, words, messages; a defect has a line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from alerts.surges.errors import IndicatorsError
from alerts.surges.indicators import DEFAULT_INDICATORS, read_indicators
from alerts.surges.model import EVERYWHERE, Series
from callrouter.dispatch.providers import read_providers
from callrouter.messages.content import Known, require_fit
from callrouter.surges.desk import content_of
from infra.areas import london
from nlp.lexicon import read_lexicon, read_reason_words
from tests.running import ROOT

NOW = datetime(2026, 3, 24, 10, tzinfo=UTC)
FLOW = yaml.safe_load((ROOT / "ivr/flows/london-111.yaml").read_text())
INDICATORS = read_indicators()


def test_every_choice_is_one_of_the_shipped_menus_and_every_word_one_of_a_lexicon() -> None:
    choices = {choice for node in FLOW["nodes"].values() for choice in node.get("keys", {}).values()}
    assert {choice for each in INDICATORS for choice in each.choices} <= choices
    lexicon = yaml.safe_load((ROOT / "nlp/red_flags.yaml").read_text())
    assert {category for each in INDICATORS for category in each.red_flags} <= set(lexicon["categories"])
    assert set(INDICATORS["red_flag"].red_flags) == set(lexicon["categories"])
    assert read_lexicon() is not None
    reasons = yaml.safe_load((ROOT / "nlp/reason_words.yaml").read_text())["categories"]
    assert {reason for each in INDICATORS for reason in each.reasons} == set(reasons)
    assert read_reason_words() is not None


@pytest.mark.parametrize("area", ["bromley", "north_central", "london", EVERYWHERE, "age:0", "age:65+"])
def test_every_template_is_a_message_that_the_rules_take_and_the_flow_announces(area: str) -> None:
    known = Known({"en", "pl"}, read_providers(ROOT / "callrouter/providers.yaml").services, london())
    announced = {node.get("service", "") for node in FLOW["nodes"].values() if node["action"] == "announce"}
    for each in INDICATORS:
        if each.message is not None:
            content = content_of(Series(each.id, area), each.message, london(), NOW)
            require_fit(content, known, NOW)
            assert set(content.services or [""]) <= announced


def test_who_is_raised_hears_no_message_so_signals_in_words_have_none() -> None:
    assert [each.id for each in INDICATORS if each.red_flags and each.message] == []


@pytest.mark.parametrize(
    ("was", "is_", "line", "cause"),
    [
        (
            "choices: [dental]",
            "choices: []",
            "    name: Dental",
            "needs choices, red_flags or reasons, and only one of them",
        ),
        ("id: dental", "id: Dental", "id: Dental", "id"),
        ("expires_h: 48", "expires_h: 0", "expires_h: 0", "must be at least 1"),
        ("choices: [dental]", "choice: [dental]", "choice: [dental]", "there is no such field"),
        ('version: "2026.2"', 'version: "2026 1"', 'version: "2026 1"', "version"),
    ],
)
def test_a_defect_is_told_with_its_line(tmp_path: Path, was: str, is_: str, line: str, cause: str) -> None:
    text = DEFAULT_INDICATORS.read_text()
    assert was in text
    file = tmp_path / "indicators.yaml"
    file.write_text(text.replace(was, is_))
    with pytest.raises(IndicatorsError) as refused:
        read_indicators(file)
    found = next(n for n, each in enumerate(file.read_text().splitlines(), 1) if line in each)
    told = str(refused.value)
    assert cause in told
    assert any(f"{file}:{number}:" in told for number in (found, found - 1))


def test_two_signals_of_one_id_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "indicators.yaml"
    file.write_text(DEFAULT_INDICATORS.read_text().replace("id: dental", "id: mental_health"))
    with pytest.raises(IndicatorsError, match="mental_health is the id of two signals"):
        read_indicators(file)
