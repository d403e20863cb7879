"""The chain's length and end, signed (Ed25519, RFC 8032) and kept elsewhere: what shows a cut or a rewritten chain."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from careplans.audit.chain import Head

_WHAT = "callrouter audit head"


@dataclass(frozen=True, slots=True)
class SignedHead:
    """That the chain had ``length`` entries and ended with the hash ``head`` at ``at``; ``key`` names who signed."""

    length: int
    head: str
    at: datetime
    key: str
    signature: str

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self), default=datetime.isoformat)

    @classmethod
    def from_json(cls, line: str) -> SignedHead:
        """The head of a line; raises ValueError for anything else."""
        try:
            values = json.loads(line)
            at = datetime.fromisoformat(values["at"])
            return cls(int(values["length"]), str(values["head"]), at, str(values["key"]), str(values["signature"]))
        except (KeyError, TypeError) as error:
            raise ValueError("is no signed head") from error

    def said(self) -> bytes:
        """What the signature covers."""
        return json.dumps([_WHAT, self.length, self.head, self.at.astimezone(UTC).isoformat(), self.key]).encode()


class HeadKeeper(Protocol):
    """A place that is not the database: another disk, another house."""

    async def keep(self, head: SignedHead) -> None:
        """Keep it for good; raises OSError if that cannot be."""


class HeadSigner:
    """Signs heads with a key of its own. ``seed``: 32 octets. ``before``: public keys that signed before it."""

    def __init__(self, seed: bytes, before: Sequence[bytes] = ()) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._private.public_key().public_bytes_raw()
        self.publics = (self.public, *before)

    def sign(self, head: Head, at: datetime) -> SignedHead:
        """The head with our name under it."""
        unsigned = SignedHead(head.length, head.head, at, key_id(self.public), "")
        signature = base64.b64encode(self._private.sign(unsigned.said())).decode()
        return SignedHead(unsigned.length, unsigned.head, at, unsigned.key, signature)


def key_id(public: bytes) -> str:
    """How a public key is called: the beginning of its hash."""
    return hashlib.sha256(public).hexdigest()[:16]


def is_signed(head: SignedHead, publics: Sequence[bytes]) -> bool:
    """Whether one of these keys signed exactly this."""
    for public in publics:
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(head.signature), head.said())
        except (InvalidSignature, ValueError):
            continue
        return True
    return False


class HeadFile:
    """A file of signed heads, one a line, only ever added to. Each line is on the disk before :meth:`keep` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def keep(self, head: SignedHead) -> None:
        """See :class:`HeadKeeper`."""
        await asyncio.to_thread(self._append, f"{head.to_json()}\n".encode())

    def _append(self, line: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o640)
        try:
            if os.write(file, line) != len(line):
                raise OSError("the line of the signed head was cut off")
            os.fsync(file)
        finally:
            os.close(file)


def read_heads(path: Path) -> tuple[list[SignedHead], list[int]]:
    """The heads of a file, and the numbers of the lines that are none."""
    heads, odd = [], []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            heads.append(SignedHead.from_json(line))
        except ValueError:
            odd.append(number)
    return heads, odd
