"""Why a step in the life of a version is refused; nothing was changed. The approvals' own: ``callrouter.approvals``.

::

    Refused
    ├── UnknownVersion    there is no such version
    ├── WrongState        this cannot be done with it now: the text says what it is
    ├── AlreadyThere      the very same content is a version already
    ├── Unsafe            it was recalled: write another
    ├── NotSound          it does not pass the check; ``problems`` are lines that say where and why
    ├── TextReused        a prompt that callers know would say something else: give the new text a key of its own
    ├── OtherFlow         this service answers with a flow of another name
    ├── NothingBefore     there is no good version to go back to
    └── OutOfRange        a time or a share that cannot be
"""

from __future__ import annotations

from collections.abc import Iterable

from callrouter.approvals import Refused


class UnknownVersion(Refused):
    """There is no such version."""

    error_id = "unknown_version"
    status = 404


class WrongState(Refused):
    """This cannot be done with a version in that state."""

    error_id = "wrong_state"


class AlreadyThere(Refused):
    """The very same content is a version already."""

    error_id = "already_there"


class Unsafe(Refused):
    """This content was recalled. It never comes back: write another."""

    error_id = "recalled"


class NotSound(Refused):
    """It does not pass the check."""

    error_id = "not_sound"
    status = 422

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class TextReused(Refused):
    """A prompt that callers know would say something else. Give the new text a key of its own."""

    error_id = "text_reused"
    status = 422


class OtherFlow(Refused):
    """This service answers with a flow of another name."""

    error_id = "other_flow"
    status = 422


class NothingBefore(Refused):
    """There is no good version to go back to. Recall sends every caller straight to 111."""

    error_id = "nothing_before"


class OutOfRange(Refused):
    """A time or a share that cannot be."""

    error_id = "out_of_range"
    status = 422
