"""What the check says of a version, for a page."""

from __future__ import annotations

from dataclasses import dataclass

from callrouter.publishing.content import Content
from ivr.proof.lengths import estimate_lengths
from ivr.proof.prove import prove
from ivr.proof.report import report


@dataclass(frozen=True, slots=True)
class Verdict:
    """Its problems, or one line and what that rests on."""

    problems: tuple[str, ...] = ()
    line: str = ""
    details: tuple[str, ...] = ()


def proved(content: Content) -> Verdict:
    """The proof of a version that passed the check. Takes seconds: on a thread of its own."""
    found = report(prove(content.flow, estimate_lengths(content.texts.values())))
    return Verdict(line=found.verdict(), details=tuple(found.details()))
