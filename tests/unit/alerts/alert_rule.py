"""A rule for tests: 180 s for 30 s, clear below 120 s."""

from __future__ import annotations

from alerts.model import Recipient, Rule

RULE = Rule(
    name="longest-wait", title="Callers wait too long", metric="longest_wait_s",
    threshold=180, clear=120, for_s=30, severity="warning", usually_helps="More handlers.",
    source="a test", link="http://localhost/", who=(Recipient("Duty manager", "email", "duty@localhost"),),
)  # fmt: skip
