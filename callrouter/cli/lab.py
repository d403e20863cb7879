"""``callrouter prompts`` and ``callrouter lab``: a voice for the prompts, and a telephone exchange to dial by hand."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from callrouter.dispatch.providers import read_providers
from callrouter.embedded import serving
from callrouter.errors import ConfigurationError
from callrouter.exchange import asterisk_settings, speak, stand_in
from callrouter.flows import load_prompts
from callrouter.settings import Settings, load_settings
from infra.asterisk import instance
from infra.sounds import keys_of_sounds
from ivr.voices import language_of

PORTS = instance.Ports(sip=5060, ari=8088, ami=5038, rtp_first=10000, rtp_last=10400)
"""Documented in infra/asterisk/README.md; providers listen where callrouter/providers.yaml says."""


def add(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(prompts)
    app.command()(lab)


def prompts(folder: Annotated[Path, typer.Argument(help="Where the audio files go, one for each prompt.")]) -> None:
    """Speak every prompt into audio files, in each language that has a voice here, also slowly, ahead of any call.

    Recorded files (KEY.wav) are left alone. Exit 1 where a language has prompts without any sound, and no voice.
    """
    settings = load_settings()
    typer.echo(f"{speak(settings, folder, slow=True)} prompts spoken into {folder}")
    texts = load_prompts(settings.prompts_file)
    silent = {key for key, text in texts.items() if text} - keys_of_sounds(folder)
    for language in sorted({language_of(key) for key in silent}):
        count = sum(language_of(key) == language for key in silent)
        typer.echo(
            f"{language}: {count} prompts without a sound, and no voice here: record them, or as root, "
            "apt-get install espeak-ng",
            err=True,
        )
    raise typer.Exit(1 if silent else 0)


def lab() -> None:
    """Run Asterisk, the service and stand-in providers on loopback, to dial 111 with any SIP phone. Ctrl-C ends."""
    chosen = load_settings()
    folder = chosen.data_dir / "lab"
    folder.mkdir(parents=True, exist_ok=True)
    speak(chosen, folder / "prompts")
    with ExitStack() as stack:
        asterisk = stack.enter_context(_asterisk(chosen, folder))
        for provider in read_providers(chosen.providers_file):
            stack.enter_context(stand_in(provider, folder))
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
    own = asterisk_settings(read_providers(settings.providers_file), ports=PORTS)
    try:
        with instance.Asterisk(folder / "asterisk", own, instance.find_installation()) as asterisk:
            yield asterisk
    except instance.AsteriskError as error:
        raise ConfigurationError(str(error)) from error
