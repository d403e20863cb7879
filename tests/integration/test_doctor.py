"""``callrouter doctor`` against real servers, sound and broken: what it says, and what it says to do."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from sqlalchemy import text

from adapters.twilio.fallback import fallback_document
from callrouter.doctor.asterisk import MODULES, check_asterisks
from callrouter.doctor.local import check_audio, check_keys
from callrouter.doctor.model import Check, Finding, examine
from callrouter.doctor.public import check_fall_back, check_public_address
from callrouter.doctor.records import check_database
from callrouter.settings import Settings
from careplans.kinds import PlanKind
from careplans.model import Person, Plan
from careplans.sealing import Sealer
from careplans.writing import write_plans
from infra.asterisk.instance import (
    Asterisk,
    AsteriskSettings,
    AsteriskUnavailable,
    Installation,
    Provider,
    find_installation,
)
from infra.crypto import KeyRing
from infra.migrate import upgrade_database
from infra.sql import connect_database
from tests.integration.conftest_asterisk import global_set
from tests.postgres import Postgres, own_postgres
from tests.running import RunningService, free_port, run_command
from tests.sip.answering import AnsweringSip

pytestmark = pytest.mark.alone

SOON_S = 30.0
KEYS = base64.b64encode(os.urandom(64)).decode()


def settings(folder: Path, **differently: object) -> Settings:
    return Settings(data_dir=folder, **differently)  # type: ignore[arg-type]


def levels(findings: list[Finding]) -> set[str]:
    return {each.level for each in findings}


def bad(findings: list[Finding]) -> list[Finding]:
    return [each for each in findings if each.level != "ok"]


async def only(check: Check, given: Settings) -> list[Finding]:
    return await examine(given, [("it", check)])


# ---------------------------------------------------------------- SQL


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with own_postgres() as server:
        yield server


async def test_a_sound_database_is_all_right_and_one_without_migrations_is_not(
    postgres: Postgres, tmp_path: Path
) -> None:
    given = settings(tmp_path, database_url=postgres.url)
    (finding,) = bad(await only(check_database, given))
    assert (finding.level, finding.text) == ("failed", "migrations are missing")
    assert "callrouter db upgrade" in finding.do

    database = connect_database(postgres.url)
    await upgrade_database(database)
    assert levels(await only(check_database, given)) == {"ok"}

    await database.write(lambda c: c.execute(text("ALTER DATABASE postgres SET default_transaction_read_only = on")))
    await database.close()
    (finding,) = bad(await only(check_database, given))
    assert (finding.level, finding.text) == ("failed", "it is read-only: records wait")


async def test_a_database_that_is_not_there_is_told_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://callrouter:hush-hush@127.0.0.1:{free_port()}/postgres"
    (finding,) = await only(check_database, settings(tmp_path, database_url=url))
    assert finding.level == "failed"
    assert finding.text.startswith("does not answer")
    assert "hush" not in str(finding)


async def test_plans_under_a_key_that_is_not_in_the_ring_are_told_since_nobody_finds_them(tmp_path: Path) -> None:
    url, other = f"sqlite:///{tmp_path}/plans.db", base64.b64encode(os.urandom(64)).decode()
    database = connect_database(url)
    await upgrade_database(database)
    person = Person("Edith", "Example", date(1938, 4, 12), None, ("+447700900101",))
    plan = Plan("P1", "Demo", "Demo", PlanKind.CRISIS, person, "Zzline", "", date(2026, 5, 4), None, 1)
    await database.write(lambda c: write_plans(c, Sealer(KeyRing.from_base64(KEYS)), [plan], datetime.now(UTC)))
    await database.close()

    async def said(**keys: str) -> list[str]:
        return [
            each.text
            for each in await only(check_database, settings(tmp_path, database_url=url, **keys))
            if each.level == "failed"
        ]

    lost = ["1 are under another key: look-ups do not find them, and say unavailable"]
    assert [await said(keys=KEYS), await said(keys=f"{other} {KEYS}"), await said(keys=other), await said()] == [
        [], [], lost, lost
    ]  # fmt: skip
    assert not (tmp_path / "keys").exists()


# ---------------------------------------------------------------- Asterisk


@pytest.fixture(scope="module")
def installation() -> Installation:
    try:
        return find_installation()
    except AsteriskUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def provider() -> Iterator[AnsweringSip]:
    with AnsweringSip("Another telephone system") as end:
        yield end


@pytest.fixture(scope="module")
def asterisk(
    installation: Installation, provider: AnsweringSip, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Asterisk]:
    providers = [Provider("first", "127.0.0.1", provider.port)]
    own = AsteriskSettings(providers=providers, default_provider="first")
    with Asterisk(tmp_path_factory.mktemp("asterisk"), own, installation) as running:
        wait_online(running, "first")
        yield running


def wait_online(asterisk: Asterisk, provider: str) -> None:
    login = (asterisk.settings.ari_user, asterisk.settings.ari_password)
    deadline = time.monotonic() + SOON_S
    while httpx.get(f"{asterisk.ari_url}/endpoints/PJSIP/provider-{provider}", auth=login).json()["state"] != "online":
        assert time.monotonic() < deadline, asterisk.log()
        time.sleep(0.1)  # Asterisk asks the provider by itself, every two seconds


def sip_settings(folder: Path, asterisk: Asterisk, **differently: object) -> Settings:
    given = {
        "ari_url": asterisk.ari_url,
        "ami_address": f"127.0.0.1:{asterisk.ports.ami}",
        "ari_user": asterisk.settings.ari_user,
        "ari_password": asterisk.settings.ari_password,
    }
    return settings(folder, **{**given, **differently})


async def test_a_sound_asterisk_is_all_right(asterisk: Asterisk, tmp_path: Path) -> None:
    findings = await only(check_asterisks, sip_settings(tmp_path, asterisk))
    assert bad(findings) == []
    said = " ".join(each.text for each in findings)
    for each in ("version 2", "modules", "claim, fence", "default service", "somebody else", "its manager answers"):
        assert each in said


async def test_a_wrong_password_is_told_as_such(asterisk: Asterisk, tmp_path: Path) -> None:
    findings = await only(check_asterisks, sip_settings(tmp_path, asterisk, ari_password="wrong"))
    assert [each.text for each in findings] == [
        "its REST interface refuses us (HTTP 401)",
        "its manager refuses us",
    ]


async def test_an_asterisk_that_is_not_there_and_a_manager_that_nobody_set_are_told(
    asterisk: Asterisk, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{free_port()}/ari"
    findings = await only(check_asterisks, sip_settings(tmp_path, asterisk, ari_url=url, ami_address=None))
    assert [each.level for each in findings] == ["failed", "warning"]
    assert "does not answer (ConnectError)" in findings[0].text


@pytest.fixture(scope="module")
def broken(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    """Its default provider is itself, nobody answers there, and a module is missing."""
    folder = tmp_path_factory.mktemp("broken")
    own = AsteriskSettings(providers=[Provider("first", "127.0.0.1", 1)], default_provider="first")
    asterisk = Asterisk(folder, own, installation)
    own = AsteriskSettings(
        providers=[Provider("first", "127.0.0.1", asterisk.ports.sip)],
        default_provider="first",
        ports=asterisk.ports,
        carriers=("192.0.2.1",),
    )
    with Asterisk(folder, own, installation) as running:
        login = (own.ari_user, own.ari_password)
        httpx.delete(f"{running.ari_url}/asterisk/modules/app_userevent.so", auth=login).raise_for_status()
        yield running


async def test_a_fall_back_that_leads_back_to_us_and_a_missing_module_are_found(
    broken: Asterisk, tmp_path: Path
) -> None:
    findings = bad(await only(check_asterisks, sip_settings(tmp_path, broken)))
    said = [each.text for each in findings]
    assert "the fall-back leads back to us: nobody would be rung" in said
    assert "lacks the modules app_userevent.so" in said
    assert all(each.do for each in findings)


async def test_a_dialplan_of_a_release_that_recorded_nothing_is_told(asterisk: Asterisk, tmp_path: Path) -> None:
    folder = asterisk.cli("dialplan show globals").partition("RECORDINGS=")[2].split()[0]
    with global_set(asterisk, "RECORDINGS", '""', usually=folder):
        (finding,) = bad(await only(check_asterisks, sip_settings(tmp_path, asterisk)))
    assert finding.text == "its dialplan is of an older release: no talk is recorded"
    assert "dialplan reload" in finding.do


def test_every_module_that_is_needed_is_in_the_shipped_configuration() -> None:
    shipped = (Path(__file__).parents[2] / "infra/asterisk/etc/modules.conf").read_text()
    assert [each for each in MODULES if f"load = {each}" not in shipped] == []


# ---------------------------------------------------------------- the public address


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with RunningService(tmp_path_factory.mktemp("service"), {"KEYS": KEYS}) as running:
        yield running


def public(service: RunningService, **differently: object) -> Settings:
    given = {"keys": KEYS, "public_url": service.url}
    return settings(service.folder / "data", **{**given, **differently})


@pytest.mark.slow
async def test_the_public_address_is_us_and_believes_twilio_alone(service: RunningService) -> None:
    findings = await only(check_public_address, public(service))
    assert levels(findings) == {"ok"}
    assert "signed webhooks are taken, unsigned ones refused" in [each.text for each in findings]
    assert any(each.text.endswith("/twilio/voice#ct=1000&rt=2500&rc=2&rp=all") for each in findings)


async def test_somebody_else_under_our_address_is_found(service: RunningService) -> None:
    other = base64.b64encode(os.urandom(64)).decode()
    (finding,) = bad(await only(check_public_address, public(service, keys=other)))
    assert (finding.level, finding.text) == ("failed", "somebody else answers there (HTTP 200)")


async def test_a_token_that_the_service_does_not_know_is_found(service: RunningService) -> None:
    (finding,) = bad(await only(check_public_address, public(service, twilio_auth_tokens="another-token")))
    assert finding.text == "a webhook signed with token 1 is refused (HTTP 403)"


async def test_nobody_under_the_public_address_is_found(service: RunningService) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    (finding,) = await only(check_public_address, public(service, public_url=url))
    assert (finding.level, finding.text) == ("failed", "nobody answers there (ConnectError)")


def test_who_does_not_have_our_keys_learns_nothing_by_asking(service: RunningService) -> None:
    for path in ("/identity/short", f"/identity/{'0' * 32}x", f"/identity/{'Z' * 32}"):
        assert httpx.get(f"{service.url}{path}").status_code == 422


class _Document(BaseHTTPRequestHandler):
    text = ""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.text.encode())

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """Another host: ``localhost`` is another name than 127.0.0.1."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Document)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://localhost:{server.server_port}/fallback.xml"
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.mark.parametrize(
    ("document", "level"),
    [
        (fallback_document("+442079460111"), "ok"),
        (fallback_document("+442079460199"), "failed"),
        ("<html>404</html>", "failed"),
    ],
)
async def test_the_fall_back_is_fetched_as_twilio_would(
    elsewhere: str, tmp_path: Path, document: str, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Document, "text", document)
    given = settings(tmp_path, fallback_url=elsewhere, fallback_number="+442079460111")
    assert [each.level for each in await only(check_fall_back, given)] == [level]


