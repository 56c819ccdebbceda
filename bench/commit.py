"""A1: what it costs to change a row and put an event, on eight connections. A1n: what the wake-up after it costs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import DateTime, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import Text

from bench.harness import Bench, Goal, Metrics, running, watch
from bench.servers import Stage
from bench.world import INSERT_OUTBOX, OUTBOX_COLUMNS, TOPIC, Connection, Place, as_row, fact, keys, place, stored
from shared import outbox
from shared.outbox import Waker

CONNECTIONS = 8
COUNT = 800
STATE = "CREATE TABLE state (id uuid PRIMARY KEY, n integer NOT NULL, version bigint NOT NULL)"
_CHANGE = text("UPDATE state SET n = n + 1, version = version + 1 WHERE id = :id RETURNING version")
_CHANGE_RAW = "UPDATE state SET n = n + 1, version = version + 1 WHERE id = $1 RETURNING version"
_BOTH = text(
    "WITH changed AS (UPDATE state SET n = n + 1, version = version + 1 WHERE id = :key RETURNING version)"  # noqa: S608  as below
    f" INSERT INTO outbox ({', '.join(OUTBOX_COLUMNS)})"
    " SELECT :id, :topic, :type, :source, :key, changed.version, :time, :traceparent, :data FROM changed"
)
INSERT = text(
    f"INSERT INTO outbox ({', '.join(OUTBOX_COLUMNS)})"  # noqa: S608  only constants are put in
    f" VALUES ({', '.join(f':{name}' for name in OUTBOX_COLUMNS)})"
)


class _Base(DeclarativeBase):
    type_annotation_map = {str: Text, datetime: DateTime(timezone=True)}  # noqa: RUF012  SQLAlchemy's own convention


class State(_Base):
    """An aggregate as an object, as it is usually done."""

    __tablename__ = "state"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    n: Mapped[int]
    version: Mapped[int]


class OutboxRow(_Base):
    """An event as an object, likewise."""

    __tablename__ = "outbox"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    topic: Mapped[str]
    type: Mapped[str]
    source: Mapped[str]
    key: Mapped[UUID]
    version: Mapped[int]
    time: Mapped[datetime]
    traceparent: Mapped[str | None]
    data: Mapped[bytes]


def orm_row(key: UUID, number: int, version: int) -> OutboxRow:
    """An event to be added to a session."""
    return OutboxRow(**dict(zip(OUTBOX_COLUMNS, as_row(stored(fact(key, number), version)), strict=True)))


def plain_engine(url: str, size: int) -> AsyncEngine:
    """SQLAlchemy's engine with nothing but a size."""
    return create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), pool_size=size, max_overflow=0)


