"""What one worker knows of the versions: an immutable copy, asked on the path of every call and never waited for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from callrouter.publishing.content import Content
from callrouter.publishing.model import Row, State
from ivr.flow import Flow
from ivr.model import FIRST_WORDS, NOTICE

STRAIGHT_TO_111 = Flow.model_validate(
    {
        "flow": "straight-to-111",
        "title": "No version is left that may be used",
        "start": "first_words",
        "nodes": {
            "first_words": {
                "action": "say", "prompts": [FIRST_WORDS, NOTICE], "barge_in": False, "exits": {"next": "default_111"},
            },
        },
    }
)  # fmt: skip
"""Where callers go when every version was recalled: the words about 999, then a person."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The versions that callers may meet, or are in. ``recalled``: nobody may be in these any more."""

    live: Content | None
    staged: Content | None = None
    share: float = 0.0
    staged_at: datetime | None = None
    due: Content | None = None
    due_at: datetime | None = None
    others: Mapping[str, Content] = field(default_factory=dict)
    recalled: frozenset[str] = frozenset()

    def live_at(self, now: datetime) -> Content | None:
        """The version of all who are not part of a staged release. A schedule needs nobody to come about."""
        return self.due if self.due_at is not None and self.due_at <= now else self.live

    def for_call(self, call_ref: str, now: datetime) -> Flow:
        """The flow of a new call; the same call always falls on the same side of a staged release."""
        live = self.live_at(now)
        if self.staged is not None and live is self.live and part_of(call_ref, self.staged.version) < self.share:
            return self.staged.flow
        return live.flow if live is not None else STRAIGHT_TO_111

    def flow(self, version: str) -> Flow | None:
        """The flow that a call in progress began with; None if it is unknown or was recalled."""
        if version in self.recalled:
            return None
        known = next((each for each in self.contents() if each.version == version), None)
        return known.flow if known is not None else None

    def contents(self) -> Iterable[Content]:
        """Every content that is known, the newest words first."""
        first = [each for each in (self.due, self.staged, self.live) if each is not None]
        return [*first, *self.others.values()]


def part_of(call_ref: str, version: str) -> float:
    """Where a call falls between 0 and 1, evenly; for each version anew, so that nobody is always the first."""
    digest = hashlib.sha256(f"{version}\0{call_ref}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def snapshot_of(rows: Iterable[Row], contents: Mapping[str, Content], before: Snapshot) -> Snapshot:
    """The copy of these versions, as far as ``contents`` has them.

    A live version that cannot be used leaves the last good one: what this worker had ``before``, if callers were ever
    to meet that, else what was live before; none (straight to 111) where nobody approved anything that can be used.
    """
    rows = list(rows)
    by_state: dict[State, Row] = {row.state: row for row in rows if row.version in contents}
    recalled = frozenset(row.version for row in rows if row.state is State.RECALLED)
    live, staged, due = (by_state.get(each) for each in (State.LIVE, State.STAGED, State.SCHEDULED))
    kept = _last_good(rows, contents, before.live) if any(row.state is State.LIVE for row in rows) else None
    met = (State.RETIRED, State.ROLLED_BACK)
    return Snapshot(
        live=contents[live.version] if live else kept,
        staged=contents[staged.version] if staged else None,
        share=staged.share or 0.0 if staged else 0.0,
        staged_at=staged.live_from if staged else None,
        due=contents[due.version] if due else None,
        due_at=due.live_from if due else None,
        others={row.version: contents[row.version] for row in rows if row.state in met and row.version in contents},
        recalled=recalled,
    )


def _last_good(rows: Iterable[Row], contents: Mapping[str, Content], before: Content | None) -> Content | None:
    states = {row.version: row.state for row in rows}
    state = states.get(before.version) if before is not None else None
    if state in (State.LIVE, State.RETIRED):
        return before
    retired = [row for row in rows if row.state is State.RETIRED and row.live_from and row.version in contents]
    if retired:
        return contents[max(retired, key=lambda row: (row.live_from, row.version)).version]
    return before if state is State.ROLLED_BACK else None
