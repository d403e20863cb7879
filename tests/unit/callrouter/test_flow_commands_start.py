"""An author who checks a flow does not wait for a database, a web server or a log to be loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from callrouter.cli.commands import OF_FLOW_FILES, reads_files_alone
from tests.publishing_world import TEXTS, flow_data
from tests.running import ROOT

NOT_NEEDED = {"sqlalchemy", "structlog", "fastapi", "redis", "numpy", "rich", "callrouter.events"}
RUN = f"""
import sys
from callrouter.cli import main
for words in (["check", "a.yaml"], ["play", "a.yaml"], ["diff", "a.yaml", "a.yaml"], ["export", "a.yaml"]):
    sys.argv[1:] = ["flow", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code, words
print("loaded:", sorted({NOT_NEEDED!r} & set(sys.modules)))
"""


def test_commands_on_flow_files_load_only_what_they_need(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(flow_data()))
    (tmp_path / "prompts.yaml").write_text(yaml.safe_dump(TEXTS))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CALLROUTER_PROMPTS_FILE": "prompts.yaml"}
    command = [sys.executable, "-c", RUN]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, input="h\n", capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_every_other_command_sets_up_the_log_first() -> None:
    assert all(reads_files_alone(["flow", each, "a.yaml"]) for each in OF_FLOW_FILES)
    assert not any(
        map(reads_files_alone, ([], ["flow"], ["flow", "replay"], ["call", "check"], ["--help", "flow", "check"]))
    )
