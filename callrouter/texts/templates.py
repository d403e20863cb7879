"""The texts that may be sent: read from a file, checked before the first caller.

A text to callers is public, the same for everybody: no placeholder, no address but those of the NHS and the
government, short enough for two parts. The words for crews and for staff are fixed here (docs/safety/rules.md, 6).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from callrouter.errors import ConfigurationError
from callrouter.texts.model import PLACEHOLDER, Template
from infra.yamlfile import YamlFileError, read_yaml

CREW_NOTICE, CREW_CORRECTION = "crew_notice", "crew_correction"
CREW_WORDS = {
    CREW_NOTICE: "A care plan exists. Look in ((system)), ref ((reference)). Dated ((month)).",
    CREW_CORRECTION: "Disregard ref ((reference)).",
}
ALERT_NOTICE = "alert_notice"
ALERT_WORDS = {ALERT_NOTICE: "((what)). ((where)), since ((since)). ((how_bad)). ((link))"}
FIXED_WORDS = CREW_WORDS | ALERT_WORDS
"""Not for callers; at GOV.UK Notify they need templates with exactly these words."""

LONGEST = 306
"""Characters: two parts of 153 (3GPP TS 23.040, concatenated, 7-bit)."""

_FIXED = {"crew": CREW_WORDS, "alerts": ALERT_WORDS}
_SEVEN_BIT = re.compile(r"[A-Za-z0-9 @£$\n_!\"#%&'()*+,\-./:;<=>?]+")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,47}")
_TEMPLATE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LINK = re.compile(r"https?://\S+|www\.\S+")
_PUBLIC = ("nhs.uk", "gov.uk")


def read_templates(path: Path) -> dict[str, Template]:
    """Every text by its key, those for crews and staff, too; raises :class:`ConfigurationError` with file and line."""
    try:
        file = read_yaml(path)
    except YamlFileError as error:
        raise ConfigurationError(str(error)) from error
    data: Any = file.data
    if not isinstance(data, dict) or not set(data) <= {"texts", *_FIXED}:
        raise ConfigurationError(f"{path}: expected texts, crew and alerts")
    problems: list[str] = []
    found = {key: Template(key, words) for key, words in FIXED_WORDS.items()}
    for key, each in _mapping(data.get("texts")).items():
        wrong = _wrong_of_text(key, each)
        problems += [f"{file.locate(('texts', str(key)))}: {key}: {text}" for text in wrong]
        if not wrong:
            found[key] = Template(key, each["words"], each.get("govuk_notify", ""))
    for section, fixed in _FIXED.items():
        for key, template in _mapping(data.get(section)).items():
            if key not in fixed or not _TEMPLATE_ID.fullmatch(str(template)):
                where = file.locate((section, str(key)))
                problems.append(f"{where}: expected {' or '.join(fixed)}, each with a template's id")
            else:
                found[key] = Template(key, fixed[key], str(template))
    if problems:
        raise ConfigurationError("\n".join(problems))
    return found


def _mapping(data: Any) -> Mapping[str, Any]:
    return data if isinstance(data, dict) else {}


def _wrong_of_text(key: object, each: Any) -> list[str]:
    if not isinstance(key, str) or not _KEY.fullmatch(key) or key in FIXED_WORDS:
        return ["a key is a word in small letters, and not one of the crews' or the staff's"]
    if (
        not isinstance(each, dict)
        or not isinstance(each.get("words"), str)
        or not set(each) <= {"words", "govuk_notify"}
    ):
        return ["expected words, and perhaps govuk_notify"]
    words, wrong = each["words"], []
    if PLACEHOLDER.search(words) or re.search(r"\(\(|\{|%[a-z(]", words):
        wrong.append("a text to callers has no placeholder: it is the same for everybody")
    if not _SEVEN_BIT.fullmatch(words) or len(words) > LONGEST:
        wrong.append(f"at most {LONGEST} letters, digits and common signs")
    for link in _LINK.findall(words):
        host = urlsplit(link).hostname or ""
        if not link.startswith("https://") or not any(host == each or host.endswith(f".{each}") for each in _PUBLIC):
            wrong.append("a link begins with https:// and leads to nhs.uk or gov.uk")
    if (template := each.get("govuk_notify", "")) and not _TEMPLATE_ID.fullmatch(str(template)):
        wrong.append("govuk_notify is the id of a template")
    return wrong
