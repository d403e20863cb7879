"""Publishing as the settings have it: the file that came with the service, and what was published since."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from callrouter.flows import load_flow, load_prompts
from callrouter.publishing.content import Content, seal
from callrouter.publishing.drafts import Drafts
from callrouter.publishing.published import PublishedFlows
from callrouter.publishing.service import Publishing
from callrouter.publishing.soundness import SoundCheck, promised_with, recordings
from callrouter.settings import Settings
from infra.clock import Clock
from infra.sql import Database
from ivr.check import World
from ivr.proof.lengths import estimate_lengths
from ivr.voices import by_language


def open_publishing(
    settings: Settings,
    database: Database,
    clock: Clock,
    services: frozenset[str],
    texts: frozenset[str] = frozenset(),
    *,
    call_backs: bool = False,
) -> tuple[Publishing, PublishedFlows]:
    """The service, and the flows that the door asks; raises :class:`ConfigurationError` for a file with defects.

    ``texts``: keys of those that can be sent. ``call_backs``: whether callers can be promised one.
    """
    check = SoundCheck(services, settings.prompts_audio_dir, texts, call_backs)
    promised = promised_with(texts, call_backs)
    flows = PublishedFlows(
        _shipped(settings, services, texts, promised),
        clock,
        replace(check, in_force=True),
        settings.data_dir / "flows.json",
    )
    life = timedelta(days=settings.approval_days)
    drafts = Drafts(flows, services, settings.prompts_audio_dir, texts, call_backs)
    return Publishing(database, flows, clock, check, drafts, approval_life=life), flows


def _shipped(settings: Settings, services: frozenset[str], texts: frozenset[str], promised: frozenset[str]) -> Content:
    prompts = load_prompts(settings.prompts_file)
    lengths = estimate_lengths(by_language(prompts))
    world = World(frozenset(prompts), services, lengths, promised, texts)
    flow = load_flow(settings.flow_file, world)
    return seal(flow, {flow.languages[0]: prompts}, recordings(settings.prompts_audio_dir, prompts))
