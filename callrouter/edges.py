"""The Asterisks of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from callrouter.errors import ConfigurationError
from callrouter.settings import Settings


@dataclass(frozen=True, slots=True)
class Edge:
    """One Asterisk: ``name`` is the host and port of its REST interface; ``ami`` of its manager, if it is read."""

    name: str
    ari_url: str
    ami: tuple[str, int] | None


def edges(settings: Settings) -> list[Edge]:
    """The Asterisks of the settings; raises :class:`ConfigurationError`."""
    urls = [each.strip().rstrip("/") for each in (settings.ari_url or "").split(",") if each.strip()]
    amis = [each.strip() for each in (settings.ami_address or "").split(",") if each.strip()]
    if amis and len(amis) != len(urls):
        raise ConfigurationError("CALLROUTER_AMI_ADDRESS: must name one manager for each CALLROUTER_ARI_URL")
    return [
        Edge(urlsplit(url).netloc.rpartition("@")[2], url, _host_and_port(amis[n]) if amis else None)
        for n, url in enumerate(urls)
    ]


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigurationError("CALLROUTER_AMI_ADDRESS: must be host:port, several comma separated")
    return host, int(port)
