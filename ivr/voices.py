"""Voices: the key of a prompt in another language, or said slowly: ``pl/main_menu``, ``en_slow/main_menu``.

A prompt in the flow's first language, at ordinary speed, has its plain key.
"""

from __future__ import annotations

from collections.abc import Mapping

SLOWLY = "_slow"


def in_voice(voice: str, key: str) -> str:
    """The key of the prompt ``key`` in ``voice`` (``pl``, ``pl_slow``)."""
    return f"{voice}/{key}"


def plain_key(key: str) -> str:
    """The key without its voice."""
    return key.rpartition("/")[2]


def language_of(key: str) -> str:
    """The language of a key with a voice; empty for the flow's first."""
    return key.rpartition("/")[0].removesuffix(SLOWLY)


def is_slow(key: str) -> bool:
    """Whether the prompt is said slowly."""
    return key.rpartition("/")[0].endswith(SLOWLY)


def stand_ins(key: str) -> tuple[str, ...]:
    """The key, and what is said instead where there is no sound for it: at ordinary speed, then in the first language.

    That a caller hears something comes first; the check demands a text for every key.
    """
    language, plain = language_of(key), plain_key(key)
    return tuple(dict.fromkeys((key, in_voice(language, plain) if language else plain, plain)))


def by_language(texts: Mapping[str, str]) -> list[dict[str, str]]:
    """Prompt texts with voices, as one mapping of plain keys for each language; slow speech has no text of its own."""
    found: dict[str, dict[str, str]] = {}
    for key, text in texts.items():
        found.setdefault(language_of(key), {})[plain_key(key)] = text
    return list(found.values())
