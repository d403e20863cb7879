"""Keys and sealed values: AES-256-GCM data keys wrapped by a master key, and keyed hashes for look-up.

Every record that holds personal data (a call, a plan) has a data key of its own. Destroying the wrapped key
makes the record unreadable for ever, which is how retention and erasure work (NIST SP 800-38D for GCM;
envelope encryption as in NIST SP 800-57).
"""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

_NONCE = 12  # octets; the size GCM is specified for
_KEY = 32
_NAME = 4  # octets of a master key's id before what it wrapped
_WRAPPED = _NAME + _NONCE + _KEY + 16  # 16: the tag of GCM


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
    """Master keys, which wrap data keys, and keys of look-up hashes. All have 32 octets; none leaves this object.

    The first master key wraps and every one opens; the first index key writes and every one is asked. So keys are
    changed while the service runs (docs/careplans.md, keys).
    """

    def __init__(self, master: bytes, index: bytes, older: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """``older``: pairs of a master key and an index key that still open and are still asked."""
        pairs = ((master, index), *older)
        if any(len(key) != _KEY for pair in pairs for key in pair):
            raise ValueError("a key ring needs two keys of 32 octets")
        self._masters = {key_id(each): AESGCM(each) for each, _ in pairs}
        # begun once: a copy costs half of a new one, and an import takes seven for a plan
        self._indexes = {key_id(each): HMAC(each, SHA256()) for _, each in pairs}
        self.masters = tuple(self._masters)
        """The ids of the master keys, that which wraps first."""
        self.index_keys = tuple(self._indexes)
        """The ids of the index keys, that which writes first."""
        self._master = bytes.fromhex(self.masters[0]), self._masters[self.masters[0]]
        self._index = self._indexes[self.index_keys[0]]

    @classmethod
    def from_base64(cls, text: str) -> KeyRing:
        """Read one or more times 64 octets (master, then index), apart by white space; the first pair is in use."""
        raw = [base64.b64decode(each) for each in text.split()]
        if not raw or any(len(each) != 2 * _KEY for each in raw):
            raise ValueError("a key ring is base64 of two keys of 32 octets, once or more")
        (master, index), *older = [(each[:_KEY], each[_KEY:]) for each in raw]
        return cls(master, index, older)

    def new_data_key(self) -> DataKey:
        """A fresh key for one record."""
        plain = os.urandom(_KEY)
        return DataKey(self._wrap(plain), AESGCM(plain))

    def unwrap(self, wrapped: bytes) -> DataKey:
        """The data key again from its stored form; raises :class:`SealError` without the master key of it."""
        return DataKey(wrapped, AESGCM(self._unwrapped(wrapped)))

    def rewrap(self, wrapped: bytes) -> bytes:
        """The same data key, wrapped by the first master key; what it sealed stays as it is."""
        return self._wrap(self._unwrapped(wrapped))

    @staticmethod
    def master_named(wrapped: bytes) -> str | None:
        """The id of the master key that wrapped it; None if that is not written, as in keys of older versions."""
        return wrapped[:_NAME].hex() if len(wrapped) == _WRAPPED else None

    def has_master(self, wrapped: bytes) -> bool:
        """Whether the master key that wrapped this data key is of this ring; opened only if its id is not written."""
        name = self.master_named(wrapped)
        if name is not None:
            return name in self._masters
        try:
            self._unwrapped(wrapped)
        except SealError:
            return False
        return True

    def index(self, domain: str, value: str) -> str:
        """Keyed hash (HMAC-SHA-256, 64 hex digits) to look ``value`` up by, apart for each ``domain``."""
        return _hash(self._index, domain, value)

    def index_all(self, domain: str, value: str) -> tuple[str, ...]:
        """The hashes of ``value`` under every index key, the one that is written first: what a look-up asks for."""
        return tuple(_hash(key, domain, value) for key in self._indexes.values())

    def _wrap(self, plain: bytes) -> bytes:
        name, master = self._master
        nonce = os.urandom(_NONCE)
        return name + nonce + master.encrypt(nonce, plain, b"data-key")

    def _unwrapped(self, wrapped: bytes) -> bytes:
        name = self.master_named(wrapped)
        masters = (
            list(self._masters.values()) if name is None else [self._masters[name]] if name in self._masters else []
        )
        octets = wrapped if name is None else wrapped[_NAME:]
        for master in masters:
            try:
                return master.decrypt(octets[:_NONCE], octets[_NONCE:], b"data-key")
            except (InvalidTag, ValueError):  # another may open it
                continue
        raise SealError("data key was not wrapped by a master key of this ring")


def key_id(key: bytes) -> str:
    """What a key is called where it must not stand itself: 8 hex digits that say nothing of it."""
    return hmac.digest(key, b"key-id", "sha256")[:_NAME].hex()


def _hash(key: HMAC, domain: str, value: str) -> str:
    begun = key.copy()
    begun.update(f"{domain}\0{value}".encode())
    return begun.finalize().hex()
