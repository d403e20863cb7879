"""``/identity/NONCE``: proof to somebody who has our keys that it is really us who answer under an address."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import PlainTextResponse

from infra.crypto import KeyRing


def proof(keys: KeyRing, nonce: str) -> str:
    """A keyed hash that is of no use for anything else."""
    return keys.index("identity", nonce)


def identity_router(keys: KeyRing) -> APIRouter:
    """The page: 32 hex digits in, the proof out."""
    router = APIRouter(include_in_schema=False)

    @router.get("/identity/{nonce}")
    async def identity(nonce: Annotated[str, Path(pattern="^[0-9a-f]{32}$")]) -> PlainTextResponse:
        return PlainTextResponse(proof(keys, nonce), headers={"Cache-Control": "no-store"})

    return router
