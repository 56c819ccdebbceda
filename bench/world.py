"""What several benches need: databases with the hand-over's tables, events, and transports that count."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

import asyncpg
from sqlalchemy import text

from bench.servers import Stage
from shared import clock, outbox
from shared.db import Database
from shared.events.envelope import Record, Stored
from shared.events.members import CapacityChanged
from shared.events.registry import type_of
from shared.messaging_tables import MESSAGING_TABLES
from shared.transport import Receiver, Transport, TransportError
from tests.shared.messaging.faulty_transport import WireAround
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
class Place:
    """A database: through our own class, and a connection of the driver's for the bench itself."""

    url: str
    database: Database
    raw: Connection

    async def fill_outbox(self, count: int, topic: str = TOPIC) -> None:
        """Let that many events wait to be placed, and nothing else be in the outbox."""
        await self.empty("outbox")
        await self.raw.execute("UPDATE outbox_relay SET assigned = 0, sent = 0")
        rows = [as_row(event, topic) for event in events(count)]
        await self.raw.copy_records_to_table("outbox", records=rows, columns=OUTBOX_COLUMNS)
        await self.settle()

    async def empty(self, *tables: str) -> None:
        """Remove all rows."""
        await self.raw.execute(f"TRUNCATE {', '.join(tables)}")

    async def settle(self) -> None:
        """Write out what was prepared, so that it is not written while the clock runs."""
        await self.raw.execute("CHECKPOINT")

    async def count(self, query: str, *values: object) -> int:
        """The number that a query gives."""
        return int(await self.raw.fetchval(query, *values))

    async def until(self, query: str, wanted: int, deadline: float = 120.0) -> None:
        """Wait until a query gives at least that number."""

        async def enough() -> bool:
            return await self.count(query) >= wanted

        await eventually(enough, deadline=deadline)


SENT = "SELECT sent FROM outbox_relay"
RECEIVED = "SELECT count(*) FROM inbox"


@asynccontextmanager
async def place(stage: Stage, *statements: str, pool_size: int = 10) -> AsyncIterator[Place]:
    """A database with outbox, inbox and these further tables."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(stage.database())
        database = Database(url, name="bench", pool_size=pool_size)
        stack.push_async_callback(database.close)
        async with database.transaction() as tx:
            for statement in (*MESSAGING_TABLES, *statements):
                await tx.execute(text(statement))
        await outbox.maintain_partitions(database, clock.now())
        raw = await asyncpg.connect(url)
        stack.push_async_callback(raw.close)
        yield Place(url, database, raw)


def fact(key: UUID, number: int = 1) -> CapacityChanged:
    """The data of an event: about 190 bytes."""
    return CapacityChanged(cluster_id=key, consortium_id=key, mentor_capacity=number, learner_capacity=1)


def stored(data: CapacityChanged, version: int) -> Stored:
    """An event as `outbox.put` writes it, for peers that write it themselves."""
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
    """Aggregates."""
    return [clock.new_id() for _ in range(count)]


def events(count: int) -> list[Stored]:
    """That many events of 1,000 aggregates, taking turns."""
    aggregates = keys()
    return [stored(fact(aggregates[n % KEYS], n), n // KEYS + 1) for n in range(count)]


def records(count: int) -> list[Record]:
    """The same as the transport carries them."""
    return [event.record() for event in events(count)]


class Tap:
    """A receiver in front of an inbox: knows when how much has arrived, and under which topic it reads.

    Args:
        inner: the inbox; None only counts.
        topic: what it subscribes to. The records are passed on as of TOPIC.
        consumer: its name, also the Kafka group.
    """

    def __init__(self, inner: Receiver | None, topic: str, consumer: str) -> None:
        self._inner, self.consumer, self.topics = inner, consumer, frozenset({topic})
        self.count = 0
        self.first: Callable[[int], None] | None = None
        self._wanted, self._complete = 0, asyncio.Event()

    async def receive(self, records: Sequence[tuple[str, Record]]) -> None:
        """Pass on and count. The first call, which may have waited for the group, is told to `first`."""
        if self._inner is not None:
            await self._inner.receive([(TOPIC, record) for _, record in records])
        self.count += len(records)
        if self.first is not None:
            self.first(len(records))
            self.first = None
        if self.count >= self._wanted > 0:
            self._complete.set()

    def again(self) -> None:
        """Count from nothing."""
        self.count = self._wanted = 0
        self._complete.clear()

    async def until(self, count: int, deadline: float = 120.0) -> None:
        """Wait until that many have arrived."""
        self._wanted = count
        if self.count < count:
            async with asyncio.timeout(deadline):
                await self._complete.wait()


async def warmed(transport: Transport, topic: str) -> None:
    """Let a transport connect: the first send may take a second."""
    async with asyncio.timeout(30):
        while True:
            with suppress(TransportError):
                await transport.send(topic, records(1))
                return


class Renamed(WireAround):
    """A transport on which every topic is another one, so that no bench reads what an earlier one has sent."""

    def __init__(self, transport: Transport, topic: str) -> None:
        super().__init__(transport)
        self._topic = topic

    async def send(self, _: str, records: Sequence[Record]) -> None:
        """Send on the topic given."""
        await self._transport.send(self._topic, records)
