"""Values: what the engine takes, makes and keeps as JSON.

They are msgspec's structs: frozen, made, compared, written and read in C (docs/adr/0047-values-are-structs.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, dataclass_transform

from msgspec import Struct, field
from msgspec.json import Decoder


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Value(Struct, frozen=True, omit_defaults=True):
    """Base of the values. Its JSON leaves out what is as it is by default.

    So a default must not change while calls that were written with it may still be read.
    """

    UNSAID: ClassVar[frozenset[str]] = frozenset()
    """Fields that may hold what a caller gave: they are kept, and never printed."""

    def __repr__(self) -> str:
        """Everything but what is :attr:`UNSAID`."""
        said = (f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name not in self.UNSAID)
        return f"{type(self).__name__}({', '.join(said)})"


class Kind(Value, tag_field="kind"):
    """Base of the values of a union: in JSON ``kind``, which is never left out, tells one from another."""

    @property
    def kind(self) -> str:
        """By which a reader of its JSON knows it."""
        tag: Any = self.__struct_config__.tag
        return str(tag)


class Unreadable(ValueError):
    """JSON that no version has written. The message says where, never what stood there, which may be a caller's."""


_Read = TypeVar("_Read")


def reader(of: type[_Read]) -> Callable[[bytes], _Read]:
    """Reads ``of`` from JSON, checking every type; what it does not know it leaves. Raises :class:`Unreadable`."""
    decode = Decoder(of).decode

    def read(octets: bytes) -> _Read:
        try:
            return decode(octets)
        except (ValueError, RecursionError) as error:
            _, at, where = str(error).rpartition(" - at ")
            raise Unreadable(f"not a {of.__name__}: wrong at {where if at else 'its top'}") from None

    return read
