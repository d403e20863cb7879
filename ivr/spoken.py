"""What callers give in words, read as digits, a date or a postcode. English only; doubt is None, never a guess."""

from __future__ import annotations

import re
from datetime import date

EARLIEST_YEAR, LATEST_YEAR = 1880, 2099


def _counted(words: str, first: int = 0, step: int = 1) -> dict[str, int]:
    return {word: first + step * number for number, word in enumerate(words.split())}


_NUMBERS = {
    **_counted(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
        " seventeen eighteen nineteen"
    ),
    **_counted("twenty thirty forty fifty sixty seventy eighty ninety", 20, 10),
    **_counted(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"
        " fifteenth sixteenth seventeenth eighteenth nineteenth twentieth",
        1,
    ),
    **{"thirtieth": 30, "oh": 0, "o": 0, "nought": 0},
}
_CARDINALS = {
    word: number for word, number in _NUMBERS.items() if number < 10 and not word.endswith(("st", "nd", "rd", "th"))
}
_MONTHS = _counted("january february march april may june july august september october november december", 1)
_TIMES = {"double": 2, "treble": 3, "triple": 3}
_FILLERS = {"the", "of", "and", "is", "it", "its", "it's", "um", "er", "in"}
_POSTCODE = re.compile(r"([A-Z]{1,2}[0-9][A-Z0-9]?)([0-9][A-Z]{2})")


def digits(said: str) -> str | None:
    """``one nine double five`` → ``1955``; None if anything else was said, too."""
    found, times = "", 1
    for word in _words(said):
        if word in _TIMES:
            times = _TIMES[word]
        elif word.isdecimal() and word.isascii():
            found, times = found + word * times, 1
        elif word in _CARDINALS:
            found, times = found + str(_CARDINALS[word]) * times, 1
        else:
            return None
    return found or None


def date_keyed(keys: str) -> str | None:
    """``01041950`` (day, month, year) → ``1950-04-01``; None if there is no such day."""
    if len(keys) != 8 or not (keys.isascii() and keys.isdecimal()):
        return None
    return _day(int(keys[4:]), int(keys[2:4]), int(keys[:2]))


def date_said(said: str) -> str | None:
    """``the fourth of April nineteen fifty``, ``4 April 1950``, ``04/04/1950`` → ``1950-04-04``; else None."""
    words = _words(said.replace("/", " ").replace(".", " "))
    month_at = next((n for n, word in enumerate(words) if word in _MONTHS), None)
    if month_at is None:
        return date_keyed("".join(word.zfill(2) for word in words)) if all(w.isdecimal() for w in words) else None
    day, year = _number(words[:month_at]), _year(words[month_at + 1 :])
    return _day(year, _MONTHS[words[month_at]], day) if day and year else None


def postcode(said: str) -> str | None:
    """``n w one two a b`` or ``NW1 2AB`` → ``NW1 2AB``; None for what is not written like a postcode."""
    together = "".join(str(_CARDINALS.get(word, word)) for word in _words(said)).upper()
    match = _POSTCODE.fullmatch(together)
    return f"{match[1]} {match[2]}" if match else None


def _words(said: str) -> list[str]:
    words = re.split(r"[\s,-]+", said.lower().strip(" .,!?"))
    return [word for word in words if word and word not in _FILLERS]


def _number(words: list[str]) -> int | None:
    """A day of the month: ``4``, ``4th``, ``fourth``, ``twenty first``."""
    total = 0
    for word in words:
        plain = re.sub(r"(?<=[0-9])(st|nd|rd|th)$", "", word)
        if plain.isdecimal() and plain.isascii():
            total += int(plain)
        elif word in _NUMBERS:
            total += _NUMBERS[word]
        else:
            return None
    return total


def _year(words: list[str]) -> int | None:
    if len(words) == 1 and words[0].isdecimal() and words[0].isascii():
        return int(words[0])
    if words[:2] == ["two", "thousand"]:
        rest = _number(words[2:])
        return None if rest is None else 2000 + rest
    century = _NUMBERS.get(words[0]) if words else None
    rest = _number(words[1:])
    return century * 100 + rest if century in (18, 19, 20) and rest is not None and rest < 100 else None


def _day(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat() if EARLIEST_YEAR <= year <= LATEST_YEAR else None
    except ValueError:
        return None
