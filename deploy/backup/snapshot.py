"""One moment of all databases: for milliseconds nobody can commit in any of them, and each is looked at meanwhile.

A transaction in each database locks its tables against whoever writes. Once it has all of them everywhere, no
transaction that has written anything is under way: what was committed is visible, what was not waits. Then each
takes its snapshot, and lets the tables go by returning to a savepoint; the snapshot stays, and is copied at leisure.
docs/decisions/0008 says why this is exact and what it costs.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from urllib.parse import urlsplit

import asyncpg

from deploy.backup import catalogue
from deploy.backup.archive import BackupError
from deploy.backup.catalogue import RELAY_TABLE, VERSION_TABLE, Connection, Table, quoted
from deploy.migrate import MIGRATION_LOCK
from shared import clock

LOCK_TIMEOUT = 0.35
"""Seconds that the gate waits for a database's inbox, and for its other tables. Together below the second after which
PostgreSQL looks for deadlocks, so that none of those who wait is ever ended for the gate's sake."""
MAX_HOLD = 1.2
"""Seconds after which PostgreSQL opens a gate by itself, if whoever closed it does not go on."""
RETRY_TIMEOUT = 60.0
"""Seconds for which the moment is tried for."""
_RETRY_PAUSE = 1.0
_FREE = 5.0
"""Seconds that the tables are waited for in ways that hold up nobody; an autovacuum gives way after one."""
_CONNECT_TIMEOUT = 10.0
"""Seconds in which a database has connected, and has closed, looked and opened."""
_LOCKED_LAST = ("idempotency", "outbox", RELAY_TABLE)
_SETTINGS = {
    "application_name": "kei backup or restore",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
}
"""All that COPY's text depends on, and time for it."""
_BUSY_ERRORS = (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
CONNECTION_ERRORS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""How a database fails."""


class _Busy(Exception):
    """A database could not be had now; the text is its service."""


@dataclass
class BackupSide:
    """The transaction in one service's database."""

    service: str
    connection: Connection
    revision: str = ""
    tables: list[Table] = field(default_factory=list)
    assigned: int = 0
    sent: int = 0


@dataclass(frozen=True)
class Snapshot:
    """All databases at the same moment. `held_up`: seconds that nobody could commit, at most, also in vain."""

    sides: Sequence[BackupSide]
    at: datetime
    held_up: float


@asynccontextmanager
async def open_connection(service: str, url: str) -> AsyncIterator[Connection]:
    """A connection without time-outs, in which text is written in one way everywhere.

    Raises:
        NotDone: there is none.
    """
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_TIMEOUT, server_settings=_SETTINGS)
    except (*CONNECTION_ERRORS, ValueError) as error:
        raise BackupError(
            f"The database of {service}{_host_and_port(url)} is not reached: {describe_error(error)}."
        ) from error
    try:
        yield connection
    finally:
        with suppress(*CONNECTION_ERRORS):
            await connection.close(timeout=_CONNECT_TIMEOUT)


def _host_and_port(url: str) -> str:
    try:
        where = urlsplit(url)
        return f" at {where.hostname}:{where.port or 5432}" if where.hostname else ""
    except ValueError:
        return ""


def describe_error(error: BaseException) -> str:
    """An error as a part of a sentence."""
    text = str(getattr(error, "orig", None) or error) or type(error).__name__
    return text.splitlines()[0].rpartition("'>: ")[2].rstrip(".")  # SQLAlchemy puts the driver's class before it


@asynccontextmanager
async def snapshot(urls: Mapping[str, str]) -> AsyncIterator[Snapshot]:
    """Transactions that see all databases at one moment, for as long as the block lasts. No migration begins meanwhile.

    Raises:
        NotDone: one is not reached, is not the service's, or has been in use for as long as patience lasts.
    """
    async with AsyncExitStack() as stack:
        sides = []
        for service, url in urls.items():
            connection = await stack.enter_async_context(open_connection(service, url))
            sides.append(BackupSide(service, connection))
        yield await _take_snapshot(sides)


async def own_revision(service: str, connection: Connection) -> str:
    """The revision of a service's schema.

    Raises:
        NotDone: there is none, or it is another service's.
    """
    found = await catalogue.revision(connection)
    if found is None:
        raise BackupError(f"The database of {service} has no schema yet: there is nothing in it.")
    if found.rpartition("_")[0] != service:
        raise BackupError(f"The database that {service} was given is at {found}: it is another's.")
    return found


