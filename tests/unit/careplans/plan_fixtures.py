"""A good row, and a clock that is moved by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

GOOD: dict[str, object] = {
    "plan_id": "P1",
    "source": "Universal Care Plan",
    "author_org": "Demo Hospice",
    "kind": "end of life care plan",
    "nhs_number": "9990000018",
    "given_name": "Edith",
    "family_name": "Example",
    "date_of_birth": "1938-04-12",
    "phones": "07700 900101",
    "handler_line": "Offer the hospice line first.",
    "detail": "Medicines are in the house.",
    "valid_from": "2026-05-04",
    "review_by": "2027-05-04",
    "version": "3",
    "restricted": "no",
}


class HandClock:
    """Stands at a summer noon until somebody moves it."""

    def __init__(self) -> None:
        self.at = datetime(2026, 6, 15, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)
