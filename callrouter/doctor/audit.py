"""The audit of plans: whether its signed ends are kept where they are worth something, and under a known key."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from callrouter.doctor.model import Finding, ok, warning
from callrouter.plans.access import head_signer, heads_file
from callrouter.settings import Settings
from careplans.audit.heads import is_signed, read_heads

ABOUT = "audit"


async def check_audit(settings: Settings) -> Sequence[Finding]:
    """Callers are served without it: never *failed*. Whether the chain is whole, ``audit verify`` says."""
    return await asyncio.to_thread(_look, settings)


def _look(settings: Settings) -> list[Finding]:
    file = heads_file(settings)
    if settings.is_production and settings.audit_heads_url is None and _same_disk(file, settings.data_dir):
        do = "set CALLROUTER_AUDIT_HEADS_FILE to a file on another machine's disk, or CALLROUTER_AUDIT_HEADS_URL"
        return [warning(ABOUT, "its signed ends are kept on the disk of the service itself", do)]
    if not file.exists():
        return [ok(ABOUT, "nothing is signed yet: that begins a minute after the first view of a plan")]
    try:
        heads, odd = read_heads(file)
    except (OSError, UnicodeDecodeError) as error:
        return [warning(ABOUT, f"its signed ends cannot be read ({type(error).__name__})", "see the file's rights")]
    public = head_signer(settings).publics
    strange = sum(not is_signed(each, public) for each in heads)
    if strange or odd:
        do = "run `callrouter audit verify`, with --public-key for each key that was ever in force"
        return [warning(ABOUT, f"{strange + len(odd)} of its signed ends are not ours", do)]
    return [ok(ABOUT, f"signed to entry {max((each.length for each in heads), default=0)}")]


def _same_disk(file: Path, folder: Path) -> bool:
    there = next(each for each in (file.absolute(), *file.absolute().parents) if each.exists())
    here = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    return there.stat().st_dev == here.stat().st_dev
