"""What a FHIR server is asked for in a run, and from when on: changed plans, plans of changed patients, deletions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from careplans.rows import instant_version
from careplans.sources.fhir_values import listed, mapping, text

PAGE = 100


@dataclass(frozen=True, slots=True)
class Question:
    """One search. ``key``: under what the cursor keeps since when.

    ``base``: the question that it follows, whose first answer holds everything. A server may refuse one that follows.
    """

    key: str
    resource: str
    base: str = ""

    @property
    def is_history(self) -> bool:
        """Whether its answer tells of deletions, and of nothing else that is wanted."""
        return self.key.endswith("/_history")

    @property
    def in_vain(self) -> str:
        """What is not known of a server that refuses it, in words for whoever sees to the source."""
        lost = "its history of deletions" if self.is_history else "patients' own changes"
        return f"{lost} cannot be asked for here"

    def address(self, since: str | None) -> tuple[str, dict[str, str]]:
        """The path behind the server's address, and the parameters.

        From that instant, not after it: what changed within the same millisecond comes again, which is harmless.
        """
        query = {"_count": str(PAGE)}
        if self.is_history:
            return self.key, query | ({"_since": since} if since else {})
        patient = "patient" if self.resource == "Consent" else "subject"
        query["_include"] = f"{self.resource}:{patient}"
        changed = f"{patient}:Patient._lastUpdated" if self.base else "_lastUpdated"
        if not self.base:
            query["_sort"] = "_lastUpdated"
        return self.resource, query | ({changed: f"ge{since}"} if since else {})

    def newest(self, body: str) -> str:
        """The latest change of what was asked for (the patients, where they were), not of what stands beside it."""
        of = "Patient" if self.base and not self.is_history else self.resource
        newest = ""
        for entry in map(mapping, listed(mapping(json.loads(body)).get("entry"))):
            found = mapping(entry.get("resource"))
            if found.get("resourceType") == of:
                newest = later(newest, text(mapping(found.get("meta")).get("lastUpdated")))
            elif not found and self.is_history:
                newest = later(newest, text(mapping(entry.get("response")).get("lastModified")))
        return newest


def questions(resources: Sequence[str], *, by_patient: bool, history: bool) -> list[Question]:
    """In their order: all plans, what follows them, and refusals last.

    Refusals are of what is stored: a plan that a changed patient brings once more behind them would be back in force.
    """
    plans = [each for each in resources if each != "Consent"]
    refusals = [Question(each, each) for each in resources if each == "Consent"]
    return [*(Question(each, each) for each in plans), *_following(plans, by_patient, history), *refusals]


def _following(plans: Sequence[str], by_patient: bool, history: bool) -> Iterator[Question]:
    for each in plans:
        if by_patient:
            yield Question(f"{each}.subject", each, base=each)
        if history:
            yield Question(f"{each}/_history", each, base=each)


def going_on(asked: Sequence[Question], reading: str) -> Sequence[Question]:
    """What is still to ask where an earlier run was cut off within ``reading``; everything if in none of them.

    If it followed another it comes first, and then all the others: where it fails for ever they are asked all the same.
    """
    at = next((at for at, each in enumerate(asked) if each.key == reading), 0)
    return [asked[at], *asked[:at], *asked[at + 1 :]] if asked and asked[at].base else asked[at:]


def begun_with(base: str, asked: Sequence[Question], newest: str) -> Mapping[str, str]:
    """Once everything of ``base`` was read: since when the questions that follow it are asked."""
    return {each.key: newest for each in asked if each.base == base}


def later(one: str, other: str) -> str:
    """The later of two times; what is none is passed over."""
    try:
        version = instant_version(other)
    except ValueError:
        return one
    return other if not one or version > instant_version(one) else one
