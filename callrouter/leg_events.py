"""Events of a provider's part in a call: the leg between the caller and whoever may answer. All in clear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class LegStarted:
    """A provider or clinician line is being dialled for the caller: an offer to that provider."""

    kind: ClassVar[str] = "leg_started"
    provider: str
    service: str
    band: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegRinging:
    """The provider's telephone rings."""

    kind: ClassVar[str] = "leg_ringing"
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegAnswered:
    """The provider answered. ``evidence`` is agent (a person) or switch (perhaps only a queue)."""

    kind: ClassVar[str] = "leg_answered"
    provider: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegFailed:
    """The provider could not take the caller; the next one is tried."""

    kind: ClassVar[str] = "leg_failed"
    provider: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingReported:
    """What became of a talk's recording: completed, absent or failed; it stays with ``kept_by``, under this id."""

    kind: ClassVar[str] = "recording_reported"
    kept_by: str
    recording: str
    outcome: str
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkEnded:
    """Caller and provider have stopped talking."""

    kind: ClassVar[str] = "talk_ended"
    provider: str
    by: str
    cause: str
    talk_s: float