async def test_a_fall_back_on_our_own_host_is_refused(tmp_path: Path) -> None:
    given = settings(tmp_path, public_url="https://calls.example", fallback_url="https://calls.example/fallback.xml")
    (finding,) = await only(check_fall_back, given)
    assert (finding.level, finding.text) == ("failed", "it is on our own host, and would be gone with us")


# ---------------------------------------------------------------- this machine


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (os.urandom(64), "64 random octets"),
        (b"\0" * 64, "KEYS is not random"),
        (bytes(range(32)) * 2, "KEYS is not random"),
        (os.urandom(32), "KEYS has 32 octets, not 64"),
    ],
    ids=["random", "all alike", "twice the same", "too short"],  # random octets make no name of a test
)
async def test_keys_that_could_be_guessed_are_found(tmp_path: Path, octets: bytes, said: str) -> None:
    findings = await only(check_keys, settings(tmp_path, keys=base64.b64encode(octets).decode()))
    assert findings[0].text == said
    assert (findings[0].level == "ok") == ("random octets" in said)


async def test_short_secrets_are_named_and_not_shown(tmp_path: Path) -> None:
    findings = bad(await only(check_keys, settings(tmp_path, session_secret="hush-hush")))
    assert [each.level for each in findings] == ["warning"]
    assert "SESSION_SECRET" in findings[0].text
    assert "hush" not in str(findings)


