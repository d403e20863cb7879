"""What a version changes against another: steps and prompts, each as it was and as it is now, in words to be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from callrouter.publishing.content import Content
from callrouter.publishing.written import steps_as_yaml
from ivr.voices import language_of


@dataclass(frozen=True, slots=True)
class Change:
    """A step or a prompt; ``before`` is empty for a new one, ``after`` for one that is gone.

    ``key``: the prompt that can be heard, for prompts and recordings.
    """

    kind: str
    name: str
    before: str
    after: str
    key: str = ""


def changes(live: Content | None, new: Content) -> list[Change]:
    """Every difference that a caller can meet, steps first."""
    old = live.plain() if live is not None else {"texts": {}, "audio": {}}
    now = new.plain()
    return [
        *_differing("step", steps_as_yaml(live.flow) if live is not None else {}, steps_as_yaml(new.flow)),
        *_differing("prompt", _texts(old["texts"]), _texts(now["texts"])),
        *_differing("recording", old["audio"], now["audio"]),
    ]


def _texts(texts: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {
        f"{key} ({language_of(key) or language})": text
        for language, all_ in texts.items()
        for key, text in all_.items()
    }


def _differing(kind: str, old: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted({*old, *now}):
        before, after = old.get(name, ""), now.get(name, "")
        if before != after:
            yield Change(kind, name, before.strip(), after.strip(), "" if kind == "step" else name.partition(" ")[0])
