"""What a database refuses, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from callrouter.errors import DatabaseRefuses, DatabaseSilent

_NOT_THERE = "is it running, and are host and port of CALLROUTER_DATABASE_URL right?"
_SIGN_IN = "check user and password of CALLROUTER_DATABASE_URL"
_UPGRADE = "its tables are not those of this version: run `callrouter db upgrade`"
_OTHERWISE = "check CALLROUTER_DATABASE_URL, then the database's own log"

_SQLITE_TABLES = ("no such table", "no such column", "has no column named")
"""In SQLite's words: it has one general error for these and whatever else."""

_AWAY = {
    "ConnectionRefusedError": _NOT_THERE,
    "TimeoutError": _NOT_THERE,
    "OSError": _NOT_THERE,
    "gaierror": "its host is not known: check CALLROUTER_DATABASE_URL, then the name service",
    "CannotConnectNowError": "it is starting or stopping: try again in a moment",
    "ConnectionResetError": "it broke the connection: try again in a moment",
    "ConnectionDoesNotExistError": "it broke the connection: try again in a moment",
    "TooManyConnectionsError": "it takes no more connections: raise max_connections, or stop what is not needed",
}
"""By the name of the driver's error: it may come back without anybody's doing."""

_REFUSES = {
    "InvalidPasswordError": _SIGN_IN,
    "InvalidAuthorizationSpecificationError": _SIGN_IN,
    "InvalidCatalogNameError": "there is no such database on that server: make it with `createdb`",
    "InsufficientPrivilegeError": "the user may not do this: let the user own the database and its schema",
    "ReadOnlySQLTransactionError": "it only reads: this is a standby, or default_transaction_read_only is on",
    "LockNotAvailableError": "somebody else holds a lock on it: try again when fewer use it",
    "DiskFullError": "its disk is full: make room, then try again",
    "DatabaseError": "the file is no database: put a copy of it back, or name another in CALLROUTER_DATABASE_URL",
    **dict.fromkeys(_SQLITE_TABLES, _UPGRADE),
    "UndefinedTableError": _UPGRADE,
    "UndefinedColumnError": _UPGRADE,
    "SQLITE_BUSY": "somebody else holds a lock on it: try again when fewer use it",
    "OperationalError": "the file cannot be read or written: check the folder's rights and its room",
}
"""Somebody has to do something."""


@contextmanager
def in_words() -> Iterator[None]:
    """Raise :class:`DatabaseSilent` or :class:`DatabaseRefuses` for whatever a database raises."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = _cause(error)  # its name, never its text: an address may hold a password
        if cause in _AWAY:
            raise DatabaseSilent(f"the database does not answer ({cause}): {_AWAY[cause]}") from error
        raise DatabaseRefuses(f"the database refuses ({cause}): {_REFUSES.get(cause, _OTHERWISE)}") from error


def _cause(error: BaseException) -> str:
    """The name of the driver's own error, which says more than what it is wrapped in."""
    while error.__cause__ is not None:
        error = error.__cause__
    code = str(getattr(error, "sqlite_errorname", ""))  # SQLite has one name for a lock, a full disk and no such table
    if code == "SQLITE_ERROR":
        return next((known for known in _SQLITE_TABLES if known in str(error)), code)
    return code if code in _REFUSES else type(error).__name__
