"""A5c: events through the inbox's worker. The effect of each: a row of a projection, and an event of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
from sqlalchemy import text

from bench.commit import INSERT
from bench.harness import Bench, Goal, Metrics, watch
from bench.servers import Stage
from bench.world import INSERT_OUTBOX, OUTBOX_COLUMNS, TOPIC, Connection, Place, as_row, events, fact, place, stored
from shared import outbox
from shared.db import WriteSession
from shared.events.envelope import Event, Record, Stored, parse
from shared.events.members import CapacityChanged
from shared.inbox import Consumer, Inbox, Worker
from shared.inbox.receive import unpack

COUNT = 3_000
ALONE = 600
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
    """A row and an event."""
    row = {"key": event.key, "capacity": event.data.mentor_capacity, "version": event.version}
    await tx.execute(_UPSERT, row)
    outbox.append(tx, fact(event.key, event.data.mentor_capacity), version=event.version)


async def by_hand(tx: WriteSession, event: Event[CapacityChanged]) -> None:
    """The same effect by two statements, as one would write it without Kei."""
    await tx.execute(_UPSERT, {"key": event.key, "capacity": event.data.mentor_capacity, "version": event.version})
    await tx.execute(INSERT, dict(zip(OUTBOX_COLUMNS, as_row(_own(event)), strict=True)))


async def effects(tx: WriteSession, many: Sequence[Event[CapacityChanged]]) -> None:
    """Two statements for all of them."""
    columns = {
        "keys": [event.key for event in many],
        "capacities": [event.data.mentor_capacity for event in many],
        "versions": [event.version for event in many],
    }
    await tx.execute(_UPSERT_ALL, columns)
    await outbox.forward(tx, [_own(event) for event in many], TOPIC)


def _own(event: Event[CapacityChanged]) -> Stored:
    return stored(fact(event.key, event.data.mentor_capacity), event.version)


def single() -> Consumer:
    """A consumer with a handler for one event."""
    consumer = Consumer(NAME)
    consumer.on(CapacityChanged)(effect)
    return consumer


def in_batches() -> Consumer:
    """A consumer with a handler for many."""
    consumer = Consumer(NAME)
    consumer.on_batch(CapacityChanged)(effects)
    return consumer


class Handling:
    """The ways from pending rows to effects."""

    def __init__(self, here: Place, connection: Connection) -> None:
        self._here, self._connection = here, connection

    async def kei(self, consumer: Consumer, count: int = COUNT, workers: int = 1, batch: int = BATCH) -> Metrics:
        """`Worker.step` until nothing is pending."""
        inbox = await self._filled(count)
        left = count

        async def work(worker: Worker) -> None:
            nonlocal left
            while left > 0:
                handled = await worker.step()
                left -= handled
                if not handled:
                    await asyncio.sleep(0.001)

        hands = [Worker(self._here.database, consumer, inbox, batch=batch) for _ in range(workers)]
        with watch() as clock:
            await asyncio.gather(*(work(worker) for worker in hands))
        await self._check(count)
        return clock.per(count)

    async def without_inbox(self, act: Callable[..., Awaitable[None]], count: int = COUNT) -> Metrics:
        """The same effects, 100 events in a transaction, no inbox and nothing to read."""
        await self._filled(0)
        known = [_known(event) for event in events(count)]
        with watch() as clock:
            for at in range(0, count, BATCH):
                async with self._here.database.transaction() as tx:
                    for event in known[at : at + BATCH]:
                        await act(tx, event)
        return clock.per(count)

    async def driver(self, count: int = COUNT) -> Metrics:
        """A worker of the same statements on the driver alone."""
        await self._filled(count)
        with watch() as clock:
            while await self._raw_step():
                pass
        await self._check(count)
        return clock.per(count)

    async def _raw_step(self) -> int:
        async with self._connection.transaction():
            heads = await self._connection.fetch(_HEADS_RAW, NAME, BATCH)
            for head in heads:
                record = Record(head["key"], unpack(head["headers"]), head["value"])
                event: Event[Any] = parse(record, head["topic"])
                capacity = event.data.mentor_capacity
                await self._connection.execute(_UPSERT_RAW, event.key, capacity, event.version)
                await self._connection.execute(INSERT_OUTBOX, *as_row(_own(event)))
            await self._connection.execute(_DONE_RAW, NAME, [head["event_id"] for head in heads])
        return len(heads)

    async def _filled(self, count: int) -> Inbox:
        await self._here.empty("inbox", "outbox", "projection")
        inbox = Inbox(self._here.database, single())
        waiting = [(TOPIC, event.record()) for event in events(count)]
        for at in range(0, count, 1000):
            await inbox.receive(waiting[at : at + 1000])
        await self._here.raw.execute("ANALYZE inbox")
        await self._here.settle()
        return inbox

    async def _check(self, count: int) -> None:
        done = await self._here.count("SELECT count(*) FROM inbox WHERE state = 'done'")
        put = await self._here.count("SELECT count(*) FROM outbox")
        if (done, put) != (count, count):
            message = f"{done} events are done and {put} put, not {count}"
            raise RuntimeError(message)


def _known(event: Stored) -> Event[CapacityChanged]:
    found: Event[Any] = parse(event.record(), TOPIC)
    return found


@asynccontextmanager
async def handling(stage: Stage) -> AsyncIterator[Handling]:
    """A database with a projection."""
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(place(stage, PROJECTION))
        connection = await asyncpg.connect(here.url)
        stack.push_async_callback(connection.close)
        yield Handling(here, connection)


@asynccontextmanager
async def a5c(stage: Stage) -> AsyncIterator[Bench]:
    """Handle."""
    async with handling(stage) as ways:
        one, bare, put, alone, many = (
            "kei: handler of one",
            "the effects without inbox, by two statements",
            "the effects without inbox, by put",
            "kei: one event a tx",
            "kei: on_batch",
        )
        four, raw = "kei: handler of one, 4 workers", "a worker on asyncpg alone"
        yield Bench(
            f"events handled, each with a row and an event of its own ({COUNT:,} of 1,000 keys)",
            {
                one: partial(ways.kei, single()),
                four: partial(ways.kei, single(), workers=4),
                many: partial(ways.kei, in_batches()),
                alone: partial(ways.kei, single(), ALONE, batch=1),
                bare: partial(ways.without_inbox, by_hand),
                put: partial(ways.without_inbox, effect),
                raw: ways.driver,
            },
            [
                Goal("A5c", "events/s to the effects without inbox", one, bare, 0.9),
                Goal("A5c", "events/s to the effects by put without inbox", one, put),
                Goal("A5c", "events/s of 4 workers to the effects without inbox", four, bare, 1.4),
                Goal("A5c", "events/s to one event a transaction", one, alone, 5),
                Goal("A5c'", "events/s of a handler of many to the effects one by one", many, bare, 6),
                Goal("A5c''", "events/s to a worker on asyncpg", one, raw, 0.7),
            ],
        )
