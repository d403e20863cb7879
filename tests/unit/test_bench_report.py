"""The report of what was measured, when kept figures are of an older run."""

from __future__ import annotations

from tests.bench.__main__ import verdicts


def test_what_an_older_run_did_not_measure_is_said_and_stops_nothing() -> None:
    twilio = {"rounds": [{"ours": {"requests_per_s": 900.0}, "flask": {"requests_per_s": 600.0}}]}
    older = {"rounds": [{"ours": {"ms_a_series": 0.1}, "r": {"ms_a_series": 9.0}}]}
    found, lacking = verdicts({"surveillance": older, "twilio": twilio})
    assert [each.figure for each in found] == [1.5]
    assert [each.partition(":")[0] for each in lacking] == ["surveillance"]
    assert "was not measured in the run that is kept" in lacking[0]
