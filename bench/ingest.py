"""A4: from Kafka into the inbox, beside the insert alone and beside one message at a time."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter, process_time
from uuid import uuid4

from aiokafka import AIOKafkaConsumer

from bench.harness import Bench, Goal, Metrics, running, watch
from bench.kafka_send import batches
from bench.servers import Stage
from bench.world import TOPIC, Place, Tap, fact, keys, place, records, stored, warmed
from shared.events.envelope import Record
from shared.events.members import CapacityChanged
from shared.inbox import Consumer, Inbox
from shared.inbox.receive import event_id_of, pack
from shared.transport.kafka import KafkaTransport

COUNT = 40_000
SINGLY = 300
BATCH = 1000
"""What the subscription reads at once, at most."""
_MANY = """
    INSERT INTO inbox (consumer, event_id, partition_key, topic, key, headers, value)
    SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::bytea[], $6::bytea[], $7::bytea[])
    ON CONFLICT DO NOTHING
"""
_ONE = """
    INSERT INTO inbox (consumer, event_id, partition_key, topic, key, headers, value)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT DO NOTHING
"""


def nothing(name: str = "bench") -> Consumer:
    """A consumer that wants everything and does nothing."""
    consumer = Consumer(name)

    @consumer.on(CapacityChanged)
    async def ignore(*_: object) -> None:
        pass

    return consumer


class Ingest:
    """The ways from records to rows of the inbox."""

    def __init__(self, here: Place, servers: str, topic: str) -> None:
        self._here, self._servers, self._topic = here, servers, topic
        self._inbox = Inbox(here.database, nothing())

    async def kei(self, count: int = COUNT) -> Metrics:
        """`KafkaTransport` into `Inbox`. The clock runs from the first batch on: joining a group is no part of it."""
        await self._emptied()
        transport = KafkaTransport(self._servers, "bench")
        tap = Tap(self._inbox, self._topic, f"bench-{uuid4().hex}")
        began: list[float] = []
        tap.first = lambda number: began.extend((number, perf_counter(), process_time()))
        transport.attach(tap)
        async with running(transport.run()):
            await tap.until(count)
            ended, processor = perf_counter(), process_time()
        await transport.close()
        items = count - began[0]
        return {"rate": items / (ended - began[1]), "cpu": (processor - began[2]) / items * 1e6}

    async def insert(self, count: int = COUNT) -> Metrics:
        """`Inbox.receive` without Kafka."""
        await self._emptied()
        pieces = [[(TOPIC, one) for one in batch] for batch in batches(records(count), BATCH)]
        with watch() as clock:
            for piece in pieces:
                await self._inbox.receive(piece)
        return clock.per(count)

    async def driver(self, count: int = COUNT) -> Metrics:
        """The driver alone: the same rows, their columns made before the clock runs."""
        await self._emptied()
        pieces = [_columns(batch) for batch in batches(records(count), BATCH)]
        with watch() as clock:
            for piece in pieces:
                await self._here.raw.execute(_MANY, "bench", *piece)
        return clock.per(count)

    async def singly(self) -> Metrics:
        """A usual consumer: one message, one insert, one commit of its offset."""
        await self._emptied()
        consumer = AIOKafkaConsumer(
            self._topic,
            bootstrap_servers=self._servers,
            group_id=f"bench-{uuid4().hex}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            await consumer.getone()
            with watch() as clock:
                for _ in range(SINGLY):
                    message = await consumer.getone()
                    record = Record(message.key, tuple(message.headers), message.value)
                    await self._here.raw.execute(_ONE, "bench", *(column[0] for column in _columns([record])))
                    await consumer.commit()
        finally:
            await consumer.stop()
        return clock.per(SINGLY)

    async def _emptied(self) -> None:
        await self._here.empty("inbox")
        await self._here.settle()


def _columns(batch: Sequence[Record]) -> list[list[object]]:
    one = stored(fact(keys(1)[0]), 1)
    return [
        [event_id_of(TOPIC, record) for record in batch],
        [one.key for _ in batch],
        [TOPIC for _ in batch],
        [record.key for record in batch],
        [pack(record.headers) for record in batch],
        [record.value for record in batch],
    ]


async def produced(stage: Stage, count: int) -> str:
    """A topic with that many records."""
    topic = await stage.topic()
    transport = KafkaTransport(await stage.kafka(), "bench")
    await warmed(transport, topic)
    for batch in batches(records(count - 1), 2000):
        await transport.send(topic, batch)
    await transport.close()
    return topic


@asynccontextmanager
async def a4(stage: Stage) -> AsyncIterator[Bench]:
    """Ingest."""
    topic = await produced(stage, COUNT)
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(place(stage))
        ways = Ingest(here, await stage.kafka(), topic)
        yield Bench(
            f"records from 8 partitions into the inbox ({COUNT:,} of them)",
            {
                "kei: KafkaWire into Inbox": ways.kei,
                "Inbox.receive alone, 1000 at a time": ways.insert,
                "asyncpg insert alone, 1000 at a time": ways.driver,
                "one message, one insert, one offset": ways.singly,
            },
            [
                Goal(
                    "A4",
                    "records/s to the insert alone",
                    "kei: KafkaWire into Inbox",
                    "Inbox.receive alone, 1000 at a time",
                    0.9,
                ),
                Goal(
                    "A4",
                    "records/s to a message at a time",
                    "kei: KafkaWire into Inbox",
                    "one message, one insert, one offset",
                    70,
                ),
                Goal(
                    "A4",
                    "the insert alone to the driver's, columns ready made",
                    "Inbox.receive alone, 1000 at a time",
                    "asyncpg insert alone, 1000 at a time",
                ),
            ],
        )
