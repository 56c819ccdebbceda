"""A consistent snapshot of all databases: for milliseconds no transaction can commit in any of them.

A transaction in each database locks its tables against writers. When all tables of all databases are locked, no
writing transaction is in progress. Then each transaction takes its snapshot and releases the locks by a rollback to a
savepoint; the snapshot stays for the copy. docs/decisions/0008 explains why this is exact and what it costs.
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
from shared.background import retry_until

LOCK_TIMEOUT = 0.35
"""Seconds to wait for the lock of a database's inbox, and again for its other tables. The sum is below PostgreSQL's
deadlock_timeout of one second, so that no writer is cancelled because of a backup."""
MAX_HOLD = 1.2
"""Seconds after which PostgreSQL releases the locks of a backup that hangs."""
RETRY_TIMEOUT = 60.0
"""Seconds for which a snapshot is attempted."""
_RETRY_PAUSE = 1.0
_WEAK_LOCK_TIMEOUT = 5.0
"""Seconds to wait for locks that do not block writers; an autovacuum is cancelled after one."""
_CONNECT_TIMEOUT = 10.0
"""Seconds to connect to a database, and for the locked phase."""
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
"""Settings on which the text of COPY depends, without time-outs."""
_BUSY_ERRORS = (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
CONNECTION_ERRORS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""Errors of a failing database."""


class _Busy(Exception):
    """A lock was not available in time; the text is the service."""


@dataclass
class BackupSide:
    """The transaction in the database of a service."""

    service: str
    connection: Connection
    revision: str = ""
    tables: list[Table] = field(default_factory=list)
    assigned: int = 0
    sent: int = 0


@dataclass(frozen=True)
class Snapshot:
    """All databases at the same moment. `held_up`: the longest time without commits, in seconds, of any attempt."""

    sides: Sequence[BackupSide]
    at: datetime
    held_up: float


@asynccontextmanager
async def open_connection(service: str, url: str) -> AsyncIterator[Connection]:
    """A connection without time-outs, with settings that make COPY's text the same everywhere.

    Raises:
        BackupError: the database cannot be reached.
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
        address = urlsplit(url)
        return f" at {address.hostname}:{address.port or 5432}" if address.hostname else ""
    except ValueError:
        return ""


def describe_error(error: BaseException) -> str:
    """The error as part of a sentence."""
    text = str(getattr(error, "orig", None) or error) or type(error).__name__
    return text.splitlines()[0].rpartition("'>: ")[2].rstrip(".")  # SQLAlchemy puts the driver's class before it


@asynccontextmanager
async def snapshot(urls: Mapping[str, str]) -> AsyncIterator[Snapshot]:
    """Transactions that see all databases at one moment, until the block ends. No migration starts meanwhile.

    Raises:
        BackupError: a database cannot be reached, is another service's, or was in use for `RETRY_TIMEOUT`.
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
        BackupError: there is no schema, or it is another service's.
    """
    revision = await catalogue.revision(connection)
    if revision is None:
        raise BackupError(f"The database of {service} has no schema yet: there is nothing in it.")
    if revision.rpartition("_")[0] != service:
        raise BackupError(f"The database that {service} was given is at {revision}: it is another's.")
    return revision


async def _take_snapshot(sides: Sequence[BackupSide]) -> Snapshot:
    longest = 0.0

    async def attempt() -> datetime:
        nonlocal longest
        begun = None
        try:
            await _on_each(sides, _begin)
            begun = monotonic()
            return await _read_all(sides)
        except _Busy:
            await _on_each(sides, _roll_back)
            raise
        finally:
            longest = max(longest, monotonic() - begun if begun else 0.0)

    try:
        at = await retry_until(RETRY_TIMEOUT, attempt, _Busy, pause=_RETRY_PAUSE)
    except _Busy as busy:
        message = f"{busy} was in use for {RETRY_TIMEOUT:g} s, by a migration, another backup or a long transaction."
        raise BackupError(f"{message} Try again later.") from busy
    return Snapshot(sides, at, longest)


async def _read_all(sides: Sequence[BackupSide]) -> datetime:
    """Lock out writers, read every database, release the locks; return the moment."""
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT):
            await _on_each(sides, _stop_writers)
            at = clock.now()
            await _on_each(sides, _read_catalogue)
            await _on_each(sides, _release_writers)
            return at
    except TimeoutError as error:
        raise BackupError(f"A database has not responded for {_CONNECT_TIMEOUT:g} s.") from error


async def _on_each(sides: Sequence[BackupSide], act: Callable[[BackupSide], Awaitable[None]]) -> None:
    """Call `act` for all databases at once; after all have ended, raise the first failure."""
    outcomes = await asyncio.gather(*(act(side) for side in sides), return_exceptions=True)
    for side, outcome in zip(sides, outcomes, strict=True):
        if isinstance(outcome, (*_BUSY_ERRORS, _Busy)):
            raise _Busy(side.service) from outcome
        if isinstance(outcome, CONNECTION_ERRORS):
            raise BackupError(f"The database of {side.service} failed: {describe_error(outcome)}.") from outcome
        if isinstance(outcome, BaseException):
            raise outcome


async def _begin(side: BackupSide) -> None:
    """Lock out migrations and other changes of tables; readers and writers are not blocked."""
    if not await side.connection.fetchval("SELECT pg_try_advisory_lock($1)", MIGRATION_LOCK):
        raise _Busy
    side.revision = await own_revision(side.service, side.connection)
    side.tables = [table for table in await catalogue.tables(side.connection) if table.name != VERSION_TABLE]
    await side.connection.execute(
        f"""
        BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
        SET LOCAL statement_timeout = '{_WEAK_LOCK_TIMEOUT:g}s';
        LOCK TABLE {_names(side)} IN ACCESS SHARE MODE;
        SAVEPOINT gate;
        LOCK TABLE {_names(side)} IN SHARE UPDATE EXCLUSIVE MODE;
        """
    )


async def _stop_writers(side: BackupSide) -> None:
    """Wait for transactions that have written, and lock out new ones, in the order in which they lock tables.

    The lock of the inbox also excludes its worker, which reads it first and writes to it last.
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
    """Run the first query, which takes the snapshot of the transaction."""
    side.assigned, side.sent = await side.connection.fetchrow(f"SELECT assigned, sent FROM {RELAY_TABLE}")  # noqa: S608  a constant


async def _release_writers(side: BackupSide) -> None:
    await side.connection.execute("ROLLBACK TO SAVEPOINT gate; SET LOCAL statement_timeout = 0")


async def _roll_back(side: BackupSide) -> None:
    await side.connection.execute("ROLLBACK; SELECT pg_advisory_unlock_all()")


def _names(side: BackupSide) -> str:
    first = [table.name for table in side.tables if table.name not in _LOCKED_LAST]
    return ", ".join(quoted(name) for name in (*first, *_LOCKED_LAST))
