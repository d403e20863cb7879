"""Reads and forgets the rows that Asterisk keeps of ended calls (`ended/<CALL_REF>` in AstDB), over AMI: ARI cannot.

The dialplan's hangup handler writes one row for each call, so that an end is known even if no worker lived to hear
of it. Both requests here may be sent twice: a connection that broke meanwhile is opened again, once for a request.

Errors:

    AmiError          the rows stay where they are: try again later
    ├── AmiRefused    Asterisk said no: wrong login, or a right that this user has not
    ├── AmiTimeout    no answer in time; it may still be carried out
    └── AmiLost       no connection, or it broke before the answer
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Literal, Self, TypeVar, cast, get_args

import structlog

# The whole of a request: connecting, signing in, and an answer of some ten thousand rows.
REQUEST_SECONDS = 5.0
FAMILY = "ended"
# Asterisk has one answer for a row that is not there and one that will not go: the next reading tells them apart.
NO_SUCH_ROW = "Database entry could not be deleted"
_CALL_REF = re.compile(r"[0-9a-f]{32}")

EndEvent = Literal["talk_ended", "call_ended"]
EndedBy = Literal["caller", "provider", "us"]
Via = Literal["worker", "fallback", "emergency"]
_EVENTS, _ENDERS, _VIAS = get_args(EndEvent), get_args(EndedBy), get_args(Via)

T = TypeVar("T")
log = structlog.get_logger()


class AmiError(Exception):
    """The rows could not be read or forgotten."""


class AmiRefused(AmiError):
    """Asterisk answered with an error: its own words are the message."""


class AmiTimeout(AmiError):
    """No answer in time."""


class AmiLost(AmiError):
    """There is no connection, or it broke."""


@dataclass(frozen=True, slots=True)
class EndedRow:
    """How a call ended, as the dialplan saw it. A text is empty where there was no such thing.

    `at` is UTC; `cause` is Q.850; `status` is the DIALSTATUS of the last dial, `target` and `context` whom it rang and
    with which context id; `stage` is where the caller was; `epoch` counts owners and `dials` dials; `seconds` of talk.
    """

    call_ref: str
    event: EndEvent
    at: datetime
    cause: int
    by: EndedBy
    status: str
    stage: str
    via: Via
    target: str
    context: str
    epoch: int
    dials: int
    seconds: int

    @classmethod
    def read(cls, call_ref: str, value: str) -> EndedRow:
        """From `name=value;…`. Raises ValueError, which names the field and shows no value."""
        fields = dict(each.partition("=")[::2] for each in value.split(";"))
        try:
            return cls(
                call_ref=call_ref,
                event=cast(EndEvent, _one_of(fields, "event", _EVENTS)),
                at=_field(fields, "at", datetime.fromisoformat),
                cause=_field(fields, "cause", int),
                by=cast(EndedBy, _one_of(fields, "by", _ENDERS)),
                status=fields["status"],
                stage=fields["stage"],
                via=cast(Via, _one_of(fields, "via", _VIAS)),
                target=fields["target"],
                context=fields["context"],
                epoch=_field(fields, "epoch", int),
                dials=_field(fields, "dials", int),
                seconds=_field(fields, "seconds", int),
            )
        except KeyError as missing:
            raise ValueError(f"no field {missing}") from None


class Ami:
    """One connection to the manager of one Asterisk, opened when it is first needed.

        async with Ami("127.0.0.1", 5038, "user", "password") as ami:
            for row in await ami.ended_rows():
                ...
                await ami.forget(row.call_ref)

    One request at a time; others wait for their turn, each within its own time.
    """

    def __init__(
        self, host: str, port: int, user: str, password: str, *, request_seconds: float = REQUEST_SECONDS
    ) -> None:
        self._host = host
        self._port = port
        self._login = {"Action": "Login", "Username": user, "Secret": password, "Events": "off"}
        self._request_seconds = request_seconds
        self._numbers = itertools.count(1)
        self._turn = asyncio.Lock()
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._disconnect()

    async def ended_rows(self) -> list[EndedRow]:
        """All rows, in the order of their references. Raises AmiError.

        A row that cannot be read stays in AstDB and is logged: it must not keep the others from the journal.
        """
        rows = []
        for message in await self._ask({"Action": "DBGetTree", "Family": FAMILY}, end="DBGetTreeComplete"):
            if message.get("Event") != "DBGetTreeResponse":
                continue
            call_ref = message.get("Key", "").rpartition("/")[2]
            try:
                rows.append(EndedRow.read(call_ref, message.get("Val", "")))
            except ValueError as error:
                log.warning("ended_row_unreadable", call_ref=call_ref, error=str(error))
        return rows

    async def forget(self, call_ref: str) -> None:
        """Delete the row; harmless when another one did. Raises AmiError, and ValueError for what is no reference."""
        if not _CALL_REF.fullmatch(call_ref):
            raise ValueError("a call reference has 32 hex digits")
        try:
            await self._ask({"Action": "DBDel", "Family": FAMILY, "Key": call_ref})
        except AmiRefused as refused:
            if str(refused) != NO_SUCH_ROW:
                raise

    async def _ask(self, action: Mapping[str, str], end: str = "") -> list[dict[str, str]]:
        try:
            async with asyncio.timeout(self._request_seconds), self._turn:
                if self._connection is not None:
                    try:
                        return await self._exchange(action, end)
                    except AmiLost:
                        pass  # it broke since the last request: Asterisk was started again, perhaps
                await self._connect()
                return await self._exchange(action, end)
        except TimeoutError:
            raise AmiTimeout(f"{action['Action']}: no answer within {self._request_seconds:g} s") from None

    async def _connect(self) -> None:
        self._disconnect()
        signed_in = False
        try:
            self._connection = await asyncio.open_connection(self._host, self._port)
            await self._connection[0].readline()  # its greeting
            await self._exchange(self._login, "")
            signed_in = True
        except OSError as error:
            raise AmiLost(f"not connected: {type(error).__name__}") from None
        finally:
            if not signed_in:
                self._disconnect()

    async def _exchange(self, action: Mapping[str, str], end: str) -> list[dict[str, str]]:
        """Send and read up to the answer, or up to the event `end`. Whatever breaks, the connection goes with it."""
        if self._connection is None:
            raise AmiLost("not connected")
        reader, writer = self._connection
        number = str(next(self._numbers))
        answers: list[dict[str, str]] = []
        whole = False
        try:
            lines = "".join(f"{name}: {value}\r\n" for name, value in {**action, "ActionID": number}.items())
            writer.write(f"{lines}\r\n".encode())
            while not whole:
                message = _read(await reader.readuntil(b"\r\n\r\n"))
                if message.get("ActionID") != number:
                    continue
                answers.append(message)
                refused = message.get("Response") == "Error"
                whole = refused or not end or message.get("Event") == end
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            raise AmiLost(f"{action['Action']}: {type(error).__name__}") from None
        finally:
            if not whole:
                self._disconnect()
        if refused:
            raise AmiRefused(answers[-1].get("Message", "refused"))
        return answers

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection[1].close()


def _read(text: bytes) -> dict[str, str]:
    lines = (line.partition(": ") for line in text.decode(errors="replace").split("\r\n"))
    return {name: value for name, _, value in lines if name}


def _field(fields: Mapping[str, str], name: str, read: Callable[[str], T]) -> T:
    try:
        return read(fields[name])
    except ValueError:
        raise ValueError(f"{name} is not of its form") from None  # Python's own message would show the value


def _one_of(fields: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    if fields[name] not in known:
        raise ValueError(f"{name} is none of {', '.join(known)}")
    return fields[name]
