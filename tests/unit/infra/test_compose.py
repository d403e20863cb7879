"""The files for containers: sound by themselves, without secrets, guarded, and in step with the code they start."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import SecretStr

from callrouter.settings import FILE_KEY, PREFIX, Settings
from infra.compose.variables import VariableWrong, asterisk_settings, kamailio_settings
from infra.kamailio.instance import KamailioSettings, render

FOLDER = Path(__file__).parents[3] / "infra/compose"
TEXT = (FOLDER / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONCE = {"migrate", "prompts"}
LISTENING = set(SERVICES) - ONCE - {"watch"}

# github.com/compose-spec/compose-spec, 05-services.md: those that are used here
SERVICE_KEYS = {
    "build", "cap_drop", "command", "configs", "depends_on", "environment", "healthcheck", "image", "logging",
    "network_mode", "read_only", "restart", "secrets", "security_opt", "shm_size", "stop_grace_period", "tmpfs",
    "user", "volumes",
}  # fmt: skip
HEALTH_KEYS = {"test", "interval", "timeout", "retries", "start_period"}


def example() -> dict[str, str]:
    lines = [each for each in (FOLDER / ".env.example").read_text().splitlines() if each and not each.startswith("#")]
    return dict(each.split("=", 1) for each in lines)


def used() -> Iterator[str]:
    for each in re.finditer(r"\$\{(\w+)", TEXT):
        yield each[1]


def filled(service: str) -> dict[str, str]:
    """The environment of a service with the example's values."""

    def value(found: re.Match[str]) -> str:
        return example()[found[1]] or (found[3] or "")

    given = SERVICES[service]["environment"]
    return {name: re.sub(r"\$\{(\w+)(:[-?]([^}]*))?\}", value, str(text)) for name, text in given.items()}


@pytest.mark.parametrize("name", SERVICES)
def test_nobody_is_root_and_nothing_more_is_allowed_than_is_needed(name: str) -> None:
    service = SERVICES[name]
    assert int(service["user"].split(":")[0]) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["stop_grace_period"] == "30s"
    assert "privileged" not in service
    assert "ports" not in service, "the network is the host's"


@pytest.mark.parametrize("name", SERVICES)
def test_every_key_is_one_of_the_specification(name: str) -> None:
    service = SERVICES[name]
    assert set(service) <= SERVICE_KEYS
    assert set(service.get("healthcheck", {})) <= HEALTH_KEYS
    assert all(each == "no" or each in ("unless-stopped", "on-failure:5") for each in [service["restart"]])


