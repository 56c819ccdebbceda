"""PostgreSQL: the engine, the two session types and LISTEN. Only the opener of a write session commits it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
from sqlalchemy import CheckConstraint, MetaData, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from shared.dates import EARLIEST_DAY, EARLIEST_TIME, LATEST_DAY, LATEST_TIME
from shared.failpoints import failpoint

CONNECT_TIMEOUT = 5.0
COMMAND_TIMEOUT = 10.0
POOL_TIMEOUT = 5.0
TRANSACTION_TIMEOUT = 30.0
"""Seconds after which PostgreSQL ends a transaction. The outbox relay's bounded scan relies on it."""

_SERVER_SETTINGS = {
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "15s",
    "transaction_timeout": f"{TRANSACTION_TIMEOUT:.0f}s",
    "timezone": "UTC",
}

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def metadata() -> MetaData:
    """A new MetaData with Kei's constraint names. Each service has its own."""
    return MetaData(naming_convention=NAMING)


def date_limits(*columns: str) -> tuple[CheckConstraint, ...]:
    """Checks that days and times are within the limits of `shared.dates`. The column of a time ends with `at`."""
    limits = {True: (EARLIEST_TIME, LATEST_TIME), False: (EARLIEST_DAY, LATEST_DAY)}
    ranges = [(column, *limits[column.endswith("at")]) for column in columns]
    return tuple(
        CheckConstraint(f"\"{column}\" BETWEEN '{first}' AND '{last}'", f"{column}_limits")
        for column, first, last in ranges
    )


class WriteSession(AsyncSession):
    """A transaction for commands. Its opener commits it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._deferred: dict[DeferredWrite, list[Any]] = {}

    def defer(self, write: "DeferredWrite", row: object) -> None:
        """Collect a row; `write` gets all its rows in order before the savepoint or the transaction ends."""
        self._deferred.setdefault(write, []).append(row)

    async def flush_deferred(self) -> None:
        """Execute the deferred writes."""
        deferred, self._deferred = self._deferred, {}
        for write, rows in deferred.items():
            await write(self, rows)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A part that can be rolled back alone, with its deferred writes."""
        await self.flush_deferred()
        try:
            async with self.begin_nested():
                yield
                await self.flush_deferred()
        except BaseException:
            self._deferred = {}
            raise


DeferredWrite = Callable[[WriteSession, list[Any]], Coroutine[Any, Any, None]]
"""Writes many rows with one statement."""


class ReadSession(AsyncSession):
    """A session for queries; each statement is its own transaction (AUTOCOMMIT). Do not write with it."""


class Database:
    """The database of one service: a pool for both session types, and separate connections for LISTEN.

    Args:
        url: `postgresql://…`; a Unix socket goes into `?host=`.
        name: the application_name.
        pool_size: maximum number of pooled connections.
    """

    def __init__(self, url: str, *, name: str, pool_size: int = 10) -> None:
        self.name = name
        self._dsn = url
        self._settings = {**_SERVER_SETTINGS, "application_name": name}
        self._engine = create_async_engine(
            make_url(url).set(drivername="postgresql+asyncpg"),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT,
            connect_args={
                "timeout": CONNECT_TIMEOUT,
                "command_timeout": COMMAND_TIMEOUT,
                "server_settings": self._settings,
            },
        )
        event.listen(self._engine.sync_engine, "checkout", _refuse_closed)
        reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writers = async_sessionmaker(self._engine, class_=WriteSession, expire_on_commit=False)
        self._readers = async_sessionmaker(reading, class_=ReadSession, expire_on_commit=False)
        self.on_commit: list[Callable[[], None]] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[WriteSession]:
        """Open a write session; commit at the end of the block, roll back if it raises."""
        async with self._writers() as session:
            yield session
            await session.flush_deferred()
            failpoint("commit.before")
            await session.commit()
        failpoint("commit.after")
        if session.info.get(EVENTS_APPENDED):
            for wake in self.on_commit:
                wake()

    def reading(self) -> ReadSession:
        """A read session, to be used with `async with`."""
        return self._readers()

    async def connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection outside the pool, for session locks and LISTEN."""
        url = make_url(self._dsn)
        return await asyncpg.connect(
            url.render_as_string(hide_password=False),
            timeout=CONNECT_TIMEOUT,
            command_timeout=COMMAND_TIMEOUT,
            server_settings=self._settings,
        )

    async def close(self) -> None:
        """Close all pooled connections."""
        await self._engine.dispose()


def _refuse_closed(connection: Any, _: object, __: object) -> None:  # noqa: ANN401  SQLAlchemy's own types are private
    """Make the pool replace a connection that the server has closed, without a ping for every transaction."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


EVENTS_APPENDED = "events_appended"
"""Key in `session.info`: the transaction has appended events to the outbox."""


CONNECTION_ERRORS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""Errors of a separate connection when PostgreSQL is absent. The driver raises the last one if the server has just
ended the connection and the driver has not noticed yet."""


async def listen(database: Database, channel: str, on_notify: Callable[[], None], *, retry: float = 1.0) -> None:
    """Call `on_notify` after each (re)connection and for each NOTIFY on `channel`, until cancelled."""
    while True:
        with suppress(*CONNECTION_ERRORS):
            await _listen_once(database, channel, on_notify)
        await asyncio.sleep(retry)


async def _listen_once(database: Database, channel: str, on_notify: Callable[[], None]) -> None:
    terminated = asyncio.Event()
    connection = await database.connect()
    try:
        connection.add_termination_listener(lambda _: terminated.set())
        await connection.add_listener(channel, lambda *_: on_notify())
        on_notify()
        await terminated.wait()
    finally:
        await connection.close(timeout=1)
