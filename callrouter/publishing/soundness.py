"""Whether callers may meet a version here: the flow's own check, and a recording for each of its prompts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from callrouter.publishing.content import Content
from infra.sounds import keys_of_sounds
from ivr.check import World, check
from ivr.voices import language_of

_RECORDED = ("wav", "wav16")
"""A person's recording comes before a synthetic voice, as everywhere."""


def promised_with(texts: frozenset[str], call_backs: bool = False) -> frozenset[str]:
    """What callers may be promised where these texts can be sent, and ``call_backs`` are kept."""
    return frozenset(({"text"} if texts else set()) | ({"call_back"} if call_backs else set()))


def recordings(folder: Path | None, keys: Iterable[str]) -> dict[str, str]:
    """SHA-256 of the sound of each prompt that has one; nothing where there is no folder (no SIP)."""
    if folder is None:
        return {}
    found = ((key, recording_of(folder, key)) for key in keys)
    return {key: hashlib.sha256(file.read_bytes()).hexdigest() for key, file in found if file is not None}


def recording_of(folder: Path, key: str) -> Path | None:
    """The file of a prompt's sound, if there is one."""
    candidates = (folder / f"{key}.{ending}" for ending in _RECORDED)
    return next((each for each in candidates if each.is_file()), None)


@dataclass(frozen=True, slots=True)
class SoundCheck:
    """What must hold for a content on this machine: ``services`` that somebody offers, prompts in ``folder``.

    Without a folder of recordings no caller comes by SIP.
    """

    services: frozenset[str]
    folder: Path | None
    texts: frozenset[str] = frozenset()
    """Keys of the texts that can be sent here; none where nothing sends any."""
    call_backs: bool = False
    """Whether somebody is bound to ring back whom a flow promises it."""
    in_force: bool = False
    """Of versions that people made live already: a machine without any sound of a further language serves them all the
    same, its callers hear the first one. To write, release or stage one, every language must be whole."""

    def __call__(self, content: Content) -> Sequence[str]:
        """Every problem as a line; none if callers may meet it. Takes the time of a proof: never on a call's path."""
        keys = frozenset(content.texts.get(content.flow.languages[0], {}))
        promised = promised_with(self.texts, self.call_backs)
        world = World(keys, self.services, content.lengths, promised, self.texts, self._sounds(keys))
        problems = [str(each) for each in check(content.flow, world)]
        if self.folder is None:
            return problems
        here = recordings(self.folder, keys)
        played = {key for node in content.flow.nodes.values() for key in node.prompt_keys()}
        for key in sorted(played):
            if key in here and here[key] != content.audio.get(key):
                problems.append(f"{key}: the recording here is not the one of this version")
        return problems

    def _sounds(self, keys: frozenset[str]) -> frozenset[str] | None:
        """The prompts that can be heard by SIP here; None where nobody comes by it."""
        if self.folder is None:
            return None
        here = keys_of_sounds(self.folder)
        if not self.in_force:
            return here
        languages = {language_of(key) for key in here}
        return here | {key for key in keys if language_of(key) not in languages}
