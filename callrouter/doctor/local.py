"""What is on this machine: keys, audio, alert rules."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from pathlib import Path

from alerts.errors import RulesError
from alerts.model import Rule
from alerts.rules.loading import load_rules
from callrouter.alerting.watching import PARTS
from callrouter.dispatch.providers import read_providers
from callrouter.doctor.channels import check_channels
from callrouter.doctor.model import Finding, failed, ok, warning
from callrouter.errors import ConfigurationError
from callrouter.flows import load_prompts
from callrouter.retention import kept_for
from callrouter.settings import Settings
from callrouter.sip import audio_files

FEWEST_OCTETS = 32
"""Different values among 64 random octets: about 57; under 32 by chance less than once in 10^20 keys."""

SHORTEST_SECRET = 16
"""Characters of a password that a machine keeps: nobody has to remember it."""


async def check_keys(settings: Settings) -> Sequence[Finding]:
    """Whether keys and secrets are there and not guessable."""
    found = [_master_key(settings)]
    for name, secret in (
        ("SESSION_SECRET", settings.session_secret),
        ("WEBHOOK_SECRET", settings.webhook_secret),
        ("BOUNCE_SECRET", settings.bounce_secret),
        ("TWILIO_AUTH_TOKENS", settings.twilio_auth_tokens),
        ("ARI_PASSWORD", settings.ari_password if settings.ari_url else None),
    ):
        for each in secret.get_secret_value().split(",") if secret is not None else ():
            if len(each.strip()) < SHORTEST_SECRET:
                do = f"set CALLROUTER_{name} to what `openssl rand -hex 32` prints, there and on the other side"
                found.append(warning("secrets", f"{name} has fewer than {SHORTEST_SECRET} characters", do))
    return found


def _master_key(settings: Settings) -> Finding:
    do = "set CALLROUTER_KEYS to what `openssl rand -base64 64 | tr -d '\\n'` prints; keep a copy in a safe place"
    name, text = "KEYS", settings.keys.get_secret_value() if settings.keys else None
    if text is None and settings.keys_file is not None:
        name = "KEYS_FILE"
        try:
            text = settings.keys_file.read_text()
        except OSError as error:
            return failed("keys", f"KEYS_FILE cannot be read: {error.strerror}", do)
    if text is None:
        if settings.is_production:
            return failed("keys", "no master key is set", do)
        return ok("keys", "the development key in the data folder is used")
    try:
        pairs = [base64.b64decode(each, validate=True) for each in text.split()]
    except (binascii.Error, ValueError):
        return failed("keys", f"{name} is not base64", do)
    for octets in pairs or [b""]:
        if len(octets) != 64:
            return failed("keys", f"{name} has {len(octets)} octets, not 64", do)
        if len(set(octets)) < FEWEST_OCTETS or octets[:32] == octets[32:]:
            return failed("keys", f"{name} is not random", do)
    older = f"; {len(pairs) - 1} older pair(s) still open" if len(pairs) > 1 else ""
    return ok("keys", f"64 random octets{older}")


async def check_retention(settings: Settings) -> Sequence[Finding]:
    """Whether somebody confirmed how long records are kept; what nobody confirmed is kept for ever."""
    try:
        open_rows = [row.record for row in kept_for(settings) if not row.verified]
    except ConfigurationError as error:
        return [failed("retention", str(error), "put the table right, or leave out CALLROUTER_RETENTION_FILE")]
    if not open_rows:
        return [ok("retention", "every row is verified")]
    do = "copy careplans/retention.yaml, have information governance fill in `verified`, set CALLROUTER_RETENTION_FILE"
    return [warning("retention", f"nobody has verified {', '.join(open_rows)}: these are kept for ever", do)]


async def check_audio(settings: Settings) -> Sequence[Finding]:
    """Whether every prompt of the flow has audio, where SIP callers need it."""
    if settings.ari_url is None:
        return []
    do = "record the prompts, or make them with `callrouter prompts`; then set CALLROUTER_PROMPTS_AUDIO_DIR"
    if settings.prompts_audio_dir is None:
        return [failed("prompts", "no folder of recorded prompts is set: SIP callers would hear nothing", do)]
    try:
        files = audio_files(settings.prompts_audio_dir, load_prompts(settings.prompts_file))
    except ConfigurationError as error:
        return [failed("prompts", str(error), do)]
    folder = settings.prompts_audio_dir
    empty = sorted(key for key in files if not any(_size(each) for each in folder.glob(f"{key}.*")))
    if empty:
        return [failed("prompts", f"the audio of {', '.join(empty)} is empty", do)]
    return [ok("prompts", f"audio for {len(files)} prompts")]


def _size(path: Path) -> int:
    return path.stat().st_size


async def check_alerts(settings: Settings) -> Sequence[Finding]:
    """Whether alerts reach somebody, and somebody has signed their numbers."""
    try:
        providers = [each.id for each in read_providers(settings.providers_file)]
        rules = load_rules(settings.alert_rules_file, providers, PARTS)
    except (ConfigurationError, RulesError) as error:
        return [failed("alerts", str(error), "correct the file; no alert works until then")]
    return [*await check_channels(settings, rules), *_untold(settings, rules), *_unsigned(rules)]


def _untold(settings: Settings, rules: Sequence[Rule]) -> list[Finding]:
    found: list[Finding] = []
    if not any(each.metric == "dependency_down_s" for each in rules):
        do = "add a rule with `metric: dependency_down_s` (docs/alerts.md)"
        found.append(warning("alerts", "no rule tells anybody of a part that stops working", do))
    if settings.auditor_url is not None and not any(each.metric == "auditor_silent" for each in rules):
        do = "add a rule with `metric: auditor_silent` (docs/alerts.md)"
        found.append(warning("alerts", "no rule tells anybody when the alert auditor makes no probe calls", do))
    if not any(each.metric == "governance" for each in rules):
        do = "add a rule with `metric: governance` (docs/alerts.md)"
        found.append(warning("alerts", "no rule tells information governance of emergency access to plans", do))
    if not any(each.metric == "welfare_task" for each in rules):
        do = "add a rule with `metric: welfare_task` (docs/alerts.md)"
        found.append(warning("alerts", "no rule tells the duty manager of a caller at risk whom nobody rings back", do))
    return found


def _unsigned(rules: Sequence[Rule]) -> list[Finding]:
    unsigned = [each.name for each in rules if "unverified" in each.source or "to be signed" in each.source]
    if not unsigned:
        return [ok("alerts", f"{len(rules)} rules, each with a source")]
    do = "have the clinical safety officer sign them, and write that into `source`"
    return [warning("alerts", f"nobody has signed the numbers of {', '.join(unsigned)}", do)]
