"""The cost of changing a row and appending an event in one commit, and of waking the relay after it."""

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
from bench.servers import Servers
from bench.world import (
    INSERT_OUTBOX,
    OUTBOX_COLUMNS,
    TOPIC,
    BenchDatabase,
    Connection,
    as_row,
    bench_database,
    capacity_changed,
    keys,
    stored_event,
)
from shared import outbox
from shared.outbox import Waker

CONNECTIONS = 8
COUNT = 800
STATE = "CREATE TABLE state (id uuid PRIMARY KEY, n integer NOT NULL, version bigint NOT NULL)"
_CHANGE = text("UPDATE state SET n = n + 1, version = version + 1 WHERE id = :id RETURNING version")
_CHANGE_RAW = "UPDATE state SET n = n + 1, version = version + 1 WHERE id = $1 RETURNING version"
_CHANGE_AND_INSERT = text(
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
    """An aggregate, mapped by the ORM."""

    __tablename__ = "state"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    n: Mapped[int]
    version: Mapped[int]


class OutboxRow(_Base):
    """An event, mapped by the ORM."""

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
    """An event as an ORM object."""
    return OutboxRow(
        **dict(zip(OUTBOX_COLUMNS, as_row(stored_event(capacity_changed(key, number), version)), strict=True))
    )


def plain_engine(url: str, size: int) -> AsyncEngine:
    """A SQLAlchemy engine with default settings and that pool size."""
    return create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), pool_size=size, max_overflow=0)


