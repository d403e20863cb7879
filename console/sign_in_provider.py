"""The sign-in provider, by OpenID Connect: the way to it, who came back, and the way out.

Authorization code with PKCE (OpenID Connect Core 1.0 section 3.1, RFC 7636 S256, RFC 9207), discovery (OpenID
Connect Discovery 1.0) and sign-out at the provider (RP-Initiated Logout 1.0). Imported only where a provider is set
up: a worker without one need not load what it needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import structlog
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ValidationError

from callrouter.handover import Role
from callrouter.role_claims import roles_of
from console.errors import ProviderAway, SignInRefused
from console.sign_in_notes import Attempt
from infra.clock import Clock
from infra.tls import trusted
from infra.urls import is_safe

ANSWER_S = 5.0
"""Longest that one answer of the provider may take; a person waits for three."""

KNOWN_FOR_S = 3600.0
"""How long addresses and keys of the provider are used without asking again. A key that is not known is asked for
at once, so that it may change its keys at any time."""

CLOCKS_DIFFER_S = 60
"""By how much the provider's clock and ours may differ."""

ALGORITHMS = ("RS256", "PS256", "ES256")
"""Signatures by a key that the provider alone has; never one by our shared secret, and never none."""

_LONGEST_USER = 120

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """What both sides have agreed. ``address``: our own public address, without a slash at its end.

    ``user_claim`` names a person for ever and alone (``sub`` does at every provider); ``role_claim`` holds values
    of ``roles``.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    address: str
    roles: Mapping[str, Role]
    role_claim: str = "roles"
    user_claim: str = "sub"
    organisation_claim: str = "organisation"


@dataclass(frozen=True, slots=True)
class Person:
    """Who came back, and in which roles they may work here; at least one.

    ``user`` is the unique claim and nothing else; two people may have one name, and one person may change it.
    ``organisation``, ``name``: empty if nobody says.
    """

    user: str = field(repr=False)
    roles: tuple[Role, ...]
    organisation: str = ""
    name: str = field(default="", repr=False)


class _Metadata(BaseModel):
    """What we need of the provider's own description (Discovery 1.0 section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)

    def addresses(self) -> tuple[str, ...]:
        ways_out = (self.end_session_endpoint,) if self.end_session_endpoint else ()
        return (self.authorization_endpoint, self.token_endpoint, self.jwks_uri, *ways_out)


