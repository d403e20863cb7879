"""The variables of a container, read strictly: a slip of the pen must not become a telephone exchange."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path

from infra.asterisk.instance import AsteriskSettings, Ports, Provider
from infra.kamailio.instance import KamailioSettings

_PROVIDER = re.compile(r"([a-z][a-z0-9-]{0,29})=([A-Za-z0-9.-]+):(\d{2,5})((?:;tcp|;trusted)*)")


class VariableWrong(Exception):
    """A variable of the container cannot be used; the text names it."""


def asterisk_settings(variables: Mapping[str, str]) -> AsteriskSettings:
    """An Asterisk from ``PROVIDERS``, ``DEFAULT_PROVIDER``, ``SIP_ADDRESS``, the ports and ``ARI_PASSWORD_FILE``."""
    providers = read_providers(_text(variables, "PROVIDERS"))
    known = {each.id for each in providers}
    default = _text(variables, "DEFAULT_PROVIDER")
    emergency = variables.get("EMERGENCY_PROVIDER") or default
    for name, value in (("DEFAULT_PROVIDER", default), ("EMERGENCY_PROVIDER", emergency)):
        if value not in known:
            raise VariableWrong(f"{name}: {value} is none of {', '.join(sorted(known))}")
    ports = ("SIP_PORT", "ARI_PORT", "AMI_PORT", "RTP_FIRST", "RTP_LAST")
    return AsteriskSettings(
        providers,
        default_provider=default,
        emergency_provider=emergency,
        carriers=tuple(each.strip() for each in _text(variables, "CARRIERS").split(",")),
        capacity=_number(variables, "CAPACITY"),
        sip_address=_text(variables, "SIP_ADDRESS"),
        ports=Ports(*(_number(variables, each) for each in ports)),
        ari_password=_secret(variables, "ARI_PASSWORD_FILE"),
    )


def kamailio_settings(variables: Mapping[str, str]) -> KamailioSettings:
    """A Kamailio from ``ASTERISKS`` (IPv4 and port), ``CARRIERS``, ``SIP_ADDRESS``, ``SIP_PORT`` and ``CAPACITY``."""
    asterisks = []
    for each in _text(variables, "ASTERISKS").split(","):
        host, _, port = each.strip().rpartition(":")
        if not host or not port.isdecimal():
            raise VariableWrong("ASTERISKS: must be address:port, several comma separated")
        try:
            IPv4Address(host)
        except ValueError:
            raise VariableWrong(
                f"ASTERISKS: {host} is no IPv4 address; the calls of a dead Asterisk are found by its address"
            ) from None
        asterisks.append((host, int(port)))
    return KamailioSettings(
        asterisks,
        carriers=tuple(each.strip() for each in _text(variables, "CARRIERS").split(",")),
        capacity=_number(variables, "CAPACITY"),
        address=_text(variables, "SIP_ADDRESS"),
        port=_number(variables, "SIP_PORT"),
    )


def read_providers(text: str) -> list[Provider]:
    """``id=host:port``, several comma separated; ``;tcp`` and ``;trusted`` may follow each."""
    found = []
    for each in text.split(","):
        read = _PROVIDER.fullmatch(each.strip())
        if read is None:
            raise VariableWrong("PROVIDERS: must be id=host:port, several comma separated, each with ;tcp or ;trusted")
        marks = read[4].split(";")
        transport = "tcp" if "tcp" in marks else "udp"
        found.append(Provider(read[1], read[2], int(read[3]), transport, trusted="trusted" in marks))  # type: ignore[arg-type]
    return found


def _text(variables: Mapping[str, str], name: str) -> str:
    value = variables.get(name, "").strip()
    if not value:
        raise VariableWrong(f"{name}: must be set")
    return value


def _number(variables: Mapping[str, str], name: str) -> int:
    value = _text(variables, name)
    if not value.isdecimal():
        raise VariableWrong(f"{name}: must be a whole number")
    return int(value)


def _secret(variables: Mapping[str, str], name: str) -> str:
    try:
        return Path(_text(variables, name)).read_text().strip()
    except OSError as error:
        raise VariableWrong(f"{name}: cannot be read ({error.strerror})") from error
