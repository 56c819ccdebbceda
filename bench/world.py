"""Shared by the benches: databases with the messaging tables, events, a counting receiver and a transport."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

import asyncpg
from sqlalchemy import text

from bench.servers import Servers
from shared import clock, outbox
from shared.db import Database
from shared.events.envelope import Record, Stored
from shared.events.members import CapacityChanged
from shared.events.registry import type_of
from shared.messaging_tables import MESSAGING_TABLES
from shared.transport import Receiver, Transport, TransportError
from tests.shared.messaging.faulty_transport import TransportProxy
from tests.support.waiting import eventually

TOPIC = "kei.members.v1"
KEYS = 1000
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
OUTBOX_COLUMNS = ("id", "topic", "type", "source", "key", "version", "time", "traceparent", "data")
INSERT_OUTBOX = (
    "INSERT INTO outbox (id, topic, type, source, key, version, time, traceparent, data)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
)


@dataclass(frozen=True, slots=True)
class BenchDatabase:
    """A database: as Kei opens it, and as a plain asyncpg connection for the bench."""

    url: str
    database: Database
    raw: Connection

    async def fill_outbox(self, count: int, topic: str = TOPIC) -> None:
        """Replace the outbox by that many events without a position."""
        await self.empty("outbox")
        await self.raw.execute("UPDATE outbox_relay SET assigned = 0, sent = 0")
        rows = [as_row(event, topic) for event in events(count)]
        await self.raw.copy_records_to_table("outbox", records=rows, columns=OUTBOX_COLUMNS)
        await self.checkpoint()

    async def empty(self, *tables: str) -> None:
        """Truncate tables."""
        await self.raw.execute(f"TRUNCATE {', '.join(tables)}")

    async def checkpoint(self) -> None:
        """Write prepared rows to disk now, so that it does not happen while the clock runs."""
        await self.raw.execute("CHECKPOINT")

    async def count(self, query: str, *values: object) -> int:
        """The number that a query returns."""
        return int(await self.raw.fetchval(query, *values))

    async def wait_for(self, query: str, target: int, deadline: float = 120.0) -> None:
        """Wait until a query returns at least that number."""

        async def reached() -> bool:
            return await self.count(query) >= target

        await eventually(reached, deadline=deadline)


SENT = "SELECT sent FROM outbox_relay"
RECEIVED = "SELECT count(*) FROM inbox"


@asynccontextmanager
async def bench_database(servers: Servers, *statements: str, pool_size: int = 10) -> AsyncIterator[BenchDatabase]:
    """Create a database with outbox, inbox and the tables of these statements."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(servers.database())
        database = Database(url, name="bench", pool_size=pool_size)
        stack.push_async_callback(database.close)
        async with database.transaction() as tx:
            for statement in (*MESSAGING_TABLES, *statements):
                await tx.execute(text(statement))
        await outbox.maintain_partitions(database, clock.now())
        raw = await asyncpg.connect(url)
        stack.push_async_callback(raw.close)
        yield BenchDatabase(url, database, raw)


def capacity_changed(key: UUID, number: int = 1) -> CapacityChanged:
    """The data of an event: about 190 bytes."""
    return CapacityChanged(cluster_id=key, consortium_id=key, mentor_capacity=number, learner_capacity=1)


def stored_event(data: CapacityChanged, version: int) -> Stored:
    """An event as `outbox.append` writes it, for peers that insert the row themselves."""
    entry = type_of(CapacityChanged)
    source = f"/kei/{entry.service}"
    body = data.model_dump_json().encode()
    return Stored(clock.new_id(), entry.name, source, data.cluster_id, version, clock.now(), None, body)


def as_row(event: Stored, topic: str = TOPIC) -> tuple[object, ...]:
    """The values of OUTBOX_COLUMNS."""
    return (
        event.id,
        topic,
        event.type,
        event.source,
        event.key,
        event.version,
        event.time,
        event.traceparent,
        event.data,
    )


def keys(count: int = KEYS) -> list[UUID]:
    """Ids of aggregates."""
    return [clock.new_id() for _ in range(count)]


def events(count: int) -> list[Stored]:
    """That many events, of 1,000 aggregates in turn."""
    aggregates = keys()
    return [stored_event(capacity_changed(aggregates[n % KEYS], n), n // KEYS + 1) for n in range(count)]


def records(count: int) -> list[Record]:
    """The same events as Kafka records."""
    return [event.record() for event in events(count)]


class CountingReceiver:
    """A receiver in front of an inbox that counts records.

    Args:
        inner: the inbox; None: records are counted and dropped.
        topic: the topic to subscribe to. The inbox gets the records under TOPIC.
        consumer: its name, also the Kafka group.
    """

    def __init__(self, inner: Receiver | None, topic: str, consumer: str) -> None:
        self._inner, self.consumer, self.topics = inner, consumer, frozenset({topic})
        self.count = 0
        self.on_first_batch: Callable[[int], None] | None = None
        self._target, self._complete = 0, asyncio.Event()

    async def receive(self, records: Sequence[tuple[str, Record]]) -> None:
        """Pass on and count; call `on_first_batch` once, with the size of the first batch."""
        if self._inner is not None:
            await self._inner.receive([(TOPIC, record) for _, record in records])
        self.count += len(records)
        if self.on_first_batch is not None:
            self.on_first_batch(len(records))
            self.on_first_batch = None
        if self.count >= self._target > 0:
            self._complete.set()

    def reset(self) -> None:
        """Reset the count to 0."""
        self.count = self._target = 0
        self._complete.clear()

    async def wait_for(self, count: int, deadline: float = 120.0) -> None:
        """Wait until that many have arrived."""
        self._target = count
        if self.count < count:
            async with asyncio.timeout(deadline):
                await self._complete.wait()


async def warm_up(transport: Transport, topic: str) -> None:
    """Send one record, so that the transport is connected; that may take a second."""
    async with asyncio.timeout(30):
        while True:
            with suppress(TransportError):
                await transport.send(topic, records(1))
                return


class RedirectingTransport(TransportProxy):
    """Sends everything to one topic, so that no bench reads records of an earlier one."""

    def __init__(self, transport: Transport, topic: str) -> None:
        super().__init__(transport)
        self._topic = topic

    async def send(self, _: str, records: Sequence[Record]) -> None:
        """Send to the topic of this transport."""
        await self._transport.send(self._topic, records)