class Provider:
    """The provider of these settings. ``transport`` replaces the network in tests."""

    def __init__(self, settings: OidcSettings, clock: Clock, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._transport = transport
        self._tls = trusted()
        self._way_back = f"{settings.address}/sign-in/callback"
        self._metadata: tuple[float, _Metadata] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def way_in(self, attempt: Attempt) -> str:
        """Where the browser goes to sign in. Raises :class:`ProviderAway`."""
        url = prepare_grant_uri(
            (await self._describe()).authorization_endpoint,
            client_id=self._settings.client_id,
            response_type="code",
            redirect_uri=self._way_back,
            scope="openid profile",
            state=attempt.state,
            nonce=attempt.nonce,
            code_challenge=create_s256_code_challenge(attempt.verifier),
            code_challenge_method="S256",
        )
        return str(url)

    async def identify(self, answer: Mapping[str, str], attempt: Attempt | None) -> Person:
        """Who the browser came back as, by the query that it brought and the attempt that it carries.

        Raises :class:`SignInRefused` for whatever does not fit, :class:`ProviderAway`.
        """
        if attempt is None:
            raise _refused("no_attempt")
        if not compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
            raise _refused("not_this_attempt")
        if answer.get("iss", self._settings.issuer) != self._settings.issuer:
            raise _refused("other_issuer")
        if "error" in answer or "code" not in answer:
            raise _refused("denied" if answer.get("error") == "access_denied" else "no_code")
        token = await self._redeem(answer["code"], attempt)
        return self._person(await self._claims(token, attempt))

    async def way_out(self) -> str | None:
        """Where the browser goes to sign out of the provider, too; None if it offers no such way or is away."""
        try:
            metadata = await self._describe()
        except ProviderAway:
            return None
        if metadata.end_session_endpoint is None:
            return None
        settings = self._settings
        query = {"client_id": settings.client_id, "post_logout_redirect_uri": f"{settings.address}/signed-out"}
        joined = "&" if urlsplit(metadata.end_session_endpoint).query else "?"
        return f"{metadata.end_session_endpoint}{joined}{urlencode(query)}"

    # ------------------------------------------------------------------ what the provider says

    async def _redeem(self, code: str, attempt: Attempt) -> str:
        """The ID token for a code. It comes from the provider itself, not through the browser."""
        metadata = await self._describe()
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._way_back,
            "code_verifier": attempt.verifier,
        }
        us = (self._settings.client_id, self._settings.client_secret)
        by_form = "client_secret_basic" not in metadata.token_endpoint_auth_methods_supported
        if by_form:
            asked |= {"client_id": us[0], "client_secret": us[1]}
        try:
            async with httpx.AsyncClient(
                auth=None if by_form else us, timeout=ANSWER_S, transport=self._transport, verify=self._tls
            ) as client:
                answer = await client.post(metadata.token_endpoint, data=asked)
            if answer.is_server_error:
                answer.raise_for_status()
            token = answer.json()["id_token"] if answer.is_success else None
        except httpx.HTTPError as error:
            raise _away(error) from error
        except (KeyError, TypeError, ValueError):
            raise _refused("no_token") from None
        if token is None:
            raise _refused("code_refused", str(answer.status_code))  # its text may repeat what was sent
        return str(token)

    async def _claims(self, token: str, attempt: Attempt) -> dict[str, Any]:
        """What the token says, once signature, issuer, audience, time and nonce are right (Core 3.1.3.7)."""
        try:
            try:
                decoded = jwt.decode(token, await self._key_set(), algorithms=ALGORITHMS)
            except (InvalidKeyIdError, BadSignatureError):  # new keys, which need bear no name
                decoded = jwt.decode(token, await self._key_set(anew=True), algorithms=ALGORITHMS)
            registry = jwt.JWTClaimsRegistry(
                now=int(self._clock.now().timestamp()),
                leeway=CLOCKS_DIFFER_S,
                iss={"essential": True, "value": self._settings.issuer},
                aud={"essential": True, "value": self._settings.client_id},
                nonce={"essential": True, "value": attempt.nonce},
                exp={"essential": True},
                iat={"essential": True},
                sub={"essential": True},
            )
            registry.validate(decoded.claims)
        except (JoseError, ValueError, TypeError) as error:
            raise _refused("token_refused", type(error).__name__) from None
        audience, party = decoded.claims["aud"], decoded.claims.get("azp", self._settings.client_id)
        if party != self._settings.client_id or (isinstance(audience, list) and audience != [party]):
            raise _refused("other_audience")  # made for somebody else, too: they could use it here
        return decoded.claims

    def _person(self, claims: Mapping[str, Any]) -> Person:
        unique, name = claims.get(self._settings.user_claim), claims.get("name")
        if not isinstance(unique, str) or not 0 < len(unique) <= _LONGEST_USER or not unique.isprintable():
            raise _refused("no_user")
        roles = roles_of(claims.get(self._settings.role_claim), self._settings.roles)
        if not roles:
            raise _refused("no_role")
        shown = isinstance(name, str) and name.isprintable() and 0 < len(name) <= _LONGEST_USER
        works_for = claims.get(self._settings.organisation_claim)
        named = isinstance(works_for, str) and works_for.isprintable() and len(works_for) <= _LONGEST_USER
        return Person(unique, roles, str(works_for) if named else "", str(name) if shown else "")

    async def _describe(self) -> _Metadata:
        if self._metadata and self._clock.monotonic() - self._metadata[0] < KNOWN_FOR_S:
            return self._metadata[1]
        issuer = self._settings.issuer
        try:
            metadata = _Metadata(**await self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration"))
        except (ValidationError, TypeError) as error:
            raise _away(error) from None
        if metadata.issuer != issuer or not all(map(is_safe, metadata.addresses())):
            raise _away(ValueError("it describes another provider, or one without TLS"))
        self._metadata = (self._clock.monotonic(), metadata)
        return metadata

    async def _key_set(self, *, anew: bool = False) -> KeySet:
        if self._keys and not anew and self._clock.monotonic() - self._keys[0] < KNOWN_FOR_S:
            return self._keys[1]
        published = await self._get((await self._describe()).jwks_uri)
        try:
            keys = KeySet.import_key_set({"keys": [each for each in published["keys"] if each.get("use") != "enc"]})
        except (JoseError, KeyError, AttributeError, TypeError, ValueError) as error:
            raise _away(error) from None
        self._keys = (self._clock.monotonic(), keys)
        return keys

    async def _get(self, url: str) -> Any:
        try:
            async with httpx.AsyncClient(timeout=ANSWER_S, transport=self._transport, verify=self._tls) as client:
                return (await client.get(url)).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise _away(error) from error


def _refused(reason: str, cause: str = "") -> SignInRefused:
    log.warning("sign_in_refused", reason=reason, cause=cause)
    return SignInRefused(reason)


def _away(error: Exception) -> ProviderAway:
    log.error("sign_in_provider_away", error=type(error).__name__)
    return ProviderAway()
