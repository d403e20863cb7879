"""``callrouter up``: the production shape on one machine without containers, to try out, to break, and to look at."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import typer
from pydantic import SecretStr

from callrouter.cli.common import open_database
from callrouter.dispatch.providers import Provider, read_providers
from callrouter.errors import ConfigurationError
from callrouter.exchange import asterisk_settings, speak, stand_in
from callrouter.settings import FILE_KEY, PREFIX, Settings, load_settings
from infra.asterisk import instance
from infra.kamailio.instance import Kamailio, KamailioError, KamailioSettings
from infra.up.process import NotStarted, Process
from infra.up.stores import ServerMissing, free_port, postgres, redis

SIP_PORT = 5060
ASTERISKS = 2
WORKERS = 2


@dataclass(frozen=True, slots=True)
class _House:
    """What runs, for who wants to dial, look or break it."""

    edge: Kamailio
    background: Process
    workers: tuple[Process, ...]
    watch: Process
    auditor: Process
    pages: str
    urls: tuple[str, ...]
    settings_file: Path

    @property
    def serving(self) -> tuple[Process, ...]:
        """Those that promise to end cleanly."""
        return (*self.workers, self.background)

    @property
    def ended(self) -> list[Process]:
        """Programs of ours that run no more."""
        return [each for each in (*self.serving, self.watch, self.auditor) if each.status is not None]


def add(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(up)


def up(
    for_s: Annotated[float | None, typer.Option("--for", min=1, help="End by itself after so many seconds.")] = None,
    sip_port: Annotated[int, typer.Option(min=0, max=65535, help="SIP port of the edge; 0: a free one.")] = SIP_PORT,
) -> None:
    """Run PostgreSQL, Redis, two Asterisks behind Kamailio, two workers, background, watch, auditor and providers.

    Until Ctrl-C. All is on loopback and begins empty each time. Exit 1 if a worker ended by itself or not cleanly.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    chosen = load_settings()
    try:
        with _house(chosen, sip_port) as house:
            _tell(house)
            clean = _wait(house, stop, for_s)
            typer.echo("ending")
            for each in house.serving:
                each.ask_to_stop()  # all at once; each is waited for in its turn
    except (instance.AsteriskError, KamailioError, NotStarted, ServerMissing) as error:
        raise ConfigurationError(str(error)) from error
    if not clean or any(each.status != 0 for each in house.serving):
        raise typer.Exit(1)


def _tell(house: _House) -> None:
    sip = f"sip:111@127.0.0.1:{house.edge.port}"
    typer.echo(f"Dial     {sip} (UDP or TCP), as any number: no registration")
    typer.echo(f"Watch    {house.pages}/   health: {house.pages}/ready")
    for url in house.urls:
        typer.echo(f"Worker   health: {url}/ready")
    typer.echo(f"Check    {FILE_KEY}={house.settings_file} callrouter doctor")
    typer.echo(f"Logs     {house.settings_file.parent}/*.log   Ctrl-C ends")


def _wait(house: _House, stop: threading.Event, for_s: float | None) -> bool:
    """Until told, or until the time is over; False if a program ended meanwhile, which is said once."""
    until = time.monotonic() + for_s if for_s is not None else float("inf")
    told: set[str] = set()
    while time.monotonic() < until and not stop.wait(0.5):
        for each in house.ended:
            if each.name not in told:
                told.add(each.name)
                typer.echo(f"{each.name} ended (status {each.status})", err=True)
    return not told


