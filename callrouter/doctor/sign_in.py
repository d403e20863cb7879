"""The sign-in provider: whether people can sign in at all."""

from __future__ import annotations

from collections.abc import Sequence

from callrouter.doctor.model import Finding, ok, warning
from callrouter.keys import session_secret
from callrouter.settings import Settings
from callrouter.sign_in import openid_of
from console.errors import ProviderAway
from console.session import Sessions
from console.sign_in_notes import Attempt
from infra.clock import SystemClock


async def check_sign_in(settings: Settings) -> Sequence[Finding]:
    """Whether the provider describes itself as it should. Callers are served without it: never *failed*."""
    about, clock, secret = "sign-in", SystemClock(), session_secret(settings)
    openid = openid_of(settings, secret, Sessions(secret, clock=clock), clock)
    if openid is None:
        if not settings.is_production:
            return [ok(about, "anybody may choose name and role here (development)")]
        return [warning(about, "nobody can sign in: no provider is set", "set the OIDC_ keys (docs/sign-in.md)")]
    try:
        await openid.provider.way_in(Attempt.new("/"))
    except ProviderAway:
        do = "see OIDC_ISSUER (exactly as the provider names itself), its certificate, and that it runs"
        return [warning(about, "the provider does not answer, or describes itself as another one", do)]
    return [ok(about, "the provider answers, and is the one that is set")]
