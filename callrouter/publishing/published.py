"""The flows that callers meet, as published: kept in memory, fresh within a second, never worse than the last good."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy import Connection

from callrouter.approvals import Author, ContentChanged
from callrouter.publishing import store
from callrouter.publishing.content import Content
from callrouter.publishing.model import Row, State
from callrouter.publishing.snapshot import STRAIGHT_TO_111, Snapshot, snapshot_of
from callrouter.publishing.store import Stored
from infra.clock import Clock
from ivr.flow import Flow

MOST_OLD = 20
"""Versions that were live before and whose flows are kept for calls that began in them (a call lasts hours)."""

_CARRIED = (State.LIVE, State.STAGED, State.SCHEDULED)
_OLD = (State.RETIRED, State.ROLLED_BACK)

Check = Callable[[Content], Sequence[str]]
"""The problems of a content, as lines; none if callers may meet it."""

log = structlog.get_logger()


class PublishedFlows:
    """:class:`callrouter.ports.Flows` from the published versions; ``shipped`` until the store has answered.

    ``kept_in``: a file that holds what was loaded last, for a process that starts while the store is away.
    """

    def __init__(self, shipped: Content, clock: Clock, check: Check, kept_in: Path | None = None) -> None:
        self.name = shipped.flow.flow
        self.languages = shipped.flow.languages
        self.language = shipped.flow.languages[0]
        self._clock = clock
        self._check = check
        self._kept_in = kept_in
        self.shipped = shipped
        self._sound: dict[str, Content] = {shipped.version: shipped}
        self.snapshot = Snapshot(live=shipped)
        self.usable: frozenset[str] | None = None
        """The versions that callers can be given here, of those that were read; None before any was."""
        self.refused_live = ""
        """The version that people made live, where it cannot be used here: a service or a recording is not there."""

    def for_dialled(self, dialled: str, call_ref: str) -> Flow:
        """The flow of a new call, whatever it dialled: which line it was may be asked within the flow."""
        del dialled
        return self.snapshot.for_call(call_ref, self._clock.now())

    def version(self, name: str, version: str) -> Flow | None:
        """The flow that a call in progress began with; None if it is unknown, or was recalled."""
        if name == STRAIGHT_TO_111.flow:
            return STRAIGHT_TO_111
        return self.snapshot.flow(version) if name == self.name else None

    def is_recalled(self, version: str) -> bool:
        """Whether callers must not be in this version any more."""
        return version in self.snapshot.recalled

    def text(self, language: str, key: str) -> str | None:
        """What a prompt says now: as published, else as shipped."""
        for content in (*self.snapshot.contents(), self.shipped):
            if (text := content.texts.get(language, {}).get(key)) is not None:
                return text
        return None

    def load(self, connection: Connection) -> list[Stored]:
        """What the store holds of versions that callers may meet or be in; content that is known here is not read."""
        rows = store.listed(connection, self.name, (*_CARRIED, State.RECALLED))
        old = [row for row in store.listed(connection, self.name, _OLD) if row.live_from is not None]
        rows += sorted(old, key=_live_from, reverse=True)[:MOST_OLD]
        return [Stored(row, self._text(connection, row)) for row in rows]

    def keep(self, loaded: Iterable[Stored]) -> None:
        """Take over what was loaded. What is not sound is not used; where it was live the last good one stays."""
        loaded = list(loaded)
        self.snapshot = self._from(loaded)
        if self._kept_in is not None:
            _write(self._kept_in, [self._whole(each) for each in loaded])

    def start_from_file(self) -> bool:
        """Begin with what this machine loaded last; the store knows better, once it answers. Whether there was any."""
        if self._kept_in is None or not self._kept_in.exists():
            return False
        try:
            self.snapshot = self._from(_read(self._kept_in))
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("kept_flows_unreadable", error=type(error).__name__)
            return False
        return True

    def start_without(self) -> None:
        """Begin with no version: nobody can say yet whether the shipped one was ever approved."""
        self.snapshot = replace(self.snapshot, live=None)

    def _from(self, loaded: Sequence[Stored]) -> Snapshot:
        usable = {each.row.version: content for each in loaded if (content := self._usable(each)) is not None}
        snapshot = snapshot_of((each.row for each in loaded), usable, self.snapshot)
        live = next((each.row.version for each in loaded if each.row.state is State.LIVE), "")
        self.usable, self.refused_live = frozenset(usable), "" if live in usable else live
        if not loaded:
            return replace(snapshot, live=self.shipped)  # an empty store has published nothing yet
        return snapshot

    def _usable(self, stored: Stored) -> Content | None:
        version = stored.row.version
        if stored.row.state is State.RECALLED:
            return None
        if (known := self._known(stored.row)) is not None:
            return known
        try:
            content = store.verified(stored)
            problems = self._check(content)
        except ContentChanged as error:
            content, problems = None, [str(error)]
        except Exception as error:  # noqa: BLE001 - one version that the check cannot take is one version
            content, problems = None, [f"the check failed: {type(error).__name__}"]
        if problems or content is None:
            log.error("flow_version_refused", version=version, problems=len(problems), first=problems[0])
            return None
        self._sound[version] = content
        return content

    def _text(self, connection: Connection, row: Row) -> str:
        is_known = self._known(row) is not None or row.state is State.RECALLED
        return "" if is_known else store.text_of(connection, row.version)

    def _whole(self, stored: Stored) -> Stored:
        known = self._known(stored.row)
        return replace(stored, content=known.text()) if known is not None else stored

    def _known(self, row: Row) -> Content | None:
        known = self._sound.get(row.version)
        return known if known is not None and known.hash == row.content_hash else None


def _live_from(row: Row) -> datetime:
    assert row.live_from is not None
    return row.live_from


class Texts(Mapping[str, str]):
    """Prompt texts of one language as published now; a mapping for adapters, which know nothing of versions."""

    def __init__(self, flows: PublishedFlows, language: str, shipped: Mapping[str, str]) -> None:
        self._flows = flows
        self._language = language
        self.shipped = shipped

    def __getitem__(self, key: str) -> str:
        text = self._flows.text(self._language, key)
        return self.shipped[key] if text is None else text

    def __iter__(self) -> Iterator[str]:
        published = (each.texts.get(self._language, {}) for each in self._flows.snapshot.contents())
        return iter({**{key: "" for texts in published for key in texts}, **self.shipped})

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _write(file: Path, loaded: Iterable[Stored]) -> None:
    rows = [
        {
            "version": each.row.version, "flow": each.row.flow, "content_hash": each.row.content_hash,
            "state": each.row.state, "share": each.row.share, "written_at": each.row.written_at.isoformat(),
            "live_from": each.row.live_from.isoformat() if each.row.live_from else None, "content": each.content,
        }
        for each in loaded
    ]  # fmt: skip
    part = file.with_suffix(f".{secrets.token_hex(4)}")  # workers may share the folder
    try:
        part.write_text(json.dumps(rows), encoding="utf-8")
        part.replace(file)
    except OSError as error:
        log.warning("flows_not_kept", error=type(error).__name__)


def _read(file: Path) -> list[Stored]:
    return [
        Stored(
            Row(
                each["version"], each["flow"], each["content_hash"], "", Author(""),
                datetime.fromisoformat(each["written_at"]), State(each["state"]), (),
                datetime.fromisoformat(each["live_from"]) if each["live_from"] else None, each["share"],
            ),
            each["content"],
        )
        for each in json.loads(file.read_text(encoding="utf-8"))
    ]  # fmt: skip