class CommitVariants:
    """Variants of changing state and outbox in one transaction."""

    def __init__(self, db: BenchDatabase, engine: AsyncEngine, connections: list[Connection]) -> None:
        self._db, self._engine, self._connections = db, engine, connections
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._aggregates = keys(1000)

    async def fill(self) -> None:
        """Insert a row for each aggregate."""
        rows = [(key, 0, 0) for key in self._aggregates]
        await self._db.raw.copy_records_to_table("state", records=rows, columns=("id", "n", "version"))

    async def kei(self, count: int = COUNT) -> Metrics:
        """Kei, as its commands do it: `Database.transaction`, a text statement, `outbox.append`."""

        async def commit(_: int, key: UUID) -> None:
            async with self._db.database.transaction() as tx:
                version = (await tx.execute(_CHANGE, {"id": key})).scalar_one()
                outbox.append(tx, capacity_changed(key, version), version=version)

        return await self._measure(commit, count)

    async def raw(self, count: int = COUNT) -> Metrics:
        """Asyncpg without SQLAlchemy: the same statements, the event serialised as in Kei."""

        async def commit(worker: int, key: UUID) -> None:
            connection = self._connections[worker]
            async with connection.transaction():
                version = await connection.fetchval(_CHANGE_RAW, key)
                await connection.execute(INSERT_OUTBOX, *as_row(stored_event(capacity_changed(key, version), version)))

        return await self._measure(commit, count)

    async def orm(self, count: int = COUNT) -> Metrics:
        """SQLAlchemy's ORM: get, change, add, commit."""

        async def commit(_: int, key: UUID) -> None:
            async with self._sessions() as session:
                state = await session.get_one(State, key)
                state.n += 1
                state.version += 1
                session.add(orm_row(key, state.n, state.version))
                await session.commit()

        return await self._measure(commit, count)

    async def text_statements(self, count: int = COUNT) -> Metrics:
        """SQLAlchemy's connection, the same two statements as text, a pool without pre-ping."""

        async def commit(_: int, key: UUID) -> None:
            async with self._engine.connect() as connection:
                version = (await connection.execute(_CHANGE, {"id": key})).scalar_one()
                await connection.execute(INSERT, _named(key, version))
                await connection.commit()

        return await self._measure(commit, count)

    async def one_statement(self, count: int = COUNT) -> Metrics:
        """SQLAlchemy's connection in AUTOCOMMIT, state and event in one statement."""
        engine = self._engine.execution_options(isolation_level="AUTOCOMMIT")

        async def commit(_: int, key: UUID) -> None:
            connection: AsyncConnection
            async with engine.connect() as connection:
                await connection.execute(_CHANGE_AND_INSERT, _named(key, 1))

        return await self._measure(commit, count)

    async def _measure(self, commit: Callable[[int, UUID], Awaitable[None]], count: int) -> Metrics:
        share = len(self._aggregates) // CONNECTIONS

        async def work(worker: int) -> None:
            own_keys = self._aggregates[worker * share : (worker + 1) * share]
            for n in range(count // CONNECTIONS):
                await commit(worker, own_keys[n % share])

        await self._db.checkpoint()
        with watch() as clock:
            await asyncio.gather(*(work(worker) for worker in range(CONNECTIONS)))
        return clock.per(count)


def _named(key: UUID, version: int) -> dict[str, object]:
    return dict(zip(OUTBOX_COLUMNS, as_row(stored_event(capacity_changed(key, version), version), TOPIC), strict=True))


@asynccontextmanager
async def commit_variants(servers: Servers) -> AsyncIterator[tuple[BenchDatabase, CommitVariants]]:
    """A database with 1,000 aggregates, and the variants of changing them."""
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(bench_database(servers, STATE, pool_size=CONNECTIONS))
        engine = plain_engine(db.url, CONNECTIONS)
        stack.push_async_callback(engine.dispose)
        connections = []
        for _ in range(CONNECTIONS):
            connections.append(await asyncpg.connect(db.url))
            stack.push_async_callback(connections[-1].close)
        variants = CommitVariants(db, engine, connections)
        await variants.fill()
        yield db, variants


@asynccontextmanager
async def commit_bench(servers: Servers) -> AsyncIterator[Bench]:
    """Commits of state and outbox."""
    async with commit_variants(servers) as (_, variants):
        yield Bench(
            "commits of one changed row and one event, 8 connections",
            {
                "kei: transaction + append": variants.kei,
                "asyncpg": variants.raw,
                "SQLAlchemy ORM": variants.orm,
                "SQLAlchemy text": variants.text_statements,
                "SQLAlchemy text, one statement": variants.one_statement,
            },
            [
                Goal("commit", "commits/s to asyncpg, same SQL", "kei: transaction + append", "asyncpg", 0.8),
                Goal("commit", "commits/s to SQLAlchemy ORM", "kei: transaction + append", "SQLAlchemy ORM", 3.5),
                Goal("commit", "SQLAlchemy's text statements to asyncpg", "SQLAlchemy text", "asyncpg"),
                Goal("commit", "one text statement to asyncpg", "SQLAlchemy text, one statement", "asyncpg"),
            ],
            slices=2,
        )


class _LeadingRelay:
    """Stands for a relay that leads in this process, for `Waker`."""

    leading = True

    def __init__(self) -> None:
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()


@asynccontextmanager
async def commit_wake_bench(servers: Servers) -> AsyncIterator[Bench]:
    """Commits with and without waking the relay."""
    async with commit_variants(servers) as (db, variants):

        async def with_waker(waker: Waker) -> Metrics:
            db.database.on_commit.append(waker)
            try:
                async with running(waker.run()):
                    return await variants.kei(400)
            finally:
                db.database.on_commit.remove(waker)

        names = ("kei: wakes the relay in process", "kei: one NOTIFY for many commits", "kei: no wake-up")
        yield Bench(
            "commits of one changed row and one event, 8 connections",
            {
                names[0]: lambda: with_waker(Waker(db.database, _LeadingRelay())),
                names[1]: lambda: with_waker(Waker(db.database)),
                names[2]: lambda: variants.kei(400),
            },
            [
                Goal("commit-wake", "commits/s, relay woken in process, to no wake-up", names[0], names[2], 0.97),
                Goal(
                    "commit-wake",
                    "commits/s, relay in another process notified, to no wake-up",
                    names[1],
                    names[2],
                    0.97,
                ),
            ],
            slices=6,
        )
