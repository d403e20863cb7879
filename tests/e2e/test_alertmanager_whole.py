"""The real service and Debian's Alertmanager, away at first: it hears of an alert when it comes, and of its end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.alertmanager import AlertmanagerServer
from tests.missing import or_skip
from tests.running import RunningService

RULES = """\
link: http://127.0.0.1/
alerts:
  - name: part-down
    title: A part of the service does not work
    metric: dependency_down_s
    dependency: alertmanager
    threshold: 2
    for_s: 0
    clear_below: 1
    severity: warning
    usually_helps: Run callrouter doctor.
    source: a test
    who: [{name: Ann Example, email: ann@example.nhs.invalid}]
"""


SOON_S = 60.0


def until_logged(service: RunningService, event: str) -> None:
    """A log has no event to wait for."""
    deadline = time.monotonic() + SOON_S
    while event not in service.log.read_text():
        assert time.monotonic() < deadline, service.log.read_text()[-2000:]
        time.sleep(0.05)


@pytest.mark.slow
def test_an_alertmanager_that_was_away_hears_what_fires_and_of_its_end(tmp_path: Path) -> None:
    rules = tmp_path / "alerts.yaml"
    rules.write_text(RULES)
    with or_skip(), AlertmanagerServer() as server:
        server.kill()
        settings = {"ALERT_RULES_FILE": str(rules), "ALERTMANAGER_URL": server.url}
        with RunningService(tmp_path, settings) as service:
            until_logged(service, "notice_failed")  # it fires: its e-mail has no mail server
            server.start()
            fired = server.hook.wait("firing", "part-down")
            assert fired["labels"]["scope"] == "alertmanager"
            assert fired["labels"]["instance"] == service.url.removeprefix("http://")
            server.hook.wait("resolved", "part-down")
    assert "Ann" not in str([alert for _, body in server.hook.told for alert in body["alerts"]])
