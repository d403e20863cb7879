"""A notice in few words: as a text, and as it is spoken on the telephone. What, where, since when, how bad, a link."""

from __future__ import annotations

import re
import unicodedata

from alerts.model import LONDON, TOLD_METRICS, Notice
from alerts.notices.wording import IN_WORDS, bound, counted

LONGEST_WHAT, LONGEST_WHERE, LONGEST_HOW_BAD, LONGEST_LINK = 75, 45, 56, 100
"""Characters: with the day and hour and what stands between, at most 306, two parts of a text (3GPP TS 23.040)."""

NO_LINK = "See the wallboard"
"""For a link too long for a text: half a link leads nowhere."""

_NOT_SEVEN_BIT = re.compile(r"[^A-Za-z0-9 @$_!\"#%&'()*+,\-./:;<=>?]+")
_ONE_TIME = re.compile(r"\b(\d+) (min|s)\b")
_QUOTES = str.maketrans("‘’“”–—", "''\"\"--")


def short(notice: Notice) -> dict[str, str]:
    """The parts of a text by name: ``what``, ``where``, ``since``, ``how_bad``, ``link``; all in the 7-bit alphabet."""
    turn = {"fired": notice.severity, "escalated": f"{notice.severity}, not taken on", "cleared": "cleared"}
    more = f" (+{len(notice.also)} more)" if notice.also else ""
    return {
        "what": _cut(f"{turn[notice.kind].upper()}: {notice.what}", LONGEST_WHAT - len(more)) + more,
        "where": _cut(notice.where, LONGEST_WHERE),
        "since": f"{notice.since.astimezone(LONDON):%a %-d %b %H:%M}",
        "how_bad": _cut(_how_bad(notice), LONGEST_HOW_BAD),
        "link": notice.link if len(notice.link) <= LONGEST_LINK else NO_LINK,
    }


def spoken(notice: Notice) -> str:
    """What somebody hears who takes the call: no link, no sign that a voice would spell."""
    turn = {"fired": "", "escalated": " that nobody has taken on", "cleared": ", which has cleared"}
    more = f" And {len(notice.also)} more." if notice.also else ""
    words = (
        f"This is the 1 1 1 call control, {notice.severity} alert{turn[notice.kind]}. {notice.what}. {notice.where}. "
        f"Since {notice.since.astimezone(LONDON):%H:%M}. {_how_bad(notice)}.{more}"
    )
    return _plain(_ONE_TIME.sub(_in_full, words)).replace(" (", ", ").replace("(", " ").replace(")", "")


def _how_bad(notice: Notice) -> str:
    now = counted(notice)
    return now if notice.metric in (*TOLD_METRICS, *IN_WORDS) else f"{now} ({bound(notice)})"


def _in_full(time: re.Match[str]) -> str:
    unit = {"min": "minute", "s": "second"}[time[2]]
    return f"{time[1]} {unit}" if time[1] == "1" else f"{time[1]} {unit}s"


def _cut(text: str, longest: int) -> str:
    plain = _plain(text)
    return plain if len(plain) <= longest else f"{plain[: longest - 2].rstrip()}.."


def _plain(text: str) -> str:
    """Accents go, and whatever a telephone would need another alphabet for: one such sign halves a text's length."""
    ascii_only = unicodedata.normalize("NFKD", text.translate(_QUOTES)).encode("ascii", "ignore").decode()
    return " ".join(_NOT_SEVEN_BIT.sub(" ", ascii_only).split())
