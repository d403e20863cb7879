"""Everything that a caller can meet in a version: the flow, the texts of its prompts, and the sound of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from callrouter.approvals import hash_of
from ivr.flow import Flow, read_flow
from ivr.proof.lengths import Lengths, estimate_lengths
from ivr.voices import by_language

Texts = Mapping[str, Mapping[str, str]]
"""Language → prompt key → text."""


@dataclass(frozen=True)
class Content:
    """Immutable. ``flow`` bears a hash of ``texts`` and ``audio`` (key → SHA-256 of the recording), so that its own
    version, which calls and journal name, changes with them. ``written``: the text that it was read from, if it was."""

    flow: Flow
    texts: Texts
    audio: Mapping[str, str]
    written: str = field(default="", repr=False, compare=False)

    @property
    def version(self) -> str:
        """Twelve hex digits that change when anything does that a caller can meet."""
        return self.flow.version

    def plain(self) -> dict[str, Any]:
        """As plain data, from which :func:`read_content` makes the same again."""
        flow = self.flow.model_dump(mode="json", by_alias=True, exclude={"sounds"})
        return {"flow": flow, "texts": {k: dict(v) for k, v in self.texts.items()}, "audio": dict(self.audio)}

    def text(self) -> str:
        """As it was written, else the plain data as JSON, in the order of the file."""
        return self.written or json.dumps(self.plain(), ensure_ascii=False)

    @property
    def lengths(self) -> Lengths:
        """How long each prompt takes, the longest language of each."""
        return estimate_lengths(mapping for texts in self.texts.values() for mapping in by_language(texts))

    @cached_property
    def hash(self) -> str:
        """What an approval is of: the hash of :meth:`text`, whatever fields a later release adds."""
        return written_hash(self.text())


def written_hash(text: str) -> str:
    """The hash of a content as it is written; raises ValueError where that is no JSON."""
    return hash_of(json.loads(text))


def seal(flow: Flow, texts: Texts, audio: Mapping[str, str], known_as: str = "", written: str = "") -> Content:
    """The content of a flow with these texts and recordings; raises :class:`ivr.errors.FlowDefect`."""
    sounds = hash_of({"texts": texts, "audio": audio})
    data = flow.model_dump(mode="json", by_alias=True, exclude={"sounds"})
    return Content(read_flow({**data, "sounds": sounds, "known_as": known_as}), texts, audio, written)


def read_content(text: str, version: str = "") -> Content:
    """The content that :meth:`Content.text` wrote; raises ValueError or :class:`ivr.errors.FlowDefect`.

    ``version``: under which it is kept. What it is made of is the text's alone, also where this release has fields that
    the release that wrote it had not.
    """
    data = json.loads(text)
    return seal(read_flow(data["flow"]), data["texts"], data["audio"], version, text)
