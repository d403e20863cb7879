"""``callrouter doctor``: what every dependency is like, what is wrong, and what to do."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer

from callrouter.doctor.asterisk import check_asterisks
from callrouter.doctor.audit import check_audit
from callrouter.doctor.auditor import check_auditor
from callrouter.doctor.live import check_background, check_redis
from callrouter.doctor.local import check_alerts, check_audio, check_keys, check_retention
from callrouter.doctor.model import Check, Finding, examine
from callrouter.doctor.public import check_fall_back, check_public_address
from callrouter.doctor.records import check_database
from callrouter.doctor.sign_in import check_sign_in
from callrouter.doctor.texts import check_texts
from callrouter.settings import load_settings

CHECKS: tuple[tuple[str, Check], ...] = (
    ("keys", check_keys),
    ("retention", check_retention),
    ("sql", check_database),
    ("redis", check_redis),
    ("background", check_background),
    ("asterisk", check_asterisks),
    ("prompts", check_audio),
    ("public address", check_public_address),
    ("sign-in", check_sign_in),
    ("texts", check_texts),
    ("audit", check_audit),
    ("fall-back", check_fall_back),
    ("alerts", check_alerts),
    ("alert auditor", check_auditor),
)


def add(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(doctor)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each finding, a line each.")] = False,
) -> None:
    """Check every dependency of these settings and say what to do. Exit 1 if one is not fit to serve callers."""
    findings = asyncio.run(examine(load_settings(), CHECKS))
    for each in findings:
        typer.echo(json.dumps(asdict(each)) if as_json else _line(each))
    counts = {level: sum(each.level == level for each in findings) for level in ("ok", "warning", "failed")}
    if not as_json:
        typer.echo(", ".join(f"{count} {level}" for level, count in counts.items()))
    if counts["failed"]:
        raise typer.Exit(1)


def _line(finding: Finding) -> str:
    line = f"{finding.level:<8} {finding.about}: {finding.text}"
    return f"{line}\n{'':<8} → {finding.do}" if finding.do else line
