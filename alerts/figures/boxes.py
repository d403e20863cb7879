"""What is kept of calls for some hours: by reference, in boxes by time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Boxes(Generic[Value]):
    """A value for each reference, in one box for each ``span`` of time: whole boxes are let go, at no other's cost."""

    def __init__(self, span: timedelta) -> None:
        self._span_s = span.total_seconds()
        self._boxes: dict[int, dict[str, Value]] = {}

    def put(self, ref: str, at: datetime, value: Value) -> None:
        """Keep a value of that time. The reference must have none."""
        self._boxes.setdefault(self._box(at), {})[ref] = value

    def replace(self, ref: str, value: Value) -> None:
        """Keep another value instead, of the same time; without one nothing changes."""
        for box in self._boxes.values():
            if ref in box:
                box[ref] = value

    def get(self, ref: str) -> Value | None:
        """The value of the reference, if there is one."""
        for box in self._boxes.values():
            if ref in box:
                return box[ref]
        return None

    def pop(self, ref: str) -> Value | None:
        """As :meth:`get`, and it is kept no longer."""
        for box in self._boxes.values():
            if ref in box:
                return box.pop(ref)
        return None

    def since(self, at: datetime) -> Iterator[Value]:
        """All values from then on, and some that are older by less than a box."""
        first = self._box(at)
        return (value for number, box in self._boxes.items() if number >= first for value in box.values())

    def let_go(self, before: datetime) -> Iterator[tuple[str, Value]]:
        """Each box that ended before then; it is kept no longer."""
        first = self._box(before)
        for number in [each for each in self._boxes if each < first]:
            yield from self._boxes.pop(number).items()

    def _box(self, at: datetime) -> int:
        return int(at.timestamp() // self._span_s)
