"""A FHIR R4 server that is asked for what changed: pages, ETags, patience when it is busy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
import structlog

from careplans.model import RowFault
from careplans.rows import Row
from careplans.sources.errors import SourceError, SourceRefused, SourceUnreachable, SourceUnreadable
from careplans.sources.fhir import read_bundle
from careplans.sources.fhir_questions import Question, begun_with, going_on, later, questions
from careplans.sources.fhir_recheck import Recheck
from careplans.sources.fhir_values import listed, mapping, text
from careplans.sources.model import Batch
from infra.tls import trusted

log = structlog.get_logger()

ANSWER_S = 30.0
"""For a page of 100 resources with their patients, from a server that is slow."""
TRIES = 4
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
"""A server that asks for more patience than this gets it: the run ends, and the next one goes on from here."""
MOST_PAGES = 10_000
LARGEST_PAGE = 32 * 1024 * 1024
_GONE = frozenset({httpx.codes.NOT_FOUND, httpx.codes.GONE})
_BUSY = frozenset(range(500, 600)) - {httpx.codes.NOT_IMPLEMENTED} | {httpx.codes.TOO_MANY_REQUESTS}


@dataclass(slots=True)
class _Cursor:
    """By question: from which time changes are asked for, the ETag of the last answer; which page is next.

    ``unasked``: the questions of which it was told that the server refuses them.
    """

    since: dict[str, str] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    reading: str = ""
    page: str = ""
    newest: str = ""
    etag: str = ""
    line: int = 1
    rechecked: str = ""
    checking: str = ""
    unasked: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, cursor: str) -> _Cursor:
        return cls(**json.loads(cursor)) if cursor else cls()

    def leave(self) -> None:
        """The question in hand is done with."""
        self.reading, self.page, self.newest, self.etag = "", "", "", ""

    def written(self) -> str:
        return json.dumps(asdict(self))


class FhirSource:
    """The changes of some resource types on one server, and now and then what it has deleted without a word.

    ``token`` gives the bearer token, or None. ``by_patient``: plans are asked for whose patient alone has changed, too
    (a chained search). ``history``: it is asked for what it deleted. A server may refuse either: that is told once, as
    an ``unasked`` batch, and everything else is asked all the same.
    """

    def __init__(
        self,
        url: str,
        resources: Sequence[str],
        organisation: str,
        token: Callable[[], str | None],
        *,
        recheck: Recheck | None = None,
        by_patient: bool = True,
        history: bool = False,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._url = url.rstrip("/")
        self._resources = resources
        self._questions = questions(resources, by_patient=by_patient, history=history)
        self._organisation = organisation
        self._token = token
        self._recheck = recheck
        self._tls = trusted()
        self._sleep = sleep

    async def read(self, cursor: str) -> AsyncIterator[Batch]:
        """See :class:`careplans.sources.model.PlanSource`. One delivery for each type of resource that changed."""
        at = _Cursor.parse(cursor)
        async with httpx.AsyncClient(timeout=ANSWER_S, headers=self._headers(), verify=self._tls) as client:
            known, failed = set(at.since), list[SourceError]()
            for question in going_on(self._questions, at.reading):
                if question.base and question.base not in known and question.key != at.reading:
                    continue  # all that there is was read a moment ago, in this very run
                ask = (
                    self._follow(client, question, at, failed) if question.base else self._changes(client, question, at)
                )
                async for batch in ask:
                    yield batch
            if self._recheck is not None and self._recheck.is_due(at):
                async for batch in self._recheck.batches(_Asked(self, client), self._resources, at):
                    yield batch
        if failed:
            raise failed[0]

    async def still_found(self, client: httpx.AsyncClient, resource: str, ids: Sequence[str]) -> frozenset[str]:
        """Those of these ids that a search finds."""
        query = {"_id": ",".join(ids), "_elements": "id", "_count": str(len(ids))}
        response = await self._page(client, str(httpx.URL(f"{self._url}/{resource}", params=query)), None)
        return await asyncio.to_thread(_ids, _body(response), resource)

    async def is_gone(self, client: httpx.AsyncClient, resource: str, its_id: str) -> bool:
        """Whether the server says of this very resource that it is not there, or not any more."""
        response = await self._page(client, f"{self._url}/{resource}/{its_id}", None, answers=_GONE)
        return response.status_code in _GONE

    async def _follow(
        self, client: httpx.AsyncClient, asked: Question, at: _Cursor, failed: list[SourceError]
    ) -> AsyncIterator[Batch]:
        """As :meth:`_changes`, of a question that follows another: its failure keeps nothing back that is behind it.

        A refusal is told, the first time; any other error is put to ``failed``, to be raised at the end.
        """
        try:
            async for batch in self._changes(client, asked, at):
                yield batch
            return
        except SourceRefused as error:
            refused = str(error)
        except SourceError as error:
            failed.append(error)
            refused = ""
        at.leave()
        if refused and asked.key not in at.unasked:
            at.unasked = [*at.unasked, asked.key]
            fault = RowFault(0, asked.key, f"{asked.in_vain} ({refused})")
            yield Batch((), at.written(), True, True, unasked=fault)

    async def _changes(self, client: httpx.AsyncClient, asked: Question, at: _Cursor) -> AsyncIterator[Batch]:
        going_on = at.reading == asked.key
        if not going_on:
            self._begin(asked, at)
        for _ in range(MOST_PAGES):
            try:
                response = await self._page(client, at.page, None if going_on else at.etags.get(asked.key))
            except SourceRefused:
                if at.page == self._first(asked, at):
                    raise
                going_on = False  # servers forget their pages after a while: from the start of these changes again
                self._begin(asked, at)
                continue
            if response.status_code == httpx.codes.NOT_MODIFIED:
                at.reading = ""
                if answered := self._answered(asked, at):
                    yield Batch((), at.written(), True, True, answered=answered)
                return
            if not going_on:
                at.etag = response.headers.get("etag", "")
            page = await asyncio.to_thread(read_bundle, _body(response), self._organisation, at.line)
            rows = [each for each in page.rows if _is_gone(each)] if asked.is_history else page.rows
            at.newest = later(at.newest, await asyncio.to_thread(asked.newest, _body(response)))
            at.line += page.entries
            last, answered = page.next_url is None, ""
            if last:
                self._finish(asked, at)
                answered = self._answered(asked, at)
            else:
                at.page = self._within(str(page.next_url), at.page)
            if rows or going_on or not last or answered:
                ignored = 0 if asked.is_history else page.ignored
                yield Batch(tuple(rows), at.written(), not going_on, last, ignored=ignored, answered=answered)
            if last:
                return
            going_on = True
        raise SourceUnreadable("more pages than any server should have")

    def _begin(self, asked: Question, at: _Cursor) -> None:
        at.reading, at.page, at.newest, at.line = asked.key, self._first(asked, at), "", 1

    def _first(self, asked: Question, at: _Cursor) -> str:
        path, query = asked.address(at.since.get(asked.key))
        return str(httpx.URL(f"{self._url}/{path}", params=query))

    def _finish(self, asked: Question, at: _Cursor) -> None:
        if at.newest and asked.key not in at.since:
            at.since |= begun_with(asked.key, self._questions, at.newest)
        if asked.base and not at.newest:
            at.since.setdefault(asked.key, at.since[asked.base])  # the server tells no times of its patients
        if at.newest and at.newest != at.since.get(asked.key):
            at.since[asked.key] = at.newest
            at.etags.pop(asked.key, None)  # of another question
        elif at.etag:
            at.etags[asked.key] = at.etag
        at.leave()

    def _answered(self, asked: Question, at: _Cursor) -> str:
        """The question, if it was told of it that it cannot be asked; it is not any more."""
        if asked.key not in at.unasked:
            return ""
        at.unasked = [each for each in at.unasked if each != asked.key]
        return asked.key

    def _within(self, url: str, page: str) -> str:
        """The next page, which must be on the same server: the token goes to nobody else."""
        joined = httpx.URL(page).join(url)
        if urlsplit(str(joined))[:2] != urlsplit(self._url)[:2]:
            raise SourceRefused("the next page is on another server")
        return str(joined)

    def _headers(self) -> dict[str, str]:
        try:
            token = self._token()
        except (OSError, KeyError):
            raise SourceRefused("the token for the server cannot be read") from None
        return {"Accept": "application/fhir+json"} | ({"Authorization": f"Bearer {token}"} if token else {})

    async def _page(
        self, client: httpx.AsyncClient, url: str, etag: str | None, *, answers: Collection[int] = ()
    ) -> httpx.Response:
        """``answers``: statuses that are an answer here, and no refusal."""
        pause_s = FIRST_PAUSE_S
        for left in range(TRIES - 1, -1, -1):
            response, asked_s = await self._ask(client, url, etag, answers)
            if response is not None:
                return response
            wait_s = max(pause_s, asked_s)
            if left == 0 or wait_s > LONGEST_PAUSE_S:
                break
            await self._sleep(wait_s)
            pause_s *= 2
        raise SourceUnreachable("the server did not answer, or asked for patience; the next run goes on from here")

    async def _ask(
        self, client: httpx.AsyncClient, url: str, etag: str | None, answers: Collection[int]
    ) -> tuple[httpx.Response | None, float]:
        """The answer; or None and for how many seconds the server asked to wait."""
        try:
            response = await client.get(url, headers={"If-None-Match": etag} if etag else {})
        except httpx.HTTPError as error:
            log.info("plan_server_silent", error=type(error).__name__)
            return None, 0.0
        status = response.status_code
        if status in (httpx.codes.OK, httpx.codes.NOT_MODIFIED, *answers):
            if len(response.content) > LARGEST_PAGE:
                raise SourceUnreadable("a page is larger than any should be")
            return response, 0.0
        if status in _BUSY:
            return None, _retry_after_s(response)
        raise SourceRefused(f"the server refuses: {status}{_outcome(response)}")


class _Asked:
    """:class:`careplans.sources.fhir_recheck.Server`, over one client."""

    def __init__(self, source: FhirSource, client: httpx.AsyncClient) -> None:
        self._source = source
        self._client = client

    async def still_found(self, resource: str, ids: Sequence[str]) -> frozenset[str]:
        return await self._source.still_found(self._client, resource, ids)

    async def is_gone(self, resource: str, its_id: str) -> bool:
        return await self._source.is_gone(self._client, resource, its_id)


def _is_gone(row: Row) -> bool:
    return row.fault is None and row.values.get("withdrawn") == "yes"


def _body(response: httpx.Response) -> str:
    """Its text. Some servers put a byte order mark before it, which may be passed over (RFC 8259, 8.1)."""
    return response.text.removeprefix("\ufeff")


def _ids(body: str, resource: str) -> frozenset[str]:
    try:
        found = [mapping(mapping(entry).get("resource")) for entry in listed(mapping(json.loads(body)).get("entry"))]
    except (ValueError, RecursionError):
        raise SourceUnreadable("not JSON that can be read") from None
    return frozenset(text(each.get("id")) for each in found if each.get("resourceType") == resource)


def _retry_after_s(response: httpx.Response) -> float:
    """Seconds, or the time until a date by the server's own clock (RFC 9110, 10.2.3)."""
    asked = response.headers.get("retry-after", "")
    if asked.isdecimal():
        return float(asked)
    try:
        then, now = (parsedate_to_datetime(each) for each in (asked, response.headers.get("date", "")))
        return max((then - now).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return 0.0


def _outcome(response: httpx.Response) -> str:
    """The codes of an OperationOutcome. Its texts are not repeated: they may name a patient."""
    try:
        issues = response.json()["issue"]
        codes = sorted({str(each["code"]) for each in issues} & _ISSUE_CODES)
    except (ValueError, LookupError, TypeError):
        return ""
    return f" ({', '.join(codes)})" if codes else ""


_ISSUE_CODES = {
    "invalid", "structure", "required", "value", "security", "login", "unknown", "expired", "forbidden", "suppressed",
    "processing", "not-supported", "not-found", "too-long", "code-invalid", "business-rule", "exception", "throttled",
}  # fmt: skip
