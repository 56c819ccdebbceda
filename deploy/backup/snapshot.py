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
from deploy.backup.archive import NotDone
from deploy.backup.catalogue import RELAY, VERSION, Connection, Table, quoted
from deploy.migrate import LOCK
from shared import clock

GIVES_WAY = 0.35
"""Seconds that the gate waits for a database's inbox, and for its other tables. Together below the second after which
PostgreSQL looks for deadlocks, so that none of those who wait is ever ended for the gate's sake."""
FORGOTTEN = 1.2
"""Seconds after which PostgreSQL opens a gate by itself, if whoever closed it does not go on."""
PATIENCE = 60.0
"""Seconds for which the moment is tried for."""
_PAUSE = 1.0
_FREE = 5.0
"""Seconds that the tables are waited for in ways that hold up nobody; an autovacuum gives way after one."""
_ANSWER = 10.0
"""Seconds in which a database has connected, and has closed, looked and opened."""
_LAST = ("idempotency", "outbox", RELAY)
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
_BUSY = (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""How a database fails."""


class _Busy(Exception):
    """A database could not be had now; the text is its service."""


@dataclass
class Side:
    """The transaction in one service's database."""

    service: str
    connection: Connection
    revision: str = ""
    tables: list[Table] = field(default_factory=list)
    assigned: int = 0
    sent: int = 0


@dataclass(frozen=True)
class Cut:
    """All databases at the same moment. `held_up`: seconds that nobody could commit, at most, also in vain."""

    sides: Sequence[Side]
    at: datetime
    held_up: float


@asynccontextmanager
async def connected(service: str, url: str) -> AsyncIterator[Connection]:
    """A connection without time-outs, in which text is written in one way everywhere.

    Raises:
        NotDone: there is none.
    """
    try:
        connection = await asyncpg.connect(url, timeout=_ANSWER, server_settings=_SETTINGS)
    except (*AWAY, ValueError) as error:
        raise NotDone(f"The database of {service}{_place(url)} is not reached: {reason(error)}.") from error
    try:
        yield connection
    finally:
        with suppress(*AWAY):
            await connection.close(timeout=_ANSWER)


def _place(url: str) -> str:
    try:
        where = urlsplit(url)
        return f" at {where.hostname}:{where.port or 5432}" if where.hostname else ""
    except ValueError:
        return ""


def reason(error: BaseException) -> str:
    """An error as a part of a sentence."""
    text = str(getattr(error, "orig", None) or error) or type(error).__name__
    return text.splitlines()[0].rpartition("'>: ")[2].rstrip(".")  # SQLAlchemy puts the driver's class before it


@asynccontextmanager
async def cut(urls: Mapping[str, str]) -> AsyncIterator[Cut]:
    """Transactions that see all databases at one moment, for as long as the block lasts. No migration begins meanwhile.

    Raises:
        NotDone: one is not reached, is not the service's, or has been in use for as long as patience lasts.
    """
    async with AsyncExitStack() as stack:
        sides = []
        for service, url in urls.items():
            connection = await stack.enter_async_context(connected(service, url))
            sides.append(Side(service, connection))
        yield await _had(sides)


async def own_revision(service: str, connection: Connection) -> str:
    """The revision of a service's schema.

    Raises:
        NotDone: there is none, or it is another service's.
    """
    found = await catalogue.revision(connection)
    if found is None:
        raise NotDone(f"The database of {service} has no schema yet: there is nothing in it.")
    if found.rpartition("_")[0] != service:
        raise NotDone(f"The database that {service} was given is at {found}: it is another's.")
    return found


async def _had(sides: Sequence[Side]) -> Cut:
    until, longest = monotonic() + PATIENCE, 0.0
    while True:
        begun = None
        try:
            await _all(sides, _begin)
            begun = monotonic()
            at = await _looked(sides)
            return Cut(sides, at, max(longest, monotonic() - begun))
        except _Busy as busy:
            await _all(sides, _give_up)
            longest = max(longest, monotonic() - begun if begun else 0.0)
            if monotonic() > until:
                message = f"{busy} was in use for {PATIENCE:g} s, by a migration, another backup or a long transaction."
                raise NotDone(f"{message} Try again later.") from busy
        await asyncio.sleep(clock.jitter(_PAUSE))


async def _looked(sides: Sequence[Side]) -> datetime:
    """Stop all writers, look, and let them go; the moment."""
    try:
        async with asyncio.timeout(_ANSWER):
            await _all(sides, _stop_writers)
            at = clock.now()
            await _all(sides, _look)
            await _all(sides, _let_writers_go)
            return at
    except TimeoutError as error:
        raise NotDone(f"A database has not answered for {_ANSWER:g} s.") from error


async def _all(sides: Sequence[Side], act: Callable[[Side], Awaitable[None]]) -> None:
    """Do something in all databases at once; a failure is told when all have come to an end."""
    outcomes = await asyncio.gather(*(act(side) for side in sides), return_exceptions=True)
    for side, outcome in zip(sides, outcomes, strict=True):
        if isinstance(outcome, (*_BUSY, _Busy)):
            raise _Busy(side.service) from outcome
        if isinstance(outcome, AWAY):
            raise NotDone(f"The database of {side.service} failed: {reason(outcome)}.") from outcome
        if isinstance(outcome, BaseException):
            raise outcome


async def _begin(side: Side) -> None:
    """Keep migrations away, and whoever else changes tables; nobody who reads or writes notices."""
    if not await side.connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
        raise _Busy
    side.revision = await own_revision(side.service, side.connection)
    side.tables = [one for one in await catalogue.tables(side.connection) if one.name != VERSION]
    await side.connection.execute(
        f"""
        BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
        SET LOCAL statement_timeout = '{_FREE:g}s';
        LOCK TABLE {_names(side)} IN ACCESS SHARE MODE;
        SAVEPOINT gate;
        LOCK TABLE {_names(side)} IN SHARE UPDATE EXCLUSIVE MODE;
        """
    )


async def _stop_writers(side: Side) -> None:
    """Wait for those who have written and keep out those who would, in the order in which all of them write.

    The inbox is closed to its worker as well, which reads it first and writes to it last.
    """
    await side.connection.execute(
        f"""
        SET LOCAL statement_timeout = '{GIVES_WAY:g}s';
        SET LOCAL idle_in_transaction_session_timeout = '{FORGOTTEN:g}s';
        LOCK TABLE inbox IN EXCLUSIVE MODE;
        LOCK TABLE {_names(side)} IN SHARE MODE;
        """
    )


async def _look(side: Side) -> None:
    """The first query, whose snapshot is that of the transaction."""
    side.assigned, side.sent = await side.connection.fetchrow(f"SELECT assigned, sent FROM {RELAY}")  # noqa: S608  a constant


async def _let_writers_go(side: Side) -> None:
    await side.connection.execute("ROLLBACK TO SAVEPOINT gate; SET LOCAL statement_timeout = 0")


async def _give_up(side: Side) -> None:
    await side.connection.execute("ROLLBACK; SELECT pg_advisory_unlock_all()")


def _names(side: Side) -> str:
    first = [one.name for one in side.tables if one.name not in _LAST]
    return ", ".join(quoted(name) for name in (*first, *_LAST))
