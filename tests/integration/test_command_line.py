"""The command line as a person types it: what is printed, and the exit status."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import httpx
import pytest

from tests.running import ROOT, RunningService, free_port, run_command

pytestmark = pytest.mark.alone

LONDON = "ivr/flows/london-111.yaml"
Type = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def type_(tmp_path: Path) -> Type:
    """``type_("plan", "lookup", …, stdin=…, CALLROUTER_X=…)`` in a data folder of the test's own."""

    def run(*arguments: str, stdin: str = "", **settings: str) -> CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("CALLROUTER_")}
        own = {"CALLROUTER_DATA_DIR": str(tmp_path / "data"), "CALLROUTER_PORT": str(free_port()), "COLUMNS": "300"}
        return run_command(clean | own | settings, *arguments, stdin=stdin)

    return run


def test_the_shipped_flow_passes_and_a_broken_one_is_refused_by_line(type_: Type, tmp_path: Path) -> None:
    broken = tmp_path / "flows" / "london-111.yaml"
    shutil.copytree((ROOT / LONDON).parent, broken.parent)
    broken.write_text(broken.read_text().replace("flu: reason_flu", "flu: reason_flux"))
    line = next(n for n, text in enumerate(broken.read_text().splitlines(), 1) if "reason_flux" in text)
    result = type_("flow", "check", LONDON, str(broken))
    assert result.returncode == 1
    assert f"{LONDON}: ok" in result.stdout
    assert f"{broken}:{line}: nodes.main_menu.exits.flu: leads to reason_flux, which is no node" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_flow_is_played_to_a_person(type_: Type) -> None:
    result = type_("flow", "play", LONDON, stdin="3\n")
    assert result.returncode == 0
    assert "dial 999 now" in result.stdout
    assert "[connected to dental]" in result.stdout


def test_a_flow_is_played_along_a_care_plan(type_: Type) -> None:
    result = type_("flow", "play", LONDON, "--plan", "asserted", stdin="5\n04041950#\n1\n1\n")
    assert result.returncode == 0
    assert "There is a team who can take your call now." in result.stdout
    assert "[connected to frailty]" in result.stdout


def test_a_flow_is_played_for_a_repeat_caller(type_: Type) -> None:
    result = type_("flow", "play", LONDON, "--repeat", "PRC", stdin="1\n")
    assert "[look-up repeat: PRC]" in result.stdout
    assert "[connected to clinician]" in result.stdout


def test_the_verdict_on_a_flow_is_one_line_and_v_says_what_it_rests_on(type_: Type) -> None:
    verdict = type_("flow", "check", LONDON).stdout.splitlines()
    assert len(verdict) == 1
    # exact: without "at most"
    assert re.search(r": every path ends with a person; longest path \d+ s, longest before a person \d+ s$", verdict[0])

    details = type_("flow", "check", "-v", LONDON).stdout.splitlines()
    assert details[0] == verdict[0]
    for begins in (
        "model: ",
        "prompts: ",
        "a caller who does nothing: ",
        "a caller who presses 0: ",
        "longest before a person, ",
        "longest path, ",
        "door: ",
        "assumed: ",
    ):
        assert any(line.strip().startswith(begins) for line in details), begins


@pytest.mark.slow
def test_plans_are_imported_and_found_by_number(type_: Type) -> None:
    imported = type_("plan", "import", "careplans/demo.csv", "--json")
    assert imported.returncode == 0, imported.stderr
    found = json.loads(type_("plan", "lookup", "01632 960120", "--json").stdout)
    assert found["outcome"] == "candidates"
    assert [each["stale"] for each in found["candidates"]] == [True]
    assert {"plan_id", "kind", "source", "stale"} <= found["candidates"][0].keys()
    withheld = json.loads(type_("plan", "lookup", "anonymous", "--json").stdout)
    assert (withheld["outcome"], withheld["reason"]) == ("none", "withheld")


@pytest.mark.slow
def test_a_file_that_is_no_plan_file_is_refused_and_the_data_stay(type_: Type, tmp_path: Path) -> None:
    type_("plan", "import", "careplans/demo.csv")
    picture = tmp_path / "plans.csv"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    refused = type_("plan", "import", str(picture))
    assert refused.returncode == 1
    assert str(picture) in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stderr
    assert json.loads(type_("plan", "lookup", "01632960120", "--json").stdout)["outcome"] == "candidates"


