"""The file of sources, checked when the service starts (docs/plan-sources.md, settings)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FilePath, HttpUrl, ValidationError

from careplans.sources.errors import SourceSettingsWrong
from careplans.sources.model import BY_HAND, Sender
from infra.schema_words import first_told
from infra.yamlfile import YamlFileError, read_yaml

FRESH_FOR_H = 26.0
"""A daily delivery and two hours of lateness."""

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SourceSettings(_Strict):
    """What every source has. ``system`` is the name that staff read and under which its plans are stored."""

    name: str = Field(pattern="^[a-z][a-z0-9-]{0,62}$")
    system: str = Field(min_length=1, max_length=100)
    most_withdrawn_percent: float = Field(5.0, ge=0, le=100)

    @property
    def sender(self) -> Sender:
        """Who it is for the pipeline."""
        return Sender(self.name, self.system, self.most_withdrawn_percent / 100)


class _Scheduled(SourceSettings):
    every_s: float = Field(300.0, ge=1, le=86_400)
    fresh_for_h: float = Field(FRESH_FOR_H, gt=0, le=24 * 366)


class FolderSettings(_Scheduled):
    """Files that are dropped in a folder."""

    kind: Literal["folder"]
    folder: Path
    delivers: Literal["full_lists", "changes"]
    settled_s: float = Field(60.0, ge=0, le=3600)


class SftpSettings(_Scheduled):
    """Files on an SFTP server. ``known_hosts_file`` holds its own key, ``key_file`` ours: both are needed."""

    kind: Literal["sftp"]
    host: str = Field(min_length=1)
    port: int = Field(22, ge=1, le=65_535)
    user: str = Field(min_length=1)
    folder: str = Field(min_length=1)
    key_file: FilePath
    known_hosts_file: FilePath
    delivers: Literal["full_lists", "changes"]
    settled_s: float = Field(60.0, ge=0, le=3600)


class FhirSettings(_Scheduled):
    """A FHIR R4 server that is asked. ``organisation``: the author of plans that name none.

    ``recheck_days``: after so long it is asked of every stored plan whether it is still there; 0: in each run; null:
    never. ``by_patient``, ``history``: see :class:`careplans.sources.fhir_http.FhirSource`.
    """

    kind: Literal["fhir"]
    url: HttpUrl
    organisation: str = Field(min_length=1, max_length=200)
    resources: tuple[Literal["CarePlan", "Flag", "DocumentReference", "Consent"], ...] = ("CarePlan", "Flag")
    recheck_days: float | None = Field(0.0, ge=0, le=366)
    by_patient: bool = True
    history: bool = False
    token_file: Path | None = None
    token_env: str | None = None

    def token(self) -> str | None:
        """The bearer token, read anew each time so that it may be changed; None if it needs none."""
        if self.token_file is not None:
            return self.token_file.read_text(encoding="utf-8").strip()
        return os.environ[self.token_env] if self.token_env is not None else None


class PushSettings(SourceSettings):
    """A sender that posts to us. Two keys while one is being replaced; only their digests stand here."""

    kind: Literal["push"]
    organisation: str = Field(min_length=1, max_length=200)
    key_sha256: tuple[Digest, ...] = Field(min_length=1, max_length=2)


AnySource = FolderSettings | SftpSettings | FhirSettings | PushSettings


class _File(_Strict):
    sources: tuple[Annotated[AnySource, Field(discriminator="kind")], ...]


def read_sources(path: Path | None) -> Sequence[AnySource]:
    """The sources of a file; none without one. Raises :class:`SourceSettingsWrong` naming file, line and cause."""
    if path is None:
        return ()
    try:
        file = read_yaml(path)
        found = _File.model_validate(file.data).sources
    except YamlFileError as error:
        raise SourceSettingsWrong(str(error)) from error
    except ValidationError as error:
        raise SourceSettingsWrong(first_told(file, error)) from None
    for name in ("name", "system"):
        seen: dict[str, int] = {}
        for number, each in enumerate(found):
            value = getattr(each, name)
            if value in seen or value == BY_HAND.name:
                where = ["sources", str(number), name]
                raise SourceSettingsWrong(f"{file.locate(where)}: {'.'.join(where)}: {value} is taken")
            seen[value] = number
    _check_tokens(found, path)
    return found


def _check_tokens(found: Sequence[SourceSettings], path: Path) -> None:
    for each in found:
        if isinstance(each, FhirSettings):
            if each.token_file is not None and each.token_env is not None:
                raise SourceSettingsWrong(f"{path}: {each.name}: token_file or token_env, not both")
            try:
                each.token()
            except (OSError, KeyError):
                raise SourceSettingsWrong(f"{path}: {each.name}: its token cannot be read") from None
