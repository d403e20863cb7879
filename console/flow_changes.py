"""What a version changes against another: steps and prompts, each as it was and as it is now, in words to be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from callrouter.publishing.content import Content


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
    old = live.plain() if live is not None else {"flow": {}, "texts": {}, "audio": {}}
    now = new.plain()
    return [
        *_differing("step", _steps(old["flow"]), _steps(now["flow"])),
        *_differing("prompt", _texts(old["texts"]), _texts(now["texts"])),
        *_differing("recording", old["audio"], now["audio"]),
    ]


def _steps(flow: Mapping[str, Any]) -> dict[str, str]:
    rest = {key: value for key, value in flow.items() if key in ("start", "facts", "languages")}
    steps = {name: _written(node) for name, node in flow.get("nodes", {}).items()}
    return {"start and facts": _written(rest), **steps} if rest else steps


def _texts(texts: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {f"{key} ({language})": text for language, all_ in texts.items() for key, text in all_.items()}


def _written(data: Mapping[str, Any]) -> str:
    filled = {key: value for key, value in data.items() if value not in (None, "", [], {})}
    text: str = yaml.safe_dump(filled, sort_keys=False, allow_unicode=True, width=80)
    return text.strip()


def _differing(kind: str, old: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted({*old, *now}):
        before, after = old.get(name, ""), now.get(name, "")
        if before != after:
            yield Change(kind, name, before, after, "" if kind == "step" else name.partition(" ")[0])
