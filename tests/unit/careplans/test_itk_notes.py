"""Special patient notes out of NHS 111 reports, as four systems write them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from careplans.screening import screen
from careplans.sources.errors import SourceUnreadable
from careplans.sources.itk import read_notes

TODAY = date(2026, 6, 15)
DATA = Path(__file__).parents[2] / "data/itk"
SHARED = Path(__file__).parents[4] / "shared/itk"


def test_reports_out_of_order_are_one_plan_as_of_the_newest_contact() -> None:
    found = screen(read_notes((DATA / "three_reports_out_of_order.xml").read_bytes(), "Demo"), TODAY, "Demo 111")
    assert found.bad == ()
    assert {plan.plan_id for plan in found.plans} == {"notes/9990000018"}
    newest = max(found.plans, key=lambda plan: plan.version)
    assert (newest.kind, newest.author_org, newest.person.phones) == (
        "special_patient_note", "Invented 111", ("+447700900123",),
    )  # fmt: skip
    assert "Rings the bell twice" in newest.detail
    assert "Rings" not in newest.handler_line


def test_what_is_no_report_is_said_to_be_none() -> None:
    with pytest.raises(SourceUnreadable):
        read_notes(b"<x/>", "Demo")


def test_the_six_reports_of_one_person_are_one_plan() -> None:
    file = SHARED / "repeat-caller.xml"
    if not file.exists():
        pytest.skip("NO EXAMPLES: the reports of four systems are not beside this repository")
    found = screen(read_notes(file.read_bytes(), "Demo"), TODAY, "Demo 111")
    assert found.bad == ()
    assert len({plan.plan_id for plan in found.plans}) == 1
