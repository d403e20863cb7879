"""Versions and people for the tests of publishing: a service over a database, a clock moved by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from callrouter.handover import Role, SignedIn
from callrouter.publishing.content import Content, seal
from callrouter.publishing.drafts import Drafts
from callrouter.publishing.published import PublishedFlows
from callrouter.publishing.service import Publishing
from callrouter.publishing.soundness import SoundCheck
from infra.clock import Clock
from infra.sql import Database
from ivr.flow import read_flow
from tests.hand_clock import HandClock
from tests.service import PROVIDERS

ANN = SignedIn("Ann", Role.COMMISSIONER, "s-ann")
BOB = SignedIn("Bob", Role.COMMISSIONER, "s-bob")
SAFE = SignedIn("Cleo", Role.CLINICAL_SAFETY, "s-cleo")
DUTY = SignedIn("Dee", Role.PUBLIC_HEALTH, "s-dee")
HANDLER = SignedIn("Han", Role.HANDLER, "s-han")

TEXTS = {
    "emergency_999": "If this is an emergency, hang up and dial 999 now.",
    "recording_notice": "Calls are recorded.",
    "hello": "Press 1 for the nurse.",
    "hold_111": "Please hold.",
    "red_flag_connecting": "I am putting you through.",
    "sorry_missed_that": "Sorry, I missed that.",
    "sorry_cut_off": "We were cut off.",
}

FLOW = """
flow: london-111
title: A small front
start: words_999
nodes:
  words_999: {action: say, prompts: [emergency_999, recording_notice], barge_in: false, exits: {next: ask}}
  ask:
    action: menu
    prompts: [hello]
    keys: {"1": nurse}
    timeout_s: 4
    exits: {nurse: nurses}
  nurses: {action: queue, services: ["111"], hold_s: 900, hold_prompts: [hold_111]}
"""


def flow_data(**changes: Any) -> dict[str, Any]:
    """The small flow as plain data; ``changes`` replaces the menu's fields."""
    data: dict[str, Any] = yaml.safe_load(FLOW)
    data["nodes"]["ask"].update(changes)
    return data


def content(number: int = 0, texts: Mapping[str, str] | None = None, **changes: Any) -> Content:
    """A content; each ``number`` is another one, and touches nothing that clinical safety guards."""
    data = flow_data(**changes)
    if number:
        data["nodes"]["ask"]["note"] = f"number {number}"
    return seal(read_flow(data), {"en": {**TEXTS, **(texts or {})}}, {})


def raised(number: int = 0) -> Content:
    """A content that changes a priority."""
    data = flow_data()
    data["nodes"]["nurses"].update(band="raised", note=f"number {number}")
    return seal(read_flow(data), {"en": dict(TEXTS)}, {})


CHECK = SoundCheck(PROVIDERS.services, None)


def a_worker(
    database: Database, clock: Clock | None = None, *, shipped: Content | None = None, kept_in: Path | None = None
) -> tuple[Publishing, PublishedFlows]:
    """What one process has of publishing."""
    clock = clock or HandClock()
    flows = PublishedFlows(shipped or content(), clock, CHECK, kept_in)
    drafts = Drafts(flows, PROVIDERS.services, None)
    return Publishing(database, flows, clock, CHECK, drafts, approval_life=timedelta(days=14)), flows


async def approved(service: Publishing, draft: Content, by: SignedIn = SAFE) -> str:
    """Ann's draft, approved by another."""
    made = await service.draft(draft, "a change", ANN)
    await service.approve(draft.version, made.row.content_hash, by)
    return draft.version
