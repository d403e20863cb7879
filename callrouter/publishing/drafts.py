"""Drafts as people write them: the text of flow files, and of the prompts that are new."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from callrouter.errors import ConfigurationError
from callrouter.flows import FlowFileError, load_flow, load_written_out, read_texts
from callrouter.publishing.content import Content, Texts, seal
from callrouter.publishing.errors import NotSound
from callrouter.publishing.published import PublishedFlows
from callrouter.publishing.soundness import promised_with, recordings
from infra.plain_text import HIDDEN
from ivr.check import World
from ivr.proof.lengths import estimate_lengths
from ivr.voices import by_language

FLOW, PROMPTS = "flow.yaml", "prompts.yaml"
"""The names of the two texts of :meth:`Drafts.read_whole`."""

MOST_FILES = 50
MOST_OCTETS = 1_000_000  # of all files: ten times the largest pathway known
_FILE_NAME = re.compile(r"(?:[a-z0-9][a-z0-9_-]{0,60}/){0,2}[a-z0-9][a-z0-9_-]{0,60}\.yaml")
_PROMPT_KEY = re.compile(r"(?:[a-z]{2,3}/)?[a-z][a-z0-9_]{0,60}")  # with its language, if not the first
_LONGEST_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Drafts:
    """Reads drafts against what callers meet now: prompts that are not given anew are those."""

    flows: PublishedFlows
    services: frozenset[str]
    folder: Path | None
    sendable: frozenset[str] = frozenset()
    """Keys of the texts that can be sent here."""
    call_backs: bool = False
    """Whether callers can be promised a call back here."""

    def read(self, files: Mapping[str, str], start: str, texts: Texts) -> Content:
        """The content of the flow in the file ``start``; the others are its subflows, named as it names them.

        Raises :class:`NotSound`, whose problems name file and line.
        """
        self._require_sizes(files, start, texts)
        spoken, world = self._world(texts)
        with tempfile.TemporaryDirectory(prefix="callrouter-draft-") as folder:
            for name, text in files.items():
                file = Path(folder) / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            try:
                flow = load_flow(Path(folder) / start, world)
            except FlowFileError as error:
                raise NotSound(each.replace(f"{folder}/", "") for each in error.problems) from error
        return seal(flow, spoken, recordings(self.folder, world.prompts or ()))

    def read_whole(self, flow: str, prompts: str) -> Content:
        """The content of one text that holds a whole flow, subflows written out, and of new prompts (``key: text``).

        Raises :class:`NotSound`, whose problems name :data:`FLOW` or :data:`PROMPTS`, and the line.
        """
        with tempfile.TemporaryDirectory(prefix="callrouter-draft-") as folder:
            for name, text in ((FLOW, flow), (PROMPTS, prompts)):
                (Path(folder) / name).write_text(text, encoding="utf-8")
            try:
                new = {self.flows.language: read_texts(Path(folder) / PROMPTS)} if prompts.strip() else {}
                self._require_sizes({FLOW: flow}, FLOW, new)
                spoken, world = self._world(new)
                read = load_written_out(Path(folder) / FLOW, world)
            except FlowFileError as error:
                raise NotSound(each.replace(f"{folder}/", "") for each in error.problems) from error
            except ConfigurationError as error:
                raise NotSound(str(error).replace(f"{folder}/", "").splitlines()) from error
        return seal(read, spoken, recordings(self.folder, world.prompts or ()))

    def _world(self, texts: Texts) -> tuple[dict[str, dict[str, str]], World]:
        """What is spoken with these new texts, and what a flow may refer to then."""
        spoken = self._texts(texts)
        first = next(iter(spoken.values()))
        lengths = estimate_lengths(by_language(first))
        promised = promised_with(self.sendable, self.call_backs)
        return spoken, World(frozenset(first), self.services, lengths, promised, self.sendable)

    def _texts(self, new: Texts) -> dict[str, dict[str, str]]:
        shipped, live = self.flows.shipped, self.flows.snapshot.live
        found = {language: dict(texts) for language, texts in shipped.texts.items()}
        for texts in ((live.texts if live else {}), new):
            for language, spoken in texts.items():
                found.setdefault(language, {}).update(spoken)
        return found

    def _require_sizes(self, files: Mapping[str, str], start: str, texts: Texts) -> None:
        problems = [f"{name}: not a file name" for name in files if not _FILE_NAME.fullmatch(name)]
        problems += [] if start in files else [f"{start}: the flow to begin with is not among the files"]
        if len(files) > MOST_FILES or sum(map(len, files.values())) > MOST_OCTETS:
            problems.append(f"at most {MOST_FILES} files of {MOST_OCTETS} characters together")
        for language, spoken in texts.items():
            if language not in self.flows.shipped.texts:
                problems.append(f"{language}: callers cannot choose this language")
            for key, text in spoken.items():
                if not _PROMPT_KEY.fullmatch(key):
                    problems.append(f"{key}: not a prompt key")
                elif (
                    not text.strip()
                    or len(text) > _LONGEST_TEXT
                    or any(mark in text for mark in "<>&")
                    or HIDDEN.search(text)
                ):
                    problems.append(f"{key}: a prompt is 1 to {_LONGEST_TEXT} characters of plain text, without markup")
        if problems:
            raise NotSound(problems)


def _is_plain(text: str) -> bool:
    return not any(mark in text for mark in "<>&") and HIDDEN.search(text) is None