async def test_prompts_without_audio_are_named(tmp_path: Path) -> None:
    (tmp_path / "main_menu.wav").touch()
    given = settings(tmp_path, ari_url="http://127.0.0.1:1/ari", prompts_audio_dir=tmp_path)
    (finding,) = await only(check_audio, given)
    assert finding.level == "failed"
    assert "emergency_999" in finding.text


# ---------------------------------------------------------------- the command


@pytest.mark.slow
def test_the_command_prints_a_line_for_each_finding_and_fails_only_for_what_is_not_fit(tmp_path: Path) -> None:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CALLROUTER_")}
    own = {"CALLROUTER_DATA_DIR": str(tmp_path / "data"), "CALLROUTER_PORT": str(free_port())}
    fit = run_command(clean | own, "doctor")
    assert fit.returncode == 0, fit.stdout + fit.stderr
    assert "→ start `callrouter serve`" in fit.stdout

    unfit = run_command(
        clean | own | {"CALLROUTER_DATABASE_URL": f"postgresql://x:hush@127.0.0.1:{free_port()}/x"}, "doctor", "--json"
    )
    assert unfit.returncode == 1
    findings = [json.loads(line) for line in unfit.stdout.splitlines()]
    assert {"about", "level", "text", "do"} == set(findings[0])
    assert [each["about"] for each in findings if each["level"] == "failed"] == ["sql"]
    assert "hush" not in unfit.stdout + unfit.stderr
