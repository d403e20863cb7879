"""`flow check` and publishing say the same of a flow, however callers come: talks are recorded on every network."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from callrouter.cli.flow import app
from tests.publishing_world import TEXTS, flow_data


@pytest.fixture
def taped(tmp_path: Path) -> Path:
    """A flow that has the talk recorded."""
    data = flow_data(exits={"nurse": "taped"})
    data["nodes"]["taped"] = {"action": "record", "exits": {"next": "nurses"}}
    file = tmp_path / "taped.yaml"
    file.write_text(yaml.safe_dump(data))
    return file


@pytest.mark.parametrize("network", [[], ["--network", "twilio"], ["--network", "sip"], ["--network", "both"]])
@pytest.mark.parametrize("has_recordings", [True, False])
def test_a_flow_that_records_is_sound_on_every_network(
    taped: Path, monkeypatch: pytest.MonkeyPatch, network: list[str], has_recordings: bool
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
    assert result.exit_code == 0, result.output
