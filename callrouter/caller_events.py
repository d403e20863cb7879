"""What the journal tells of who calls and why, for signals of surges (:mod:`callrouter.events`). Sealed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonsHeard:
    """What was said has words of the reason-word lexicon: ``reasons`` are its keys (``cough``), never the words."""

    kind: ClassVar[str] = "reasons_heard"
    node: str
    lexicon: str
    reasons: list[str] = field(default_factory=list, repr=False, metadata={"personal": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeBandKnown:
    """The age band (``infra.ages``) of whom the call is about; the newest counts. Never the date of birth itself.

    ``by``: ``caller``, who gave a date of birth, right or wrong; or ``plan``, that of a confirmed one.
    """

    kind: ClassVar[str] = "age_band_known"
    by: str
    band: str = field(default="", repr=False, metadata={"personal": True})
