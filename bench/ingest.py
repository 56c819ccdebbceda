"""From Kafka into the inbox, compared with the insert alone and with single messages."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter, process_time
from uuid import uuid4

from aiokafka import AIOKafkaConsumer

from bench.harness import Bench, Goal, Metrics, running, watch
from bench.kafka_send import batches
from bench.servers import Servers
from bench.world import (
    TOPIC,
    BenchDatabase,
    CountingReceiver,
    bench_database,
    capacity_changed,
    keys,
    records,
    stored_event,
    warm_up,
)
from shared.events.envelope import Record
from shared.events.members import CapacityChanged
from shared.inbox import Consumer, Inbox
from shared.inbox.receive import event_id_of, pack
from shared.transport.kafka import KafkaTransport

COUNT = 40_000
ONE_BY_ONE_COUNT = 300
BATCH = 1000
"""Largest batch that a subscription reads."""
_INSERT_MANY = """
    INSERT INTO inbox (consumer, event_id, partition_key, topic, key, headers, value)
    SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::bytea[], $6::bytea[], $7::bytea[])
    ON CONFLICT DO NOTHING
"""
_INSERT_ONE = """
    INSERT INTO inbox (consumer, event_id, partition_key, topic, key, headers, value)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT DO NOTHING
"""


def ignoring_consumer(name: str = "bench") -> Consumer:
    """A consumer that handles all events by doing nothing."""
    consumer = Consumer(name)

    @consumer.on(CapacityChanged)
    async def ignore(*_: object) -> None:
        pass

    return consumer


class IngestVariants:
    """Variants of inserting records into the inbox."""

    def __init__(self, db: BenchDatabase, bootstrap_servers: str, topic: str) -> None:
        self._db, self._bootstrap_servers, self._topic = db, bootstrap_servers, topic
        self._inbox = Inbox(db.database, ignoring_consumer())

    async def kei(self, count: int = COUNT) -> Metrics:
        """`KafkaTransport` into `Inbox`. The clock starts at the first batch, after the group was joined."""
        await self._reset()
        transport = KafkaTransport(self._bootstrap_servers, "bench")
        receiver = CountingReceiver(self._inbox, self._topic, f"bench-{uuid4().hex}")
        start: list[float] = []
        receiver.on_first_batch = lambda number: start.extend((number, perf_counter(), process_time()))
        transport.attach(receiver)
        async with running(transport.run()):
            await receiver.wait_for(count)
            end, processor = perf_counter(), process_time()
        await transport.close()
        items = count - start[0]
        return {"rate": items / (end - start[1]), "cpu": (processor - start[2]) / items * 1e6}

    async def insert(self, count: int = COUNT) -> Metrics:
        """`Inbox.receive` without Kafka."""
        await self._reset()
        chunks = [[(TOPIC, record) for record in batch] for batch in batches(records(count), BATCH)]
        with watch() as clock:
            for chunk in chunks:
                await self._inbox.receive(chunk)
        return clock.per(count)

    async def driver(self, count: int = COUNT) -> Metrics:
        """Asyncpg alone: the same rows, their columns prepared before the clock runs."""
        await self._reset()
        chunks = [_columns(batch) for batch in batches(records(count), BATCH)]
        with watch() as clock:
            for chunk in chunks:
                await self._db.raw.execute(_INSERT_MANY, "bench", *chunk)
        return clock.per(count)

    async def one_by_one(self) -> Metrics:
        """A simple consumer: one message, one insert, one commit of its offset."""
        await self._reset()
        consumer = AIOKafkaConsumer(
            self._topic,
            bootstrap_servers=self._bootstrap_servers,
            group_id=f"bench-{uuid4().hex}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            await consumer.getone()
            with watch() as clock:
                for _ in range(ONE_BY_ONE_COUNT):
                    message = await consumer.getone()
                    record = Record(message.key, tuple(message.headers), message.value)
                    await self._db.raw.execute(_INSERT_ONE, "bench", *(column[0] for column in _columns([record])))
                    await consumer.commit()
        finally:
            await consumer.stop()
        return clock.per(ONE_BY_ONE_COUNT)

    async def _reset(self) -> None:
        await self._db.empty("inbox")
        await self._db.checkpoint()


def _columns(batch: Sequence[Record]) -> list[list[object]]:
    event = stored_event(capacity_changed(keys(1)[0]), 1)
    return [
        [event_id_of(TOPIC, record) for record in batch],
        [event.key for _ in batch],
        [TOPIC for _ in batch],
        [record.key for record in batch],
        [pack(record.headers) for record in batch],
        [record.value for record in batch],
    ]


async def filled_topic(servers: Servers, count: int) -> str:
    """A topic with that many records."""
    topic = await servers.create_topic()
    transport = KafkaTransport(await servers.kafka_address(), "bench")
    await warm_up(transport, topic)
    for batch in batches(records(count - 1), 2000):
        await transport.send(topic, batch)
    await transport.close()
    return topic


@asynccontextmanager
async def ingest_bench(servers: Servers) -> AsyncIterator[Bench]:
    """Inserts into the inbox."""
    topic = await filled_topic(servers, COUNT)
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(bench_database(servers))
        variants = IngestVariants(db, await servers.kafka_address(), topic)
        yield Bench(
            f"records from 8 partitions into the inbox ({COUNT:,} of them)",
            {
                "kei: KafkaTransport into Inbox": variants.kei,
                "Inbox.receive alone, 1000 at a time": variants.insert,
                "asyncpg insert alone, 1000 at a time": variants.driver,
                "one message, one insert, one offset": variants.one_by_one,
            },
            [
                Goal(
                    "ingest",
                    "records/s to the insert alone",
                    "kei: KafkaTransport into Inbox",
                    "Inbox.receive alone, 1000 at a time",
                    0.9,
                ),
                Goal(
                    "ingest",
                    "records/s to a message at a time",
                    "kei: KafkaTransport into Inbox",
                    "one message, one insert, one offset",
                    70,
                ),
                Goal(
                    "ingest",
                    "the insert alone to asyncpg's with prepared columns",
                    "Inbox.receive alone, 1000 at a time",
                    "asyncpg insert alone, 1000 at a time",
                ),
            ],
        )
