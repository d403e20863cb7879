"""Where the key ring comes from: a file, or the environment. A key store of another kind is one more class here."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from infra.crypto import KeyRing


class KeyProvider(Protocol):
    """Gives the key ring at the start of a process."""

    def read(self) -> KeyRing:
        """The keys. Raises ValueError, which never repeats them, where there are none that can be used."""


@dataclass(frozen=True, slots=True)
class EnvironmentKeys:
    """The keys as the text of a setting: pairs in base64, apart by white space, the one in use first."""

    text: str = field(repr=False)

    def read(self) -> KeyRing:
        """See :class:`KeyProvider`."""
        return _ring(self.text)


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file of lines in base64, the pair in use first.

    With ``create``, one is made where there is none, with mode 0600: for laptops and demos, not for production.
    """

    path: Path
    create: bool = False

    def read(self) -> KeyRing:
        """See :class:`KeyProvider`."""
        try:
            if self.create and not self.path.exists():
                self._make()
            return _ring(self.path.read_text())
        except OSError as error:
            raise ValueError(f"the key file cannot be read or made: {error.strerror}") from None

    def _make(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(new_pair() + "\n")


def new_pair() -> str:
    """A master key and an index key, fresh, as one line of a key file."""
    return base64.b64encode(os.urandom(64)).decode()


def _ring(text: str) -> KeyRing:
    try:
        return KeyRing.from_base64(text)
    except ValueError:
        raise ValueError("keys must be base64 of 64 octets, once or more, apart by white space") from None
