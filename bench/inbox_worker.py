"""The inbox's worker. The effect of each event is a row of a projection and another event."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
from sqlalchemy import text

from bench.commit import INSERT
from bench.harness import Bench, Goal, Metrics, watch
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
    events,
    stored_event,
)
from shared import outbox
from shared.db import WriteSession
from shared.events.envelope import Event, Record, Stored, parse
from shared.events.members import CapacityChanged
from shared.inbox import Consumer, Inbox, Worker
from shared.inbox.receive import unpack

COUNT = 3_000
ONE_PER_TRANSACTION_COUNT = 600
BATCH = 100
PROJECTION = "CREATE TABLE projection (key uuid PRIMARY KEY, capacity integer NOT NULL, version bigint NOT NULL)"
_UPSERT = text(
    "INSERT INTO projection VALUES (:key, :capacity, :version)"
    " ON CONFLICT (key) DO UPDATE SET capacity = excluded.capacity, version = excluded.version"
)
_UPSERT_ALL = text(
    "INSERT INTO projection SELECT * FROM unnest(CAST(:keys AS uuid[]), CAST(:capacities AS integer[]),"
    " CAST(:versions AS bigint[]))"
    " ON CONFLICT (key) DO UPDATE SET capacity = excluded.capacity, version = excluded.version"
)
_UPSERT_RAW = (
    "INSERT INTO projection VALUES ($1, $2, $3)"
    " ON CONFLICT (key) DO UPDATE SET capacity = excluded.capacity, version = excluded.version"
)
_HEADS_RAW = """
    SELECT i.event_id, i.topic, i.key, i.headers, i.value FROM inbox i
    WHERE i.consumer = $1 AND i.state = 'pending' AND i.not_before <= clock_timestamp()
      AND NOT EXISTS (SELECT FROM inbox p WHERE p.consumer = $1 AND p.partition_key = i.partition_key
                      AND p.state = 'pending' AND p.seq < i.seq)
    ORDER BY i.seq LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_DONE_RAW = (
    "UPDATE inbox SET state = 'done', done_at = clock_timestamp() WHERE consumer = $1 AND event_id = ANY($2::uuid[])"
)
NAME = "bench"


async def effect(tx: WriteSession, event: Event[CapacityChanged]) -> None:
    """Upsert a row and append an event."""
    row = {"key": event.key, "capacity": event.data.mentor_capacity, "version": event.version}
    await tx.execute(_UPSERT, row)
    outbox.append(tx, capacity_changed(event.key, event.data.mentor_capacity), version=event.version)


async def effect_in_two_statements(tx: WriteSession, event: Event[CapacityChanged]) -> None:
    """The same effect with two statements, as usual without Kei."""
    await tx.execute(_UPSERT, {"key": event.key, "capacity": event.data.mentor_capacity, "version": event.version})
    await tx.execute(INSERT, dict(zip(OUTBOX_COLUMNS, as_row(_effect_event(event)), strict=True)))


async def effects(tx: WriteSession, batch_of_events: Sequence[Event[CapacityChanged]]) -> None:
    """The same effects with two statements for the whole batch."""
    columns = {
        "keys": [event.key for event in batch_of_events],
        "capacities": [event.data.mentor_capacity for event in batch_of_events],
        "versions": [event.version for event in batch_of_events],
    }
    await tx.execute(_UPSERT_ALL, columns)
    await outbox.forward(tx, [_effect_event(event) for event in batch_of_events], TOPIC)


def _effect_event(event: Event[CapacityChanged]) -> Stored:
    return stored_event(capacity_changed(event.key, event.data.mentor_capacity), event.version)


def single_event_consumer() -> Consumer:
    """A consumer with a handler for single events."""
    consumer = Consumer(NAME)
    consumer.on(CapacityChanged)(effect)
    return consumer


def batch_consumer() -> Consumer:
    """A consumer with a handler for batches."""
    consumer = Consumer(NAME)
    consumer.on_batch(CapacityChanged)(effects)
    return consumer