class Commits:
    """The ways to change state and outbox in one transaction."""

    def __init__(self, here: Place, engine: AsyncEngine, connections: list[Connection]) -> None:
        self._here, self._engine, self._connections = here, engine, connections
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._aggregates = keys(1000)

    async def fill(self) -> None:
        """Give every aggregate its row."""
        rows = [(key, 0, 0) for key in self._aggregates]
        await self._here.raw.copy_records_to_table("state", records=rows, columns=("id", "n", "version"))

    async def kei(self, count: int = COUNT) -> Metrics:
        """A command's way: `Database.transaction`, a text statement, `outbox.put`."""

        async def commit(_: int, key: UUID) -> None:
            async with self._here.database.transaction() as tx:
                version = (await tx.execute(_CHANGE, {"id": key})).scalar_one()
                outbox.append(tx, fact(key, version), version=version)

        return await self._eight(commit, count)

    async def raw(self, count: int = COUNT) -> Metrics:
        """The driver alone, the same statements, the event serialised all the same."""

        async def commit(worker: int, key: UUID) -> None:
            connection = self._connections[worker]
            async with connection.transaction():
                version = await connection.fetchval(_CHANGE_RAW, key)
                await connection.execute(INSERT_OUTBOX, *as_row(stored(fact(key, version), version)))

        return await self._eight(commit, count)

    async def orm(self, count: int = COUNT) -> Metrics:
        """The usual way: get, change, add, commit."""

        async def commit(_: int, key: UUID) -> None:
            async with self._sessions() as session:
                state = await session.get_one(State, key)
                state.n += 1
                state.version += 1
                session.add(orm_row(key, state.n, state.version))
                await session.commit()

        return await self._eight(commit, count)

    async def plain(self, count: int = COUNT) -> Metrics:
        """SQLAlchemy's connection, the same two statements as text, a pool that does not ask whether it lives."""

        async def commit(_: int, key: UUID) -> None:
            async with self._engine.connect() as connection:
                version = (await connection.execute(_CHANGE, {"id": key})).scalar_one()
                await connection.execute(INSERT, _named(key, version))
                await connection.commit()

        return await self._eight(commit, count)

    async def one_statement(self, count: int = COUNT) -> Metrics:
        """SQLAlchemy's connection in AUTOCOMMIT, state and event in one statement."""
        engine = self._engine.execution_options(isolation_level="AUTOCOMMIT")

        async def commit(_: int, key: UUID) -> None:
            connection: AsyncConnection
            async with engine.connect() as connection:
                await connection.execute(_BOTH, _named(key, 1))

        return await self._eight(commit, count)

    async def _eight(self, commit: Callable[[int, UUID], Awaitable[None]], count: int) -> Metrics:
        share = len(self._aggregates) // CONNECTIONS

        async def work(worker: int) -> None:
            mine = self._aggregates[worker * share : (worker + 1) * share]
            for n in range(count // CONNECTIONS):
                await commit(worker, mine[n % share])

        await self._here.settle()
        with watch() as clock:
            await asyncio.gather(*(work(worker) for worker in range(CONNECTIONS)))
        return clock.per(count)


def _named(key: UUID, version: int) -> dict[str, object]:
    return dict(zip(OUTBOX_COLUMNS, as_row(stored(fact(key, version), version), TOPIC), strict=True))


@asynccontextmanager
async def commits(stage: Stage) -> AsyncIterator[tuple[Place, Commits]]:
    """A database with 1,000 aggregates, and the ways to change them."""
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(place(stage, STATE, pool_size=CONNECTIONS))
        engine = plain_engine(here.url, CONNECTIONS)
        stack.push_async_callback(engine.dispose)
        connections = []
        for _ in range(CONNECTIONS):
            connections.append(await asyncpg.connect(here.url))
            stack.push_async_callback(connections[-1].close)
        ways = Commits(here, engine, connections)
        await ways.fill()
        yield here, ways


@asynccontextmanager
async def a1(stage: Stage) -> AsyncIterator[Bench]:
    """State and outbox."""
    async with commits(stage) as (_, ways):
        yield Bench(
            "commits of one changed row and one event, 8 connections",
            {
                "kei: transaction + put": ways.kei,
                "asyncpg": ways.raw,
                "SQLAlchemy ORM": ways.orm,
                "SQLAlchemy text": ways.plain,
                "SQLAlchemy text, one statement": ways.one_statement,
            },
            [
                Goal("A1", "commits/s to asyncpg, same SQL", "kei: transaction + put", "asyncpg", 0.8),
                Goal("A1", "commits/s to SQLAlchemy ORM", "kei: transaction + put", "SQLAlchemy ORM", 3.5),
                Goal("A1", "the same by SQLAlchemy's text statements", "SQLAlchemy text", "asyncpg"),
                Goal("A1", "the same in one statement", "SQLAlchemy text, one statement", "asyncpg"),
            ],
            slices=2,
        )


class _Leading:
    """A relay that leads in this process: what `Waker` wakes."""

    leading = True

    def __init__(self) -> None:
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()


@asynccontextmanager
async def a1n(stage: Stage) -> AsyncIterator[Bench]:
    """The wake-up."""
    async with commits(stage) as (here, ways):

        async def woken(waker: Waker) -> Metrics:
            here.database.on_commit.append(waker)
            try:
                async with running(waker.run()):
                    return await ways.kei(400)
            finally:
                here.database.on_commit.remove(waker)

        names = ("kei: wakes the relay in process", "kei: one NOTIFY for many", "kei: wakes nobody")
        yield Bench(
            "commits of one changed row and one event, 8 connections",
            {
                names[0]: lambda: woken(Waker(here.database, _Leading())),
                names[1]: lambda: woken(Waker(here.database)),
                names[2]: lambda: ways.kei(400),
            },
            [
                Goal("A1n", "commits/s, relay woken in process, to no wake-up", names[0], names[2], 0.97),
                Goal("A1n", "commits/s, relay elsewhere notified, to no wake-up", names[1], names[2], 0.97),
            ],
            slices=6,
        )
