"""The sign-in provider of the settings, put together for the console."""

from __future__ import annotations

from callrouter.role_claims import read_role_claims
from callrouter.settings import Settings
from console.session import Sessions
from console.sign_in_notes import Notes
from console.sign_in_oidc import OpenId
from infra.clock import Clock


def openid_of(settings: Settings, secret: str, sessions: Sessions, clock: Clock) -> OpenId | None:
    """None where no provider is set up."""
    if settings.oidc_issuer is None or settings.oidc_client_secret is None:
        return None
    # not at the top: a worker without a provider need not load it
    from console.sign_in_provider import OidcSettings, Provider

    agreed = OidcSettings(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        address=settings.address,
        roles=read_role_claims(settings.oidc_roles),
        role_claim=settings.oidc_role_claim,
        user_claim=settings.oidc_user_claim,
        organisation_claim=settings.oidc_organisation_claim,
    )
    return OpenId(Provider(agreed, clock), Notes(secret, sessions, clock))
