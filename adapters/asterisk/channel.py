"""What an event of Asterisk says about a channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.asterisk.packed import FACTS, unpacked


@dataclass(frozen=True, slots=True)
class Channel:
    """What an event says about a channel. `told` is its `channelvars` as they came."""

    id: str
    name: str
    state: str
    told: Mapping[str, Any]

    @property
    def variables(self) -> dict[str, str]:
        """Those of `channelvars` in `ari.conf` that are set, and what the dialplan put into `FACTS`."""
        kept = {name: str(value) for name, value in self.told.items() if value != ""}
        return unpacked(kept.pop(FACTS, "")) | kept

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Channel:
        """From Asterisk's JSON."""
        return cls(str(body["id"]), str(body["name"]), str(body["state"]), dict(body.get("channelvars") or {}))
