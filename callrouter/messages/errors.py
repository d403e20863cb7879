"""Why something is not done with a message, as a tree (beside the refusals of :mod:`callrouter.approvals`).

::

    Refused
    ├── NoSuchMessage        nothing has this id: look at the list
    ├── ContentRefused       ``problems``: what is wrong, by field; correct it and send it again
    ├── WrongPhase           it cannot be done with a message that is where this one is; the text says what can
    ├── TooLate              its time is over, or its review is
    ├── OutsideOfficeHours   templates are approved in office hours only
    ├── NotAtNight           in office hours a second person is there: draft it and have it approved
    ├── NotInTemplate        the template allows neither this area nor this expiry
    ├── StartedBefore        who started it and had no review starts it no second time that night: ask somebody else
    ├── AudioMissing         there is no sound of these words, so that SIP callers would hear nothing
    └── NobodyToTell         no second reviewer is named whom the service could tell
"""

from __future__ import annotations

from collections.abc import Mapping

from callrouter.approvals import Refused


class NoSuchMessage(Refused):
    """Nothing has this id."""

    error_id = "no_such_message"
    status = 404


class ContentRefused(Refused):
    """What was written cannot be a message; ``problems`` by field, in words for whoever wrote it."""

    error_id = "content_refused"
    status = 422

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(problems.values()))
        self.problems = dict(problems)


class WrongPhase(Refused):
    """Not with a message that is where this one is in its life."""

    error_id = "wrong_phase"


class TooLate(Refused):
    """Its time is over."""

    error_id = "too_late"


class OutsideOfficeHours(Refused):
    """Templates are approved while those who could object are at work."""

    error_id = "outside_office_hours"


class NotAtNight(Refused):
    """A single person starts a template only when no second one is at work."""

    error_id = "not_at_night"


class NotInTemplate(Refused):
    """What was chosen is more than two people have approved."""

    error_id = "not_in_template"
    status = 422


class StartedBefore(Refused):
    """Whoever started it tonight, and had no review, does not start it again: somebody else may."""

    error_id = "started_before"
    status = 403


class AudioMissing(Refused):
    """There is no sound of these words."""

    error_id = "audio_missing"


class NobodyToTell(Refused):
    """No second reviewer could be told."""

    error_id = "nobody_to_tell"