@pytest.mark.parametrize("name", SERVICES)
def test_whatever_a_service_names_is_there(name: str) -> None:
    service = SERVICES[name]
    targets = re.findall(r"^FROM \S+ AS (\w+)$", (FOLDER / "Dockerfile").read_text(), re.M)
    for other, how in service.get("depends_on", {}).items():
        wanted = "service_completed_successfully" if other in ONCE else "service_healthy"
        assert how == {"condition": wanted}
        assert other in ONCE or "healthcheck" in SERVICES[other]
    assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
    assert {each["source"] for each in service.get("configs", [])} <= set(COMPOSE["configs"])
    assert {each.split(":")[0] for each in service.get("volumes", [])} <= set(COMPOSE["volumes"])
    if "build" in service:
        assert service["build"]["target"] in targets
        assert service["image"] == f"callrouter/{service['build']['target']}"
        assert (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


def test_nothing_is_declared_that_nobody_uses() -> None:
    for kind in ("secrets", "volumes"):
        used_by_some = {str(each).split(":")[0] for service in SERVICES.values() for each in service.get(kind, [])}
        assert used_by_some == set(COMPOSE[kind])


def test_every_variable_is_in_the_example_and_every_line_of_the_example_is_used() -> None:
    assert set(used()) == set(example())


def test_no_secret_is_in_the_files() -> None:
    assert all(str(each["file"]).startswith("./secrets/") for each in COMPOSE["secrets"].values())
    assert (FOLDER / "secrets/.gitignore").read_text().splitlines()[0] == "*"
    assert "infra/compose/secrets" in (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    sealed = {f"{PREFIX}DATABASE_URL", f"{PREFIX}REDIS_URL"} | {
        f"{PREFIX}{name.upper()}"
        for name, field in Settings.model_fields.items()
        if SecretStr in (field.annotation, *get_args(field.annotation))
    }
    assert f"{PREFIX}ARI_PASSWORD" in sealed
    for name, service in SERVICES.items():
        for key in service.get("environment", {}):
            assert key not in sealed, f"{name}: {key} belongs into secrets/callrouter.env"
            assert not re.search(r"(PASSWORD|SECRET|TOKEN|KEY)S?$", key), f"{name}: {key}"


def test_the_service_knows_every_setting_that_it_is_given() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {FILE_KEY}
    for name in ("worker-1", "worker-2", "background", "watch", "auditor", "migrate", "prompts"):
        assert set(SERVICES[name]["environment"]) <= known


def test_health_is_asked_where_it_is_answered() -> None:
    assert {name for name in SERVICES if "healthcheck" in SERVICES[name]} >= LISTENING - {"kamailio", "caddy"}
    for name in ("worker-1", "worker-2", "background"):
        port = SERVICES[name]["environment"]["CALLROUTER_PORT"]
        assert f"http://127.0.0.1:{port}/live" in SERVICES[name]["healthcheck"]["test"][-1]
        assert f"127.0.0.1:{port}" in (FOLDER / "Caddyfile").read_text()
    assert "health_uri /ready" in (FOLDER / "Caddyfile").read_text()


def test_no_two_programs_want_one_port() -> None:
    wanted: list[int] = [6379, 5432]
    for name in ("asterisk-1", "asterisk-2"):
        own = SERVICES[name]["environment"]
        wanted += [int(own[key]) for key in ("SIP_PORT", "ARI_PORT", "AMI_PORT")]
        wanted += range(int(own["RTP_FIRST"]), int(own["RTP_LAST"]) + 1)
    wanted += [int(SERVICES["kamailio"]["environment"]["SIP_PORT"])]
    wanted += [int(SERVICES[name]["environment"]["CALLROUTER_PORT"]) for name in ("worker-1", "worker-2", "background")]
    wanted += [int(SERVICES["auditor"]["environment"]["CALLROUTER_AUDITOR_LISTEN"].rpartition(":")[2])]
    assert len(wanted) == len(set(wanted))


def test_callers_webhooks_come_to_workers_and_pages_to_the_background_process_first() -> None:
    parts = {name: SERVICES[name]["environment"]["CALLROUTER_PARTS"] for name in ("worker-1", "worker-2", "background")}
    assert parts == {"worker-1": "calls", "worker-2": "calls", "background": "background"}
    at = {name: f"127.0.0.1:{SERVICES[name]['environment']['CALLROUTER_PORT']}" for name in parts}
    calls, pages = re.findall(
        r"reverse_proxy (.+) \{\n(?:\t\t#.*\n)?\t\tlb_policy (\w+)", (FOLDER / "Caddyfile").read_text()
    )
    assert calls == (f"@calls {at['worker-1']} {at['worker-2']}", "cookie")
    assert pages == (f"{at['background']} {at['worker-1']} {at['worker-2']}", "first"), "its workers stand in for it"


def test_the_auditor_listens_where_workers_send_the_notices_of_its_probes() -> None:
    listen = filled("auditor")["CALLROUTER_AUDITOR_LISTEN"]
    assert filled("worker-1")["CALLROUTER_AUDITOR_URL"] == f"http://{listen}/notices"
    assert f"http://{listen}/live" in SERVICES["auditor"]["healthcheck"]["test"][-1]


def test_workers_edge_and_asterisks_agree_where_each_is() -> None:
    worker, first, second = (filled(each) for each in ("worker-1", "asterisk-1", "asterisk-2"))
    both = (first, second)
    assert worker["CALLROUTER_ARI_URL"] == ",".join(f"http://127.0.0.1:{each['ARI_PORT']}/ari" for each in both)
    assert worker["CALLROUTER_AMI_ADDRESS"] == ",".join(f"127.0.0.1:{each['AMI_PORT']}" for each in both)
    address = example()["SIP_ADDRESS"]
    assert filled("kamailio")["ASTERISKS"] == ",".join(f"{address}:{each['SIP_PORT']}" for each in both)


def test_the_containers_programs_read_these_variables(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hush\n")
    own = asterisk_settings(filled("asterisk-2") | {"ARI_PASSWORD_FILE": str(tmp_path / "password")})
    assert (own.ari_password, own.default_provider, own.emergency_provider) == (
        "hush", "north-london-111", "north-london-111",
    )  # fmt: skip
    assert [(each.id, each.transport) for each in own.providers][1] == ("south-london-111", "tcp")
    assert own.carriers == (example()["SIP_ADDRESS"],), "only the edge rings an Asterisk"
    edge = kamailio_settings(filled("kamailio"))
    assert list(edge.asterisks) == [("192.0.2.10", 5062), ("192.0.2.10", 5064)]
    assert (edge.port, edge.capacity) == (5060, 400)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PROVIDERS", "", "PROVIDERS: must be set"),
        ("PROVIDERS", "north=somewhere", "PROVIDERS: must be id=host:port"),
        ("PROVIDERS", "north=192.0.2.1:5060;evil", "PROVIDERS: must be id=host:port"),
        ("DEFAULT_PROVIDER", "nobody", "DEFAULT_PROVIDER: nobody is none of"),
        ("EMERGENCY_PROVIDER", "nobody", "EMERGENCY_PROVIDER: nobody is none of"),
        ("SIP_PORT", "sip", "SIP_PORT: must be a whole number"),
        ("ARI_PASSWORD_FILE", "/nowhere", "ARI_PASSWORD_FILE: cannot be read"),
    ],
)
def test_a_slip_of_the_pen_starts_no_exchange(tmp_path: Path, name: str, value: str, said: str) -> None:
    (tmp_path / "password").write_text("hush")
    given = filled("asterisk-1") | {"ARI_PASSWORD_FILE": str(tmp_path / "password"), name: value}
    with pytest.raises(VariableWrong, match=re.escape(said)):
        asterisk_settings(given)


def test_an_edge_without_asterisks_is_refused() -> None:
    with pytest.raises(VariableWrong, match="ASTERISKS: must be address:port"):
        kamailio_settings(filled("kamailio") | {"ASTERISKS": "asterisk-1"})


@pytest.mark.parametrize("host", ["asterisk-1", "localhost", "[2001:db8::1]", "192.0.2"])
def test_an_asterisk_that_is_named_and_not_addressed_is_refused_since_its_death_would_go_unnoticed(
    tmp_path: Path, host: str
) -> None:
    with pytest.raises(VariableWrong, match=f"ASTERISKS: {re.escape(host)} is no IPv4 address"):
        kamailio_settings(filled("kamailio") | {"ASTERISKS": f"192.0.2.10:5062,{host}:5064"})
    with pytest.raises(ValueError, match=re.escape(host)):
        render(tmp_path, KamailioSettings([(host, 5064)]), 5060)
