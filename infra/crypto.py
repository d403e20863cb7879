"""Keys and sealed values: AES-256-GCM data keys wrapped by a master key, and keyed hashes for look-up.

Every record that holds personal data (a call, a plan) has a data key of its own. Destroying the wrapped key
makes the record unreadable for ever, which is how retention and erasure work (NIST SP 800-38D for GCM;
envelope encryption as in NIST SP 800-57).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12  # octets; the size GCM is specified for
_KEY = 32


class SealError(Exception):
    """A sealed value could not be opened: wrong key, wrong context, or changed bytes."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """The key of one record. ``wrapped`` is what may be stored; the plain key stays in memory."""

    wrapped: bytes
    _aead: AESGCM = field(repr=False)

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Encrypt ``plaintext``; ``context`` (who and what it is) must be given again to open it."""
        nonce = os.urandom(_NONCE)
        return nonce + self._aead.encrypt(nonce, plaintext, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """The plaintext of ``seal``; raises :class:`SealError` if anything differs."""
        try:
            return self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], context)
        except (InvalidTag, ValueError) as error:  # ValueError: too short to hold a nonce
            raise SealError("sealed value does not open with this key and context") from error


class KeyRing:
    """The master key, and the key of the look-up hashes. Both are 32 octets; neither leaves this object."""

    def __init__(self, master: bytes, index: bytes) -> None:
        if len(master) != _KEY or len(index) != _KEY:
            raise ValueError("a key ring needs two keys of 32 octets")
        self._master = AESGCM(master)
        self._index = index

    @classmethod
    def from_base64(cls, text: str) -> KeyRing:
        """Read the 64 octets (master, then index) that :meth:`load_or_create` writes."""
        raw = base64.b64decode(text.strip())
        return cls(raw[:_KEY], raw[_KEY:])

    @classmethod
    def load_or_create(cls, path: Path) -> KeyRing:
        """Read the key file, or make one with mode 0600: for laptops and demos, not for production."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(base64.b64encode(os.urandom(2 * _KEY)).decode() + "\n")
        return cls.from_base64(path.read_text())

    def new_data_key(self) -> DataKey:
        """A fresh key for one record."""
        plain = AESGCM.generate_key(bit_length=256)
        nonce = os.urandom(_NONCE)
        return DataKey(nonce + self._master.encrypt(nonce, plain, b"data-key"), AESGCM(plain))

    def unwrap(self, wrapped: bytes) -> DataKey:
        """The data key again from its stored form; raises :class:`SealError` under another master key."""
        try:
            plain = self._master.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], b"data-key")
        except (InvalidTag, ValueError) as error:
            raise SealError("data key was not wrapped by this master key") from error
        return DataKey(wrapped, AESGCM(plain))

    def index(self, domain: str, value: str) -> str:
        """Keyed hash (HMAC-SHA-256, 64 hex digits) to look ``value`` up by, apart for each ``domain``."""
        return hmac.new(self._index, f"{domain}\0{value}".encode(), hashlib.sha256).hexdigest()
