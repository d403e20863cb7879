"""A sender that posts its plans: one body, one delivery of changes."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice

from careplans.importer import read_ndjson
from careplans.rows import Row
from careplans.sources.errors import SourceUnreadable
from careplans.sources.fhir import read_bundle
from careplans.sources.model import BATCH, Batch, Delivered
from careplans.sources.settings import PushSettings

LARGEST_BODY = 8 * 1024 * 1024
"""Octets: some 10,000 plans. More is a file for SFTP, or several bodies."""

NDJSON = "application/x-ndjson"
FHIR = "application/fhir+json"
ITK = "application/xml"
FORMS = (NDJSON, FHIR, ITK)


class Body:
    """What was posted, as a source; it never goes on where an earlier body was left: the sender sends it again."""

    def __init__(self, octets: bytes, form: str, organisation: str) -> None:
        self._octets = octets
        self._form = form
        self._organisation = organisation

    async def read(self, cursor: str) -> AsyncIterator[Batch]:
        """See :class:`careplans.sources.model.PlanSource`. Raises :class:`SourceUnreadable` before the first batch."""
        rows, ignored = await asyncio.to_thread(self._rows)
        each = iter(rows)
        portion = tuple(islice(each, BATCH))
        first = True
        while True:
            following = tuple(islice(each, BATCH))
            yield Batch(portion, cursor, first, not following, ignored=ignored if first else 0)
            if not following:
                return
            portion, first = following, False

    def _rows(self) -> tuple[Sequence[Row], int]:
        if self._form == ITK:
            from careplans.sources.itk import read_notes  # its XML reader is loaded where one is posted only

            return read_notes(self._octets, self._organisation), 0
        try:
            text = self._octets.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = self._octets.count(b"\n", 0, error.start) + 1
            raise SourceUnreadable(f"line {line} is not text in UTF-8") from None
        if self._form == FHIR:
            bundle = read_bundle(text, self._organisation)
            return bundle.rows, bundle.ignored
        return list(read_ndjson(io.StringIO(text))), 0


def is_sender(settings: PushSettings, key: str) -> bool:
    """Whether ``key`` is one of this sender's; every one is compared, in the same time whatever it is."""
    given = hashlib.sha256(key.encode()).hexdigest()
    return sum(hmac.compare_digest(given, each) for each in settings.key_sha256) > 0


def answer(delivered: Delivered) -> Mapping[str, object]:
    """What the sender is told: counts, and line, field and reason of what was wrong; no value."""
    run = delivered.run
    counts = {name: getattr(run, name) for name in ("records", "imported", "updated", "unchanged", "withdrawn")}
    told = {"run": run.id, "state": run.state, **counts, "ignored_fields": run.ignored}
    return told | {
        "refused": [asdict(each) for each in delivered.refused],
        "odd": [asdict(each) for each in delivered.odd],
    }