async def _take_snapshot(sides: Sequence[BackupSide]) -> Snapshot:
    until, longest = monotonic() + RETRY_TIMEOUT, 0.0
    while True:
        begun = None
        try:
            await _on_each(sides, _begin)
            begun = monotonic()
            at = await _read_all(sides)
            return Snapshot(sides, at, max(longest, monotonic() - begun))
        except _Busy as busy:
            await _on_each(sides, _roll_back)
            longest = max(longest, monotonic() - begun if begun else 0.0)
            if monotonic() > until:
                message = (
                    f"{busy} was in use for {RETRY_TIMEOUT:g} s, by a migration, another backup or a long transaction."
                )
                raise BackupError(f"{message} Try again later.") from busy
        await asyncio.sleep(clock.jitter(_RETRY_PAUSE))


async def _read_all(sides: Sequence[BackupSide]) -> datetime:
    """Stop all writers, look, and let them go; the moment."""
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT):
            await _on_each(sides, _stop_writers)
            at = clock.now()
            await _on_each(sides, _read_catalogue)
            await _on_each(sides, _release_writers)
            return at
    except TimeoutError as error:
        raise BackupError(f"A database has not answered for {_CONNECT_TIMEOUT:g} s.") from error


async def _on_each(sides: Sequence[BackupSide], act: Callable[[BackupSide], Awaitable[None]]) -> None:
    """Do something in all databases at once; a failure is told when all have come to an end."""
    outcomes = await asyncio.gather(*(act(side) for side in sides), return_exceptions=True)
    for side, outcome in zip(sides, outcomes, strict=True):
        if isinstance(outcome, (*_BUSY_ERRORS, _Busy)):
            raise _Busy(side.service) from outcome
        if isinstance(outcome, CONNECTION_ERRORS):
            raise BackupError(f"The database of {side.service} failed: {describe_error(outcome)}.") from outcome
        if isinstance(outcome, BaseException):
            raise outcome


async def _begin(side: BackupSide) -> None:
    """Keep migrations away, and whoever else changes tables; nobody who reads or writes notices."""
    if not await side.connection.fetchval("SELECT pg_try_advisory_lock($1)", MIGRATION_LOCK):
        raise _Busy
    side.revision = await own_revision(side.service, side.connection)
    side.tables = [one for one in await catalogue.tables(side.connection) if one.name != VERSION_TABLE]
    await side.connection.execute(
        f"""
        BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
        SET LOCAL statement_timeout = '{_FREE:g}s';
        LOCK TABLE {_names(side)} IN ACCESS SHARE MODE;
        SAVEPOINT gate;
        LOCK TABLE {_names(side)} IN SHARE UPDATE EXCLUSIVE MODE;
        """
    )


async def _stop_writers(side: BackupSide) -> None:
    """Wait for those who have written and keep out those who would, in the order in which all of them write.

    The inbox is closed to its worker as well, which reads it first and writes to it last.
    """
    await side.connection.execute(
        f"""
        SET LOCAL statement_timeout = '{LOCK_TIMEOUT:g}s';
        SET LOCAL idle_in_transaction_session_timeout = '{MAX_HOLD:g}s';
        LOCK TABLE inbox IN EXCLUSIVE MODE;
        LOCK TABLE {_names(side)} IN SHARE MODE;
        """
    )


async def _read_catalogue(side: BackupSide) -> None:
    """The first query, whose snapshot is that of the transaction."""
    side.assigned, side.sent = await side.connection.fetchrow(f"SELECT assigned, sent FROM {RELAY_TABLE}")  # noqa: S608  a constant


async def _release_writers(side: BackupSide) -> None:
    await side.connection.execute("ROLLBACK TO SAVEPOINT gate; SET LOCAL statement_timeout = 0")


async def _roll_back(side: BackupSide) -> None:
    await side.connection.execute("ROLLBACK; SELECT pg_advisory_unlock_all()")


def _names(side: BackupSide) -> str:
    first = [one.name for one in side.tables if one.name not in _LOCKED_LAST]
    return ", ".join(quoted(name) for name in (*first, *_LOCKED_LAST))