class WorkerVariants:
    """Variants of handling pending rows of the inbox."""

    def __init__(self, db: BenchDatabase, connection: Connection) -> None:
        self._db, self._connection = db, connection

    async def kei(self, consumer: Consumer, count: int = COUNT, workers: int = 1, batch: int = BATCH) -> Metrics:
        """`Worker.step` until nothing is pending."""
        inbox = await self._fill_inbox(count)
        remaining = count

        async def work(worker: Worker) -> None:
            nonlocal remaining
            while remaining > 0:
                handled = await worker.step()
                remaining -= handled
                if not handled:
                    await asyncio.sleep(0.001)

        pool = [Worker(self._db.database, consumer, inbox, batch=batch) for _ in range(workers)]
        with watch() as clock:
            await asyncio.gather(*(work(worker) for worker in pool))
        await self._check(count)
        return clock.per(count)

    async def without_inbox(self, apply_effect: Callable[..., Awaitable[None]], count: int = COUNT) -> Metrics:
        """The same effects without an inbox, 100 events in a transaction."""
        await self._fill_inbox(0)
        parsed_events = [_parsed(event) for event in events(count)]
        with watch() as clock:
            for start in range(0, count, BATCH):
                async with self._db.database.transaction() as tx:
                    for event in parsed_events[start : start + BATCH]:
                        await apply_effect(tx, event)
        return clock.per(count)

    async def driver(self, count: int = COUNT) -> Metrics:
        """A worker with the same statements on asyncpg alone."""
        await self._fill_inbox(count)
        with watch() as clock:
            while await self._asyncpg_step():
                pass
        await self._check(count)
        return clock.per(count)

    async def _asyncpg_step(self) -> int:
        async with self._connection.transaction():
            heads = await self._connection.fetch(_HEADS_RAW, NAME, BATCH)
            for head in heads:
                record = Record(head["key"], unpack(head["headers"]), head["value"])
                event: Event[Any] = parse(record, head["topic"])
                capacity = event.data.mentor_capacity
                await self._connection.execute(_UPSERT_RAW, event.key, capacity, event.version)
                await self._connection.execute(INSERT_OUTBOX, *as_row(_effect_event(event)))
            await self._connection.execute(_DONE_RAW, NAME, [head["event_id"] for head in heads])
        return len(heads)

    async def _fill_inbox(self, count: int) -> Inbox:
        await self._db.empty("inbox", "outbox", "projection")
        inbox = Inbox(self._db.database, single_event_consumer())
        pending = [(TOPIC, event.record()) for event in events(count)]
        for start in range(0, count, 1000):
            await inbox.receive(pending[start : start + 1000])
        await self._db.raw.execute("ANALYZE inbox")
        await self._db.checkpoint()
        return inbox

    async def _check(self, count: int) -> None:
        done = await self._db.count("SELECT count(*) FROM inbox WHERE state = 'done'")
        appended = await self._db.count("SELECT count(*) FROM outbox")
        if (done, appended) != (count, count):
            message = f"{done} events are done and {appended} appended, not {count}"
            raise RuntimeError(message)


def _parsed(event: Stored) -> Event[CapacityChanged]:
    parsed: Event[Any] = parse(event.record(), TOPIC)
    return parsed


@asynccontextmanager
async def worker_variants(servers: Servers) -> AsyncIterator[WorkerVariants]:
    """A database with a projection, and the variants on it."""
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(bench_database(servers, PROJECTION))
        connection = await asyncpg.connect(db.url)
        stack.push_async_callback(connection.close)
        yield WorkerVariants(db, connection)


@asynccontextmanager
async def inbox_worker_bench(servers: Servers) -> AsyncIterator[Bench]:
    """Handling of pending events."""
    per_event = "kei: handler of single events"
    four_workers = "kei: handler of single events, 4 workers"
    per_batch = "kei: on_batch"
    per_transaction = "kei: one event a transaction"
    two_statements = "the effects without inbox, by two statements"
    by_append = "the effects without inbox, by append"
    asyncpg_worker = "a worker on asyncpg alone"
    goal = partial(Goal, "inbox-worker")
    async with worker_variants(servers) as variants:
        yield Bench(
            f"events handled, each with a row and an appended event ({COUNT:,} of 1,000 keys)",
            {
                per_event: partial(variants.kei, single_event_consumer()),
                four_workers: partial(variants.kei, single_event_consumer(), workers=4),
                per_batch: partial(variants.kei, batch_consumer()),
                per_transaction: partial(variants.kei, single_event_consumer(), ONE_PER_TRANSACTION_COUNT, batch=1),
                two_statements: partial(variants.without_inbox, effect_in_two_statements),
                by_append: partial(variants.without_inbox, effect),
                asyncpg_worker: variants.driver,
            },
            [
                goal("events/s to the effects without inbox", per_event, two_statements, 0.9),
                goal("events/s to the effects by append without inbox", per_event, by_append),
                goal("events/s of 4 workers to the effects without inbox", four_workers, two_statements, 1.4),
                goal("events/s to one event a transaction", per_event, per_transaction, 5),
                goal("events/s of a batch handler to the effects without inbox", per_batch, two_statements, 6),
                goal("events/s to a worker on asyncpg", per_event, asyncpg_worker, 0.7),
            ],
        )
