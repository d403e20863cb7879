"""``callrouter prompts`` and ``callrouter lab``: a voice for the prompts, and a telephone exchange to dial by hand."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from callrouter.embedded import serving
from callrouter.errors import ConfigurationError
from callrouter.flows import load_prompts
from callrouter.providers import Provider, read_providers
from callrouter.settings import Settings, load_settings
from infra.asterisk import instance
from infra.voices import VoiceMissing, speak_prompts

PORTS = instance.Ports(sip=5060, ari=8088, ami=5038, rtp_first=10000, rtp_last=10400)
"""Documented in infra/asterisk/README.md; providers listen where callrouter/providers.yaml says."""


def add(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(prompts)
    app.command()(lab)


def prompts(folder: Annotated[Path, typer.Argument(help="Where the audio files go, one for each prompt.")]) -> None:
    """Speak every prompt into an audio file, ahead of any call. Recorded files (KEY.wav) are left alone."""
    typer.echo(f"{_speak(load_settings(), folder)} prompts spoken into {folder}")


def _speak(settings: Settings, folder: Path) -> int:
    try:
        return speak_prompts(load_prompts(settings.prompts_file), folder)
    except VoiceMissing as error:
        raise ConfigurationError(str(error)) from error


def lab() -> None:
    """Run Asterisk, the service and stand-in providers on loopback, to dial 111 with any SIP phone. Ctrl-C ends."""
    chosen = load_settings()
    folder = chosen.data_dir / "lab"
    folder.mkdir(parents=True, exist_ok=True)
    _speak(chosen, folder / "prompts")
    with ExitStack() as stack:
        asterisk = stack.enter_context(_asterisk(chosen, folder))
        for provider in read_providers(chosen.providers_file):
            stack.enter_context(_stand_in(provider, folder))
        settings = load_settings(
            data_dir=folder / "data",
            prompts_audio_dir=folder / "prompts",
            ari_url=asterisk.ari_url,
            ari_user=asterisk.settings.ari_user,
            ari_password=SecretStr(asterisk.settings.ari_password),
            open_wallboard=True,
        )
        asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    async with serving(settings):
        typer.echo(f"Dial     sip:111@127.0.0.1:{PORTS.sip} (UDP), as any number: no registration")
        typer.echo(f"Watch    {settings.address}/")
        typer.echo(f"Journal  CALLROUTER_DATA_DIR={settings.data_dir} callrouter call list")
        for each in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(each, stop.set)
        await stop.wait()


@contextmanager
def _asterisk(settings: Settings, folder: Path) -> Iterator[instance.Asterisk]:
    rung = [
        instance.Provider(each.id, *_address(each), each.transport)
        for each in read_providers(settings.providers_file)
        if each.sip is not None and each.transport != "tls"
    ]
    default = next(each for each in read_providers(settings.providers_file) if "111" in each.services)
    try:
        installation = instance.find_installation()
        own = instance.AsteriskSettings(rung, default_provider=default.id, ports=PORTS)
        with instance.Asterisk(folder / "asterisk", own, installation) as asterisk:
            yield asterisk
    except instance.AsteriskError as error:
        raise ConfigurationError(str(error)) from error


@contextmanager
def _stand_in(provider: Provider, folder: Path) -> Iterator[None]:
    """A telephone at the provider's address that answers every call and sends back what it hears."""
    sipp = shutil.which("sipp")
    if sipp is None:
        raise ConfigurationError("the lab's providers are played by SIPp: as root, apt-get install sip-tester")
    if provider.sip is None:
        yield
        return
    host, port = _address(provider)
    command = [sipp, "-sn", "uas", "-i", host, "-p", str(port), "-mp", str(port + 1000), "-rtp_echo", "-aa", "-nostdin"]
    log = (folder / f"{provider.id}.log").open("wb")
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603
    try:
        yield
    finally:
        process.kill()
        process.wait()
        log.close()


def _address(provider: Provider) -> tuple[str, int]:
    host, _, port = (provider.sip or "").partition(":")
    return host, int(port or 5060)
