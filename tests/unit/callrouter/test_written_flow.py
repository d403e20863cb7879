"""A flow as text for a page: read again it is the same, whatever flow it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from flows.generated import flow_of_seed
from flows.player import london

from callrouter.flows import FlowFileError, load_written_out
from callrouter.publishing.written import as_yaml
from infra.yamlfile import read_yaml
from ivr.flow import Flow, read_flow


@pytest.mark.parametrize("flow", [london(), *map(flow_of_seed, range(20))], ids=lambda flow: flow.version)
def test_text_of_a_flow_is_the_same_flow(flow: Flow, tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(as_yaml(flow), encoding="utf-8")

    assert read_flow(read_yaml(file).data) == flow


def test_london_with_its_subflows_written_out_passes_the_check(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(as_yaml(london()), encoding="utf-8")

    assert load_written_out(file).version == london().version


def test_what_is_wrong_in_a_text_is_said_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(as_yaml(london()).replace("action: menu", "action: sing", 1), encoding="utf-8")

    with pytest.raises(FlowFileError, match=r"flow.yaml:\d+: .*unknown action"):
        load_written_out(file)
