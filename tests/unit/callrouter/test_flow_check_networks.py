"""`flow check` and publishing say the same of a flow that records talks: it depends on how callers come."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from callrouter.cli.flow import app
from tests.publishing_world import TEXTS, flow_data

ON_SIP = "nodes.taped: callers by SIP are not recorded: Asterisk is not told to [not_recorded]"


@pytest.fixture
def taped(tmp_path: Path) -> Path:
    """A flow that has the talk recorded."""
    data = flow_data(exits={"nurse": "taped"})
    data["nodes"]["taped"] = {"action": "record", "exits": {"next": "nurses"}}
    file = tmp_path / "taped.yaml"
    file.write_text(yaml.safe_dump(data))
    return file


@pytest.mark.parametrize(
    ("network", "has_recordings", "refused"),
    [
        ([], False, False), ([], True, True),
        (["--network", "twilio"], True, False), (["--network", "twilio"], False, False),
        (["--network", "sip"], False, True), (["--network", "both"], False, True),
    ],
)  # fmt: skip
def test_it_refuses_record_where_callers_come_by_sip(
    taped: Path, monkeypatch: pytest.MonkeyPatch, network: list[str], has_recordings: bool, refused: bool
) -> None:
    prompts = taped.parent / "prompts.yaml"
    prompts.write_text(yaml.safe_dump(TEXTS))
    monkeypatch.setenv("CALLROUTER_PROMPTS_FILE", str(prompts))
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(taped.parent))
    if has_recordings:
        monkeypatch.setenv("CALLROUTER_PROMPTS_AUDIO_DIR", str(taped.parent))
        for key in TEXTS:
            (taped.parent / f"{key}.wav").touch()
    result = CliRunner().invoke(app, ["check", *network, str(taped)])
    assert result.exit_code == int(refused), result.output
    assert (ON_SIP in result.stderr) is refused
    if refused:
        line = next(n for n, text in enumerate(taped.read_text().splitlines(), 1) if "taped:" in text)
        assert result.stderr.startswith(f"{taped}:{line}: ")
