"""The sources of plans as the settings name them: what is read by schedule, and who may post."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from fastapi import APIRouter

from callrouter.errors import ConfigurationError
from callrouter.settings import Settings
from careplans.routes import plans_router
from careplans.sources.errors import SourceSettingsWrong
from careplans.sources.fhir_http import FhirSource
from careplans.sources.fhir_recheck import Recheck
from careplans.sources.files import FolderSource
from careplans.sources.model import PlanSource
from careplans.sources.runs import PlanRuns
from careplans.sources.schedule import Exclusive, Schedule, Scheduled
from careplans.sources.settings import AnySource, FhirSettings, FolderSettings, PushSettings, SftpSettings, read_sources
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.health import Health
from infra.lease import Leases
from infra.sql import Database

SOURCE_PART = "plan-source"
"""The kind of part that each source is in the register of health."""


@dataclass(frozen=True, slots=True)
class PlanSources:
    """Everything that brings plans by itself. ``router`` takes what is posted."""

    schedule: Schedule
    router: APIRouter


def open_plan_sources(
    settings: Settings, database: Database, keys: KeyRing, clock: Clock, health: Health, leases: Leases
) -> PlanSources:
    """The sources of the settings; raises :class:`ConfigurationError` naming file, line and cause."""
    try:
        found = read_sources(settings.plan_sources_file)
    except SourceSettingsWrong as error:
        raise ConfigurationError(str(error)) from error
    runs = PlanRuns(database, keys, clock)
    exclusive = Exclusive(runs, leases)
    spool = settings.data_dir / "plan-sources"
    scheduled = [_scheduled(each, spool, clock, runs) for each in found]
    for each in scheduled:
        health.expect(f"{SOURCE_PART}:{each.sender.name}")
    senders = {each.name: each for each in found if isinstance(each, PushSettings)}
    return PlanSources(Schedule(scheduled, exclusive, runs, clock, health), plans_router(senders, exclusive))


def _scheduled(settings: AnySource, spool: Path, clock: Clock, runs: PlanRuns) -> Scheduled:
    if isinstance(settings, PushSettings):
        return Scheduled(settings.sender)
    return Scheduled(
        settings.sender,
        _source(settings, spool, clock, runs),
        settings.every_s,
        timedelta(hours=settings.fresh_for_h),
        by_delivery=not isinstance(settings, FhirSettings) and settings.delivers == "full_lists",
    )


def _source(
    settings: FolderSettings | SftpSettings | FhirSettings, spool: Path, clock: Clock, runs: PlanRuns
) -> PlanSource:
    if isinstance(settings, FhirSettings):
        recheck = None
        if settings.recheck_days is not None:
            recheck = Recheck(partial(runs.known, settings.system), clock, timedelta(days=settings.recheck_days))
        url = str(settings.url)
        return FhirSource(
            url, settings.resources, settings.organisation, settings.token, recheck=recheck,
            by_patient=settings.by_patient, history=settings.history,
        )  # fmt: skip
    whole = settings.delivers == "full_lists"
    if isinstance(settings, FolderSettings):
        return FolderSource(settings.folder, clock, system=settings.system, whole=whole, settled_s=settings.settled_s)
    from careplans.sources.sftp import SftpAddress, SftpSource  # a library that only who fetches so must load

    address = SftpAddress(
        settings.host, settings.port, settings.user, settings.folder, settings.key_file, settings.known_hosts_file
    )
    return SftpSource(
        address, spool / settings.name, clock, system=settings.system, whole=whole, settled_s=settings.settled_s
    )
