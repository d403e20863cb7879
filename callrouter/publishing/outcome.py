"""One yes or no for each call of a staged release, and what stops the release at once.

Yes: the caller reached a person or a service, without error, within 120 s of their earliest choice. Silence is a
choice, too: who chooses nothing is counted from the moment at which the flow went on without them. A person or a
service is who answers on the line that the caller was put through to; self-care, a text, a message or a promised
call-back is neither (docs/safety/rules.md, 2: they are not ends), however the call is classed when it ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

REACH_S = 120.0
RED_FLAG_S = 10.0
SLACK_S = 2.0
"""For an answer that is on its way through the event stream while we look at the clock."""

CHOICES = frozenset({"choice_made", "no_input", "no_match", "red_flag_heard", "queued", "leg_started"})
ERRORS = frozenset({"session_failed", "handed_back"})
COUNTED = frozenset({"offered", "leg_answered", "ended", *CHOICES, *ERRORS})
"""Kinds of events that say anything about an outcome."""


@dataclass(slots=True)
class Course:
    """A call of a staged release as far as it is known. The same event again changes nothing."""

    is_new: bool
    chose_at: datetime | None = None
    red_flag_at: datetime | None = None
    reached_at: datetime | None = None
    failed: bool = False
    end_class: str = ""
    is_counted: bool = False

    def hear(self, kind: str, at: datetime, facts: Mapping[str, Any]) -> None:
        """Take in an event, in the call's own order."""
        if kind in CHOICES and self.chose_at is None:
            self.chose_at = at
        if kind == "red_flag_heard" and self.red_flag_at is None:
            self.red_flag_at = at
        elif kind == "leg_answered" and self.reached_at is None:
            self.reached_at = at
        elif kind in ERRORS and self.reached_at is None:
            self.failed = True
        elif kind == "ended":
            self.end_class = str(facts.get("end_class", ""))

    def outcome(self, now: datetime) -> bool | None:
        """Yes, no, or not known yet."""
        if self.failed:
            return False
        if self.reached_at is not None:
            return self.chose_at is None or self.reached_at - self.chose_at <= timedelta(seconds=REACH_S)
        if self.end_class:
            return False
        if self.chose_at is not None and now - self.chose_at > timedelta(seconds=REACH_S + SLACK_S):
            return False
        return None

    def danger(self, now: datetime) -> str:
        """Why the release must stop at once, empty if nothing says so."""
        if self.end_class == "dropped_by_us":
            return "a call was lost"
        if self.red_flag_at is None:
            return ""
        due = self.red_flag_at + timedelta(seconds=RED_FLAG_S)
        if self.reached_at is not None:
            return "" if self.reached_at <= due else "a red flag was not connected within 10 s"
        is_late = bool(self.end_class) or now > due + timedelta(seconds=SLACK_S)
        return "a red flag was not connected within 10 s" if is_late else ""
