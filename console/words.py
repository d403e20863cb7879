"""Codes and times in the words of the people who read them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import phonenumbers

from callrouter.handover import PlanNotice, Role

LONDON = ZoneInfo("Europe/London")
UNKNOWN = "not known"

ROLE_NAMES = {
    Role.HANDLER: "Call handler",
    Role.CLINICIAN: "Clinician",
    Role.AMBULANCE: "Ambulance",
    Role.PUBLIC_HEALTH: "Public health",
    Role.COMMISSIONER: "Commissioner",
    Role.CLINICAL_SAFETY: "Clinical safety",
    Role.INFORMATION_GOVERNANCE: "Information governance",
    Role.ADMINISTRATOR: "Administrator",
}


@dataclass(frozen=True, slots=True)
class Repeat:
    """A repeat outcome (docs/safety/rules.md, 4) in words; ``ask`` where the caller can settle a doubt."""

    name: str
    meaning: str
    colour: str
    ask: bool = False


REPEATS = {
    "RC": Repeat("Repeat caller", "Two or more earlier calls in the last 96 hours.", "red"),
    "PRC": Repeat("Possible repeat caller", "Earlier calls may be this patient's.", "orange", ask=True),
    "IIQ": Repeat("Not enough to tell", "Too little is known to look for earlier calls.", "yellow", ask=True),
    "ER": Repeat("Could not be checked", "The look-up for earlier calls failed.", "yellow", ask=True),
    "NRC": Repeat("Not a repeat caller", "No two earlier calls in the last 96 hours.", "grey"),
}
NOT_CHECKED = Repeat("Not checked", "Earlier calls were not looked for.", "yellow", ask=True)

NOT_FOUND_OUT = {
    "timed_out": "the store did not answer in time",
    "skipped": "the store did not answer",
    "failed": "the store failed",
    "store_failed": "the store failed",
    "keys_do_not_fit": "the service has not got the keys of stored plans",
    "not_looked_up": "nobody has looked yet",
}
"""Why nobody knows whether there is a plan (the gaps of ``callrouter.events.LookedUp``, and a store's own words)."""

NEVER_LOOKED_UP = frozenset({"withheld", "carrier_filler", "diverted_line", "unreadable_number"})
"""Reasons for which nobody looked: the number says nothing of who rings (docs/domain.md)."""

AUDITED = {
    "checked_right": "Opened by date of birth",
    "checked_wrong": "Gave a date of birth that did not fit",
    "opened": "Opened, having checked who it is",
    "passed_on": "Passed on by a reference",
    "opened_reference": "Opened by a reference",
    "opened_emergency": "Opened in an emergency",
    "broke_glass": "Asked for emergency access",
    "views_read": "Looked who had seen it",
    "exported": "Exported for the patient",
    "erased": "Erased",
    "discarded": "Discarded unread",
}
"""What the audit of plans says of one of them."""

CONFIRMED = {
    "birth_date": "The date of birth that the caller gave fits a plan on this line.",
    "said": "A clinician has checked whose plan it is.",
}
"""How a signed-in person confirmed whose plan it is (docs/safety/rules.md, 3)."""

WITHOUT_PLAN = "Go on as you would without a plan."


@dataclass(frozen=True, slots=True)
class Notice:
    """What is said of plans before the check; ``checkable`` where there is one to open."""

    title: str
    text: str
    checkable: bool


def plan_notice(plan: PlanNotice) -> Notice:
    """How many possible plans, never whose or what."""
    if plan.outcome == "unavailable":
        why = NOT_FOUND_OUT.get(plan.reason, "the look-up failed")
        text = f"Care plans could not be checked: {why}. There may be one: ask the caller. {WITHOUT_PLAN}"
        return Notice("Care plans could not be checked", text, checkable=False)
    if plan.reason in NEVER_LOOKED_UP:
        text = f"The number does not say who rings, so nobody looked. There may be one: ask the caller. {WITHOUT_PLAN}"
        return Notice("No number to look up plans by", text, checkable=False)
    if plan.outcome == "none" or plan.count < 1:
        return Notice("No plan found for this line", WITHOUT_PLAN, checkable=False)
    if plan.outcome == "confirmed":
        return _confirmed(plan)
    one = plan.count == 1
    title = "1 possible plan" if one else f"{plan.count} possible people on this line"
    closed = "It is closed" if one else "Their plans are closed"
    text = f"{closed} until the date of birth is checked. Until then: {WITHOUT_PLAN[0].lower()}{WITHOUT_PLAN[1:]}"
    return Notice(title, text, checkable=True)


def _confirmed(plan: PlanNotice) -> Notice:
    """A check that did not match takes nothing back, and is never left out: somebody else may be speaking by now."""
    closed = "It is closed again until the date of birth is checked."
    title = f"Plan confirmed at {clock_time(plan.confirmed_at)}" if plan.confirmed_at else "Plan confirmed"
    if plan.unmatched_at is None:
        return Notice(title, f"{CONFIRMED[plan.reason]} {closed}", checkable=True)
    later = f"The date of birth that was checked at {clock_time(plan.unmatched_at)} fits no plan on this line"
    text = f"{CONFIRMED[plan.reason]} {later}: ask again whom you speak with. {closed}"
    return Notice(f"{title}; a later check did not match", text, checkable=True)


def repeat(outcome: str) -> Repeat:
    """The outcome in words; anything else than the five codes was not checked."""
    return REPEATS.get(outcome, NOT_CHECKED)


def number(e164: str | None) -> str:
    """A number as people in the UK write it; unreadable ones as they came."""
    if not e164:
        return "Number withheld or not known"
    try:
        parsed = phonenumbers.parse(e164, "GB")
    except phonenumbers.NumberParseException:
        return e164
    national = phonenumbers.PhoneNumberFormat.NATIONAL
    elsewhere = phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(parsed, national if parsed.country_code == 44 else elsewhere)


_INITIALS = frozenset({"ed", "gp", "ms", "nhs"})  # read letter by letter


def sentence(code: str) -> str:
    """An author's or a program's name for something as words: ``urgent_mental_health``."""
    said = (each.upper() if each in _INITIALS else each for each in code.replace("_", " ").replace("-", " ").split(" "))
    return capital(" ".join(said).strip())


def capital(text: object) -> str:
    """The text with a capital letter at its beginning; nothing else of it changes."""
    said = str(text)
    return said[:1].upper() + said[1:]


def clock_time(at: datetime | None) -> str:
    """``09:41:07`` in London; a naive time is taken as UTC."""
    if at is None:
        return UNKNOWN
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return aware.astimezone(LONDON).strftime("%H:%M:%S")


def moment(at: datetime | None) -> str:
    """``Tue 24 March 2026, 14:30`` in London."""
    if at is None:
        return UNKNOWN
    local = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(LONDON)
    return f"{local:%a} {local.day} {local:%B %Y, %H:%M}"


def day(on: date | None) -> str:
    """``3 March 2026``."""
    return UNKNOWN if on is None else f"{on.day} {on:%B %Y}"


def duration(seconds: float | None) -> str:
    """``1:07`` (minutes and seconds) or ``1:02:07``; whole seconds that have passed."""
    if seconds is None:
        return UNKNOWN
    minutes, s = divmod(max(0, int(seconds)), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}" if hours else f"{m}:{s:02}"


def count(value: int | None) -> str:
    """A count with thousands set apart; unknown in words, never as zero."""
    return UNKNOWN if value is None else f"{value:,}"


def share(part: int | None, whole: int | None) -> str:
    """``94.6%``; nothing where it cannot be computed."""
    return "" if part is None or not whole else f"{100 * part / whole:.1f}%"
