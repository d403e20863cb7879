"""Values of a FHIR resource as they may really come: of the wrong type, missing, on several lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from careplans.rows import instant_version


def mapping(value: object) -> Mapping[str, Any]:
    """An object; empty for anything else."""
    return value if isinstance(value, dict) else {}


def listed(value: object) -> list[Any]:
    """A list; empty for anything else."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """A text or number as text; empty for anything else."""
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def one_line(value: object) -> str:
    """Text with its white space drawn together."""
    return " ".join(text(value).split())


def paragraphs(values: Iterable[object]) -> str:
    """Texts under one another, without the empty ones."""
    return "\n\n".join(filter(None, map(text, values)))


def version_of(resource: Mapping[str, Any]) -> str:
    """When the resource was last changed, else its number of versions; empty if it says neither."""
    meta = mapping(resource.get("meta"))
    return text(meta.get("lastUpdated")) or text(meta.get("versionId"))


def newer(one: object, other: object) -> object:
    """The later of two versions; what is none is passed over."""
    versions = [version for version in (_instant(one), _instant(other)) if version is not None]
    return max(versions) if len(versions) == 2 else one


def _instant(version: object) -> int | None:
    try:
        return version if isinstance(version, int) else instant_version(text(version))
    except ValueError:
        return None
