"""The local providers behind the front door: who they are, what they offer, how many callers they can take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from callrouter.errors import ConfigurationError
from infra.schema_words import first_told
from infra.yamlfile import YamlFileError, read_yaml

MANY_LINES = 1000
"""Lines of a provider that names no limit, where its load is compared with that of others."""


class Contract(BaseModel):
    """Under what codes and names the national collection of figures knows a provider's contract."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    org_code: str = Field(pattern=r"^[A-Z0-9]{1,10}$")
    org_name: str = Field(min_length=1)
    contract_code: str = Field(pattern=r"^[A-Z0-9]{1,20}$")
    contract_name: str = Field(min_length=1)
    region_code: str = Field(pattern=r"^[A-Z0-9]{1,10}$")
    region_name: str = Field(min_length=1)


class Provider(BaseModel):
    """One provider or clinician line.

    ``answers``: whether a picked-up call means a person (``agent``) or perhaps only their queue (``switch``).
    ``organisation``: what the sign-in says of its people; then only they open plans on calls that came to it.
    ``lines``: calls that it can hold at once; None for as many as come. ``ods``: its ODS code, by which its own reports
    of calls name it, so that a call and its report count once. ``contract``: for ``callrouter kpi export`` only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z][a-z0-9-]{0,29}$")
    name: str
    services: tuple[str, ...] = Field(min_length=1)
    tel: str = Field(pattern=r"^\+[0-9]{6,15}$")
    sip: str | None = Field(default=None, pattern=r"^[A-Za-z0-9.-]+:[0-9]{2,5}$")
    transport: Literal["udp", "tcp", "tls"] = "udp"
    lines: int | None = Field(default=None, ge=1)
    answers: Literal["agent", "switch"] = "switch"
    organisation: str = Field(default="", max_length=64)
    ods: str = Field(default="", pattern=r"^[A-Z0-9]{0,10}$")
    contract: Contract | None = None


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    providers: tuple[Provider, ...] = Field(min_length=1)


class Providers:
    """All providers, by id and by service, in the order of the file."""

    def __init__(self, providers: tuple[Provider, ...]) -> None:
        self._by_id = {each.id: each for each in providers}

    def __iter__(self) -> Iterator[Provider]:
        return iter(self._by_id.values())

    def __getitem__(self, provider_id: str) -> Provider:
        return self._by_id[provider_id]

    def of_service(self, service: str) -> list[Provider]:
        """Who offers ``service``, in the order of the file."""
        return [each for each in self._by_id.values() if service in each.services]

    @property
    def services(self) -> frozenset[str]:
        """Every service that somebody offers."""
        return frozenset(service for each in self._by_id.values() for service in each.services)


def next_provider(free: Sequence[Provider], taken: Mapping[str, int]) -> Provider | None:
    """The policy: of those that are free, whoever has the smallest share of lines ``taken`` (by id), else the first.

    A provider that takes as many callers as come counts as one of :data:`MANY_LINES`.
    """
    return min(free, key=lambda each: taken.get(each.id, 0) / (each.lines or MANY_LINES), default=None)


def read_providers(path: Path) -> Providers:
    """The providers of a file; raises :class:`ConfigurationError` naming file, line and cause."""
    try:
        file = read_yaml(path)
        providers = _File.model_validate(file.data).providers
    except YamlFileError as error:
        raise ConfigurationError(str(error)) from error
    except ValidationError as error:
        raise ConfigurationError(first_told(file, error)) from error
    seen: set[str] = set()
    for number, each in enumerate(providers):
        if each.id in seen:
            line = file.locate(["providers", str(number), "id"])
            raise ConfigurationError(f"{line}: the id {each.id} is given to two providers")
        seen.add(each.id)
    return Providers(providers)
