"""What each version of the flow asks callers of a signal: the menus that offer its choices, as they are spoken."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable

from alerts.surges.indicators import Indicator, Indicators
from alerts.surges.menus import note_asked
from callrouter.publishing.content import Content
from infra.sql import Database
from ivr.actions.menu import Menu

NOTE_EVERY_S = 60.0


class MenuNotes:
    """Notes of every version that callers may meet what it asks. ``contents``: those versions, as they are now."""

    def __init__(self, database: Database, contents: Callable[[], Iterable[Content]], indicators: Indicators) -> None:
        self._database = database
        self._contents = contents
        self._indicators = indicators
        self._noted: set[str] = set()

    async def step(self, _wait_s: float) -> int:
        """Note what is new. Counts of a version that is noted later are compared by it all the same."""
        for content in self._contents():
            if content.version not in self._noted:
                await note_asked(self._database, content.version, asked(content, self._indicators))
                self._noted.add(content.version)
        await asyncio.sleep(NOTE_EVERY_S)
        return 0


def asked(content: Content, indicators: Indicators) -> dict[str, str]:
    """By signal, 16 hex digits: the same as long as the words and options of the menus are that callers choose it in.

    Where a choice leads to, and every other node, may change; so may the name of the node. Of the texts it is the first
    language that counts: a translation changes no question.
    """
    menus = [node for node in content.flow.nodes.values() if isinstance(node, Menu)]
    found = {}
    for signal in indicators:
        offering = [menu for menu in menus if _offers(menu, signal)]
        if offering:
            words = sorted(json.dumps(_question(menu, content), sort_keys=True) for menu in offering)
            found[signal.id] = hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]
    return found


def _offers(menu: Menu, signal: Indicator) -> bool:
    return not menu.choices.isdisjoint(signal.choices)


def _question(menu: Menu, content: Content) -> dict[str, object]:
    texts = content.texts.get(content.flow.languages[0], {})
    spoken = [[texts.get(key, key) for key in keys] for keys in (menu.prompts, menu.short_prompts)]
    return {"spoken": spoken, "keys": menu.keys, "words": menu.words}