@contextmanager
def _house(chosen: Settings, sip_port: int) -> Iterator[_House]:
    folder = (chosen.data_dir / "up").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    prompts = chosen.prompts_audio_dir or chosen.data_dir / "prompts"
    if chosen.prompts_audio_dir is None:
        speak(chosen, prompts)
    providers = list(read_providers(chosen.providers_file))
    password = secrets.token_urlsafe(24)
    with ExitStack() as stack:
        records = stack.enter_context(postgres(folder / "postgresql.log"))
        live = stack.enter_context(redis(folder / "redis.log"))
        for provider in providers:
            stack.enter_context(stand_in(provider, folder))
        asterisks = [stack.enter_context(each) for each in _asterisks(folder, providers, password)]
        settings = load_settings(
            **{name: getattr(chosen, name) for name in chosen.model_fields_set}
            | {
                "data_dir": folder / "data",
                "database_url": records.url,
                "redis_url": SecretStr(live.url),
                "prompts_audio_dir": prompts.resolve(),
                "ari_url": ",".join(each.ari_url for each in asterisks),
                "ami_address": ",".join(f"127.0.0.1:{each.ports.ami}" for each in asterisks),
                "ari_user": asterisks[0].settings.ari_user,
                "ari_password": SecretStr(password),
                "open_wallboard": True,
                "public_url": chosen.address,  # of the background process: these settings name no other port
                "parts": "calls",
            }
            | _auditor_settings(chosen)
        )
        asyncio.run(_migrate(settings))
        file = _write(settings, folder / "settings.env")
        background = _serving("background", settings, settings.port, file, {f"{PREFIX}PARTS": "background"})
        stack.enter_context(background)
        ports = [free_port() for _ in range(WORKERS)]
        workers = tuple(_serving(f"worker-{n}", settings, port, file) for n, port in enumerate(ports, 1))
        for each in workers:
            stack.enter_context(each)
        watch = _start("watch", ["watch"], file, {}, ready=lambda: _says(folder / "watch.log", "watching"))
        stack.enter_context(watch)
        at = [("127.0.0.1", each.ports.sip) for each in asterisks]
        edge = Kamailio(folder / "kamailio", KamailioSettings(at, port=sip_port or None))
        stack.enter_context(edge)  # last in, first out: no call comes before all stand, or while they go
        first = {f"{PREFIX}PORT": str(ports[0])}  # whom it calls
        auditor = _start("auditor", ["auditor"], file, first, ready=lambda: _says(folder / "auditor.log", "auditing"))
        stack.enter_context(auditor)
        urls = tuple(_url(settings, each) for each in ports)
        yield _House(edge, background, workers, watch, auditor, _url(settings, settings.port), urls, file)


def _asterisks(folder: Path, providers: Sequence[Provider], password: str) -> Iterator[instance.Asterisk]:
    installation = instance.find_installation()
    for n in range(1, ASTERISKS + 1):
        own = asterisk_settings(providers, password=password)
        yield instance.Asterisk(folder / f"asterisk-{n}", own, installation)


def _auditor_settings(chosen: Settings) -> dict[str, object]:
    """Where the auditor listens, and what signs the notices of its probes."""
    listen = f"127.0.0.1:{free_port()}"
    secret = chosen.webhook_secret or SecretStr(secrets.token_urlsafe(32))
    return {"auditor_listen": listen, "auditor_url": f"http://{listen}/notices", "webhook_secret": secret}


def _serving(name: str, settings: Settings, port: int, file: Path, own: Mapping[str, str] | None = None) -> Process:
    """``callrouter serve`` on this port."""
    ready = _Ready(_url(settings, port))
    return _start(name, ["serve"], file, {f"{PREFIX}PORT": str(port), **(own or {})}, ready=ready)


def _url(settings: Settings, port: int) -> str:
    return f"http://{settings.host}:{port}"


@dataclass(frozen=True, slots=True)
class _Ready:
    """Whether a worker may be sent calls."""

    url: str

    def __call__(self) -> bool:
        try:
            return httpx.get(f"{self.url}/ready", timeout=2, trust_env=False).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


def _says(log: Path, word: str) -> bool:
    return log.exists() and word in log.read_text(errors="replace")


def _start(name: str, command: list[str], file: Path, own: Mapping[str, str], *, ready: Callable[[], bool]) -> Process:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    return Process(
        name,
        [sys.executable, "-m", "callrouter", *command],
        file.parent / f"{name}.log",
        ready=ready,
        environment={**kept, FILE_KEY: str(file), "PYTHONUNBUFFERED": "1", **own},
    )


async def _migrate(settings: Settings) -> None:
    async with open_database(settings):
        pass


def _write(settings: Settings, file: Path) -> Path:
    """The settings as a file that only we may read, for every program of the house."""
    file.touch(mode=0o600)
    lines = []
    for name in sorted(settings.model_fields_set - {"port"}):
        value = getattr(settings, name)
        if value is not None:
            shown = value.get_secret_value() if isinstance(value, SecretStr) else value
            lines.append(f"{PREFIX}{name.upper()}='{shown}'\n")
    file.write_text("".join(lines))
    return file
