"""Pieces of a page that the server renders: into the page at first, and again into its live stream when they change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from console.feed import Part
from console.web import Web


@dataclass(frozen=True, slots=True)
class Fragment:
    """``template`` renders what ``read`` gives, under the fragment's name; the stream reads each ``every_s`` seconds.

    What it reads may say its own time, as ``at``.
    """

    template: str
    read: Callable[[], Awaitable[Mapping[str, Any]]]
    every_s: float = 0.0


Fragments = Mapping[str, Fragment]


async def values_of(fragments: Fragments) -> dict[str, Any]:
    """For the page: what each fragment reads, by name. Side by side: a page waits for the slowest, not for all."""
    found = await asyncio.gather(*(fragment.read() for fragment in fragments.values()))
    return dict(zip(fragments, found, strict=True))


def parts_of(web: Web, fragments: Fragments) -> dict[str, Part]:
    """For the stream: each fragment as ``html`` to be put in place of the old."""
    return {
        name: Part(partial(_rendered, web, name, fragment), fragment.every_s) for name, fragment in fragments.items()
    }


async def _rendered(web: Web, name: str, fragment: Fragment) -> dict[str, Any]:
    values = await fragment.read()
    found = {"html": web.fragment(fragment.template, **{name: values})}
    return found | ({"at": values["at"]} if "at" in values else {})
