"""The file of texts: what may be sent to callers is public and the same for everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from callrouter.errors import ConfigurationError
from callrouter.settings import Settings
from callrouter.texts.templates import ALERT_NOTICE, CREW_CORRECTION, CREW_NOTICE, FIXED_WORDS, read_templates

ID = "f33517ff-2a88-4f6e-b855-c550268ce08a"


def read(folder: Path, text: str) -> dict[str, str]:
    file = folder / "texts.yaml"
    file.write_text(text)
    return {key: each.govuk_notify for key, each in read_templates(file).items()}


def test_the_shipped_texts_can_be_read() -> None:
    texts = read_templates(Settings().texts_file)
    assert {CREW_NOTICE, CREW_CORRECTION, "pharmacy_first"} <= set(texts)
    assert all(not each.placeholders for key, each in texts.items() if key not in FIXED_WORDS)
    assert texts[CREW_NOTICE].fill({"system": "UCP", "reference": "K7P3", "month": "March 2026"}) == (
        "A care plan exists. Look in UCP, ref K7P3. Dated March 2026."
    )


def test_ids_of_templates_are_read_for_callers_crews_and_staff(tmp_path: Path) -> None:
    ids = f"crew:\n  crew_notice: {ID}\nalerts:\n  alert_notice: {ID}\n"
    found = read(tmp_path, f"texts:\n  a:\n    words: Hello\n    govuk_notify: {ID}\n{ids}")
    assert found == {"a": ID, CREW_NOTICE: ID, CREW_CORRECTION: "", ALERT_NOTICE: ID}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("Dear ((name))", "has no placeholder"),
        ("Dear {name}", "has no placeholder"),
        ("Dear %(name)s", "has no placeholder"),
        ("See http://www.nhs.uk", "begins with https://"),
        ("See https://nhs.uk.example/", "leads to nhs.uk or gov.uk"),
        ("See https://www.nhs.uk@evil.example/", "leads to nhs.uk or gov.uk"),
        ("See www.evil.example", "leads to nhs.uk or gov.uk"),
        ("a" * 307, "at most 306"),
        ("\N{PILE OF POO}", "common signs"),
        ("", "at most 306"),
    ],
)
def test_a_text_that_is_not_public_or_not_the_same_for_all_is_refused(tmp_path: Path, words: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as refused:
        read(tmp_path, f"texts:\n  a:\n    words: '{words}'\n")
    assert "texts.yaml:" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "expected texts, crew and alerts"),
        ("people: {}", "expected texts, crew and alerts"),
        ("texts: {A-B: {words: x}}", "a key is a word"),
        ("texts: {crew_notice: {words: x}}", "not one of the crews'"),
        ("texts: {a: {words: x, to: y}}", "expected words"),
        ("texts: {a: {words: x, govuk_notify: y}}", "the id of a template"),
        ("crew: {crew_notice: y}", "expected crew_notice or crew_correction"),
        (f"crew: {{else: {ID}}}", "expected crew_notice or crew_correction"),
        (f"alerts: {{crew_notice: {ID}}}", "expected alert_notice"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read(tmp_path, text)
