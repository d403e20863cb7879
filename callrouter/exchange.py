"""A telephone exchange for trying out: Asterisk as our providers' file says, and stand-ins that play the providers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from callrouter.dispatch.providers import Provider
from callrouter.errors import ConfigurationError
from callrouter.flows import load_prompts
from callrouter.settings import Settings
from infra import up
from infra.asterisk import instance
from infra.voices import VoiceMissing, speak_prompts

_SCENARIO = Path(up.__file__).with_name("provider.xml")
"""SIPp's own scenario answers in mu-law, which the exchange does not speak."""


def speak(settings: Settings, folder: Path, *, slow: bool = False) -> int:
    """Speak every prompt into the folder, with ``slow`` slowly, too; returns how many were new.

    Raises :class:`ConfigurationError`.
    """
    try:
        return speak_prompts(load_prompts(settings.prompts_file), folder, slow=slow)
    except VoiceMissing as error:
        raise ConfigurationError(str(error)) from error


def asterisk_settings(
    providers: Iterable[Provider], *, ports: instance.Ports | None = None, password: str | None = None
) -> instance.AsteriskSettings:
    """An Asterisk that rings these providers, and the first of the 111 service when nothing of ours lives."""
    named = list(providers)
    rung = [
        instance.Provider(each.id, *_address(each), each.transport)
        for each in named
        if each.sip is not None and each.transport != "tls"
    ]
    default = next(each.id for each in named if "111" in each.services)
    if password is None:
        return instance.AsteriskSettings(rung, default_provider=default, ports=ports)
    return instance.AsteriskSettings(rung, default_provider=default, ports=ports, ari_password=password)


@contextmanager
def stand_in(provider: Provider, folder: Path) -> Iterator[None]:
    """A telephone at the provider's address that answers every call and sends back what it hears."""
    sipp = shutil.which("sipp")
    if sipp is None:
        raise ConfigurationError("the providers are played by SIPp: as root, apt-get install sip-tester")
    if provider.sip is None:
        yield
        return
    host, port = _address(provider)
    ports = ["-i", host, "-p", str(port), "-mp", str(port + 1000)]
    command = [sipp, "-sf", str(_SCENARIO), *ports, "-rtp_echo", "-aa", "-nostdin"]
    with (folder / f"{provider.id}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield
        finally:
            process.kill()
            process.wait()


def _address(provider: Provider) -> tuple[str, int]:
    host, _, port = (provider.sip or "").partition(":")
    return host, int(port or 5060)
