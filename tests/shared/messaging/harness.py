"""A producing and a consuming service reduced to their messaging, over either transport, for injected failures."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from shared import clock, outbox
from shared.db import Database, WriteSession
from shared.events.envelope import Event
from shared.events.members import CapacityChanged
from shared.inbox import Consumer, DeadLetter, Inbox, Worker, dead_letters
from shared.messaging_tables import MESSAGING_TABLES
from shared.outbox import Relay, Waker
from shared.transport import Receiver, Transport
from tests.support.waiting import eventually

TOPIC = "kei.members.v1"
EFFECTS = (
    "CREATE TABLE effect (n bigint GENERATED ALWAYS AS IDENTITY, consumer text, event_id uuid, key uuid, version int)"
)


async def prepare(url: str) -> None:
    """Create the messaging tables and a table for effects."""
    database = Database(url, name="preparing")
    async with database.transaction() as tx:
        for statement in (*MESSAGING_TABLES, EFFECTS):
            await tx.execute(text(statement))
    await outbox.maintain_partitions(database, clock.now())
    await database.close()


async def put(database: Database, key: UUID, versions: Sequence[int]) -> None:
    """Publish versions of one aggregate, a transaction each."""
    for version in versions:
        async with database.transaction() as tx:
            outbox.append(tx, fact(key), version=version)


def fact(key: UUID) -> CapacityChanged:
    """The data of an event."""
    return CapacityChanged(cluster_id=key, consortium_id=key, mentor_capacity=1, learner_capacity=1)


Hook = Callable[[Event[Any]], Awaitable[None]]


def effects_consumer(name: str, hook: Hook | None = None) -> Consumer:
    """A consumer that records each event; `hook` runs after that, in the same transaction."""
    consumer = Consumer(name)

    @consumer.on(CapacityChanged)
    async def effect(tx: WriteSession, event: Event[CapacityChanged]) -> None:
        row = {"consumer": name, "id": event.id, "key": event.key, "version": event.version}
        await tx.execute(
            text("INSERT INTO effect (consumer, event_id, key, version) VALUES (:consumer, :id, :key, :version)"), row
        )
        if hook is not None:
            await hook(event)

    return consumer


class Harness:
    """One producer, any number of consumers."""

    def __init__(self, urls: tuple[str, str], make_transport: Callable[[], Transport]) -> None:
        self.urls, self.make_transport = urls, make_transport
        self.source, self.sink = (Database(url, name="harness") for url in urls)

    async def close(self) -> None:
        """Give all connections back."""
        await self.source.close()
        await self.sink.close()

    @asynccontextmanager
    async def relaying(self, transport: Transport, **options: Any) -> AsyncIterator[Relay]:
        """A relay, until the block ends."""
        relay = Relay(self.source, transport, **{"poll": 0.2} | options)
        waker = Waker(self.source, relay)
        self.source.on_commit.append(waker)
        async with running(relay.run(), waker.run()):
            yield relay
        self.source.on_commit.remove(waker)

    @asynccontextmanager
    async def consuming(
        self,
        consumer: Consumer,
        transport: Transport,
        *,
        around: Callable[[Receiver], Receiver] = lambda inbox: inbox,
        **options: Any,
    ) -> AsyncIterator[Worker]:
        """A consumer on a transport, until the block ends; `around` may wrap its inbox."""
        inbox = Inbox(self.sink, consumer)
        transport.attach(around(inbox))
        settings = {"max_attempts": 3, "retry_base_seconds": 0.02, "poll": 0.2} | options
        worker = Worker(self.sink, consumer, inbox, **settings)
        async with running(worker.run(), transport.run()):
            yield worker
        await transport.close()

    async def effects(self, consumer: str, keys: Sequence[UUID]) -> list[tuple[UUID, int]]:
        """(key, version) of the effects, in their order."""
        query = text("SELECT key, version FROM effect WHERE consumer = :c AND key = ANY(CAST(:k AS uuid[])) ORDER BY n")
        async with self.sink.reading() as session:
            return [
                (UUID(str(row[0])), row[1]) for row in await session.execute(query, {"c": consumer, "k": list(keys)})
            ]

    async def expect(self, consumer: str, wanted: dict[UUID, int], deadline: float = 20.0) -> None:
        """Wait until every key has its versions 1..n, each once and in order; fail on anything else."""

        async def complete() -> bool:
            return len(await self.effects(consumer, list(wanted))) >= sum(wanted.values())

        await eventually(complete, deadline=deadline)
        versions = await self.effects(consumer, list(wanted))
        for key, count in wanted.items():
            assert [version for event_key, version in versions if event_key == key] == list(range(1, count + 1))

    async def dead(self, consumer: str) -> list[DeadLetter]:
        """The consumer's dead letters."""
        async with self.sink.reading() as session:
            return await dead_letters(session, consumer, limit=10_000)

    async def states(self, consumer: str, key: UUID) -> list[tuple[str, int]]:
        """State and attempts of the inbox events of a key, in order."""
        query = text("SELECT state, attempts FROM inbox WHERE consumer = :c AND key = :k ORDER BY seq")
        async with self.sink.reading() as session:
            rows = await session.execute(query, {"c": consumer, "k": str(key).encode()})
            return [(row.state, row.attempts) for row in rows]

    async def figures(self) -> outbox.OutboxStats:
        """The statistics of the outbox."""
        async with self.source.reading() as session:
            return await outbox.stats(session)

    async def positions(self) -> list[int]:
        """The positions assigned so far, in order."""
        async with self.source.reading() as session:
            query = text("SELECT position FROM outbox WHERE position IS NOT NULL ORDER BY position")
            return list((await session.scalars(query)).all())


@asynccontextmanager
async def running(*loops: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run loops until the block ends; a loop that ends by itself fails the test, with what it ended by."""
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        yield
    finally:
        ended = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in ended:
            task.result()
            pytest.fail(f"{task.get_coro()} ended")
