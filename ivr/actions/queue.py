"""Queue: let the caller wait, with sound, for whoever of several services is free first."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ivr.actions.seek import Seek


class Queue(Seek):
    """Wait at most ``hold_s`` seconds for a line of ``services``, then leave by ``failed``."""

    action: Literal["queue"]

    @model_validator(mode="after")
    def _holds(self) -> Queue:
        if self.hold_s < 1:
            raise ValueError("a queue needs hold_s, the longest wait in seconds")
        return self