@pytest.mark.slow
def test_a_call_is_dialled_and_shown_without_a_running_service(type_: Type) -> None:
    call = type_("dial", "+447700900123", "--speed", "50", stdin="3\nh\n")
    assert "connected to London dental line" in call.stdout
    listed = type_("call", "list").stdout.split()
    shown = type_("call", "show", listed[2])
    assert shown.returncode == 0
    assert "offered" in shown.stdout
    assert "(sealed)" in shown.stdout
    assert "7700900123" not in shown.stdout
    assert "+447700900123" in type_("call", "show", listed[2], "--personal").stdout
    events = [json.loads(line) for line in type_("call", "show", listed[-1], "--json").stdout.splitlines()]
    assert [each["seq"] for each in events] == list(range(1, len(events) + 1))
    assert events[-1]["end_class"] == "answered"


def test_the_demo_ends_by_itself_and_loses_nobody(type_: Type) -> None:
    result = type_("demo", "--for", "5", "--json")
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert list(summary) == ["offered", "answered", "abandoned", "deflected", "in_error", "lost"]
    assert summary["lost"] == 0
    assert summary["offered"] == sum(list(summary.values())[1:]) > 0


class Demo(RunningService):
    COMMAND = "demo"


def test_the_demo_holds_no_small_count_of_a_provider_back(tmp_path: Path) -> None:
    with Demo(tmp_path) as demo:
        page = httpx.get(f"{demo.url}/", trust_env=False).text
    of_providers = page.partition("By provider")[2].partition("Where callers are")[0]
    assert "London dental line" in of_providers
    assert "&lt;5" not in of_providers, "its callers are nobody"


@pytest.mark.slow
def test_a_simulation_with_other_tokens_says_that_nobody_was_served(type_: Type, tmp_path: Path) -> None:
    with RunningService(tmp_path) as service:
        words = ("simulate", "--calls", "3", "--rate", "50", "--speed", "100", "--json")
        result = type_(*words, CALLROUTER_PORT=str(service.port), CALLROUTER_TWILIO_AUTH_TOKENS="another")
    assert list(json.loads(result.stdout)) == ["offered", "answered", "abandoned", "deflected", "in_error", "lost"]
    assert "3 of these had no answer of the service" in result.stderr


@pytest.mark.slow
def test_a_database_is_brought_up_to_date_once(type_: Type) -> None:
    assert type_("db", "upgrade").stdout.startswith("upgraded from nothing to")
    assert type_("db", "upgrade").stdout.startswith("already at")


UNUSABLE = [
    ({"CALLROUTER_FLOWFILE": "x"}, "unknown setting CALLROUTER_FLOWFILE"),
    ({"CALLROUTER_PORT": "many"}, "CALLROUTER_PORT"),
    ({"CALLROUTER_ENVIRONMENT": "production"}, "CALLROUTER_KEYS: must be set in production"),
    ({"CALLROUTER_ENVIRONMENT": "production", "CALLROUTER_DEVELOPMENT_SIGN_IN": "yes"}, "refused in production"),
    ({"CALLROUTER_PUBLIC_URL": "calls.example/x"}, "PUBLIC_URL"),
    ({"CALLROUTER_FLOW_FILE": "no-such.yaml"}, "no-such.yaml"),
    ({"CALLROUTER_PROVIDERS_FILE": "README.md"}, "README.md:"),
    ({"CALLROUTER_ALERT_RULES_FILE": "callrouter/providers.yaml"}, "callrouter/providers.yaml:"),
    ({"CALLROUTER_REDIS_URL": "127.0.0.1:6379"}, "REDIS_URL"),
    ({"CALLROUTER_KEYS": "c2hvcnQ="}, "CALLROUTER_KEYS"),
]
OFTEN = 1
"""A process starts for each."""


@pytest.mark.parametrize(
    ("settings", "said"), UNUSABLE[:OFTEN] + [pytest.param(*each, marks=pytest.mark.slow) for each in UNUSABLE[OFTEN:]]
)
def test_a_setting_that_is_not_usable_is_named(type_: Type, settings: dict[str, str], said: str) -> None:
    result = type_("serve", **settings)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_markup_in_a_prompt_is_refused_with_its_line(type_: Type, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.yaml"
    prompts.write_text('hello: "Hello."\nslow: "<break time=\'1s\'/> Hello."\n')
    result = type_("flow", "check", LONDON, CALLROUTER_PROMPTS_FILE=str(prompts))
    assert result.returncode == 2
    assert f"{prompts}:2: slow: a prompt is plain text, without markup" in result.stderr
