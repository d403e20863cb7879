"""The form of a message: what was typed as content, and content as what is typed. The rules are the service's."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from callrouter.messages.content import read
from callrouter.messages.errors import ContentRefused
from callrouter.messages.model import Content, OfferKind
from console.moments import EXAMPLE, read_moment, type_moment

Typed = Mapping[str, Sequence[str]]
"""Every value of every field."""

OFFERS = {
    "": "No, it only informs",
    OfferKind.PHARMACY: "To a pharmacy",
    OfferKind.DENTAL: "To a dentist",
    OfferKind.MENTAL_HEALTH: "To the mental health line",
    OfferKind.OTHER_SERVICE: "To another service",
    OfferKind.SELF_CARE: "To look after themselves",
}
_PARTS = ("text", "who_should_stay", "safety_net")


@dataclass(frozen=True, slots=True)
class Form:
    """What stands in the fields. ``is_template``: for the night, with hours instead of times."""

    typed: Typed
    is_template: bool

    def one(self, name: str) -> str:
        """The value of a field with one."""
        found = self.typed.get(name, ())
        return found[0].strip() if found else ""

    def many(self, name: str) -> tuple[str, ...]:
        """The values of checkboxes, or of a field with commas."""
        return tuple(part for each in self.typed.get(name, ()) for part in re.split(r"[,\s]+", each) if part)


def content_of(form: Form, languages: Collection[str], now: datetime) -> Content:
    """What was typed. Raises :class:`ContentRefused`; an empty start is now."""
    wordings = {language: _words(form, language) for language in sorted(languages)}
    data: dict[str, Any] = {
        "title": form.one("title"),
        "marker": form.one("marker") or _slug(form.one("title")),
        "wordings": {language: words for language, words in wordings.items() if any(words.values())},
        "places": {
            "everywhere": form.one("everywhere") == "yes",
            "areas": form.many("areas"),
            "cli_prefixes": form.many("cli_prefixes"),
            "dialled": form.many("dialled"),
        },
        "services": form.many("services"),
        "priority": form.one("priority") or "3",
        "offer": None,
    }
    if form.one("offer"):
        data["offer"] = {"kind": form.one("offer"), "clinical_owner": form.one("clinical_owner")}
    if form.is_template:
        hours = form.one("longest_life")
        data["longest_life"] = f"PT{hours}H" if hours.isdecimal() and hours.isascii() else "PT0H"
    else:
        data["starts_at"] = _moment(form, "starts_at", now)
        data["expires_at"] = _moment(form, "expires_at", None)
    return read(data)


def form_of(content: Content, digest: str) -> Form:
    """The fields of a message that is changed; ``shown`` is what it was when they were filled."""
    typed: dict[str, Sequence[str]] = {
        "shown": [digest],
        "title": [content.title],
        "marker": [content.marker],
        "everywhere": ["yes"] if content.places.everywhere else [],
        "areas": content.places.areas,
        "cli_prefixes": [", ".join(content.places.cli_prefixes)],
        "dialled": [", ".join(content.places.dialled)],
        "services": content.services,
        "priority": [str(content.priority)],
        "offer": [content.offer.kind if content.offer else ""],
        "clinical_owner": [content.offer.clinical_owner if content.offer else ""],
        "starts_at": [type_moment(content.starts_at)],
        "expires_at": [type_moment(content.expires_at)],
    }
    if content.longest_life is not None:
        typed["longest_life"] = [str(int(content.longest_life.total_seconds() // 3600))]
    for language, wording in content.wordings.items():
        typed |= {f"{part}_{language}": [getattr(wording, part)] for part in _PARTS}
    return Form(typed, content.is_template)


def _words(form: Form, language: str) -> dict[str, str]:
    return {part: " ".join(form.one(f"{part}_{language}").split()) for part in _PARTS}


def _moment(form: Form, name: str, empty: datetime | None) -> datetime | None:
    typed = form.one(name)
    if not typed:
        return empty
    at = read_moment(typed)
    if at is None:
        raise ContentRefused({name: f"Enter a day and a time of London, for example {EXAMPLE}"})
    return at


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40].strip("-")
