"""A notice for tests of the channels that carry one."""

from __future__ import annotations

from alerts.model import Notice, Recipient
from tests.hand_clock import NOON

MOBILE = "+447700900123"

FIRED = Notice(
    id="longest-wait.20260328T120000.000000Z.fired", alert="longest-wait", kind="fired", rule="longest-wait",
    severity="critical", what="Callers wait too long", where="King's 111", metric="longest_wait_s", since=NOON, at=NOON,
    value=200.0, worst=200.0, threshold=180.0, clear=120.0, usually_helps="More handlers.",
    link="https://calls.example/wallboard", recipient=Recipient("Duty manager", "text", MOBILE),
)  # fmt: skip
