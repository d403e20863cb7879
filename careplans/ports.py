"""What the plans need from elsewhere."""

from __future__ import annotations

from typing import Protocol

from careplans.views import ViewEntry


class ViewSpool(Protocol):
    """Takes the record of a view that the database would not take.

    The audit fails open for a plan on a live call (docs/safety/rules.md, 6): the plan is shown, the entry is kept
    here, and somebody is alerted.
    """

    def keep(self, entry: ViewEntry) -> None:
        """Keep ``entry`` until it is entered by hand or by a job. Never raises."""

    def kept(self, viewer_key: str, call_ref: str) -> int:
        """How many wrong checks of this viewer in this call wait here, so that a failure adds no tries."""
