"""A sign-in provider that can lie: it speaks OpenID Connect, checks what a provider checks, and signs what it is told.

Its negatives are the point; the way that all goes well is proved against a provider of others' making
(tests/integration/test_sign_in_provider.py).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, RSAKey

from callrouter.handover import Role
from console.sign_in_notes import Attempt
from console.sign_in_provider import OidcSettings, Provider
from infra.clock import Clock

ISSUER = "https://sign-in.test"
OURS = "http://console.test"
CLIENT, SECRET = "call-control", "a-secret-of-this-client-and-of-nothing-else"
ROLES = {"111-handler": Role.HANDLER, "111-clinician": Role.CLINICIAN}
AGREED = OidcSettings(issuer=ISSUER, client_id=CLIENT, client_secret=SECRET, address=OURS, roles=ROLES)
RSA = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
"""Made once: a key takes longer to make than all tests of this file."""


class StandIn:
    """``claims`` replaces claims of the token (None leaves one out), ``key`` and ``alg`` say how it is signed."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.key: Key = RSA
        self.alg = "RS256"
        self.published: list[Mapping[str, Any]] = [dict(RSA.as_dict(private=False))]
        self.claims: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.challenge = ""
        self.nonce = ""
        self.away = False
        self.asked: list[str] = []
        self.forge: Callable[[str], str] = lambda token: token
        app = FastAPI()
        app.get("/.well-known/openid-configuration")(self._describe)
        app.get("/keys")(self._keys)
        app.post("/token")(self._token)
        self.transport = _Counting(app, self)

    def provider(self) -> Provider:
        """Our side of it, over this transport."""
        return Provider(AGREED, self.clock, self.transport)

    async def begin(self, provider: Provider, attempt: Attempt) -> dict[str, str]:
        """What the browser would be sent to the provider with; the provider keeps the challenge, as it must."""
        sent = {name: each[0] for name, each in parse_qs(urlsplit(await provider.way_in(attempt)).query).items()}
        self.see(sent)
        return sent

    def see(self, sent: Mapping[str, str]) -> None:
        """The browser has come with this query."""
        assert sent["response_type"] == "code"
        assert sent["code_challenge_method"] == "S256"
        self.challenge, self.nonce = sent["code_challenge"], sent["nonce"]

    def sign(self, key: Key, alg: str) -> str:
        """An ID token as it is now."""
        now = int(self.clock.now().timestamp())
        usual = {"iss": ISSUER, "aud": CLIENT, "sub": "u-1", "name": "Sam Example", "roles": ["111-handler"],
                 "nonce": self.nonce, "iat": now, "exp": now + 300}  # fmt: skip
        claims = {name: value for name, value in {**usual, **self.claims}.items() if value is not None}
        header = {"alg": alg, "kid": key.kid} if key.kid else {"alg": alg}
        return jwt.encode(header, claims, key, algorithms=[alg])

    async def _describe(self) -> Any:
        usual = {"issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/authorize", "token_endpoint": f"{ISSUER}/token",
                 "jwks_uri": f"{ISSUER}/keys", "end_session_endpoint": f"{ISSUER}/end"}  # fmt: skip
        return {**usual, **self.metadata}

    async def _keys(self) -> Any:
        return {"keys": self.published}

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        if "client_secret" in form:
            known = (form["client_id"], form["client_secret"]) == (CLIENT, SECRET)
        else:
            known = request.headers["authorization"] == f"Basic {_basic()}"
        verifier = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        if not known:
            return JSONResponse({"error": "invalid_client"}, 401)
        is_ours = base64.urlsafe_b64encode(verifier).decode().rstrip("=") == self.challenge
        if form["code"] != "good" or form["redirect_uri"] != f"{OURS}/sign-in/callback" or not is_ours:
            return JSONResponse({"error": "invalid_grant"}, 400)
        token = self.forge(self.sign(self.key, self.alg))
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": token})


class _Counting(httpx.AsyncBaseTransport):
    """Notes which paths were asked for, and is away when it is told to be."""

    def __init__(self, app: FastAPI, stand_in: StandIn) -> None:
        self._inner = httpx.ASGITransport(app=app)
        self._stand_in = stand_in

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._stand_in.asked.append(request.url.path)
        if self._stand_in.away:
            raise httpx.ConnectError("nobody there")
        return await self._inner.handle_async_request(request)


def _basic() -> str:
    return base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()


def other_rsa() -> RSAKey:
    """Another key, under the first one's name."""
    return RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})


def new_ec() -> ECKey:
    """What a provider might change to."""
    return ECKey.generate_key("P-256", {"kid": "two", "use": "sig"})


def our_secret() -> OctKey:
    """The key that both sides know: whoever has it could sign for the provider."""
    return OctKey.import_key(SECRET)
