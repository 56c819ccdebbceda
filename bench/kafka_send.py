"""A3: events to Kafka, keyed and idempotent, acknowledged by all replicas in sync."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer

from bench.harness import Bench, Goal, Metrics, watch
from bench.servers import Stage
from bench.world import records, warmed
from shared.events.envelope import Record
from shared.transport.kafka import KafkaTransport

COUNT = 20_000
BATCH = 500
"""What the relay sends at once."""
_LINGER = 5
_AIOKAFKA_BATCH = 256 * 1024


class Sending:
    """The ways to send the same records."""

    def __init__(self, transport: KafkaTransport, producer: AIOKafkaProducer, confluent: Producer, topic: str) -> None:
        self._transport, self._producer, self._confluent, self._topic = transport, producer, confluent, topic
        self._records = records(COUNT)

    async def kei(self) -> Metrics:
        """`KafkaWire.send`, all at once: what the peers do too."""
        with watch() as clock:
            await self._transport.send(self._topic, self._records)
        return clock.per(COUNT)

    async def kei_in_batches(self) -> Metrics:
        """As the relay does: each batch is acknowledged before the next is sent."""
        with watch() as clock:
            for batch in batches(self._records, BATCH):
                await self._transport.send(self._topic, batch)
        return clock.per(COUNT)

    async def aiokafka(self) -> Metrics:
        """Each record by `send`, all awaited at the end."""
        with watch() as clock:
            futures = [
                await self._producer.send(self._topic, one.value, key=one.key, headers=list(one.headers))
                for one in self._records
            ]
            await asyncio.gather(*futures)
        return clock.per(COUNT)

    async def confluent(self) -> Metrics:
        """Each record by `produce` with a callback, flushed at the end."""
        with watch() as clock:
            failed = await asyncio.to_thread(self._produce)
        if failed:
            message = f"{failed} records were not taken"
            raise RuntimeError(message)
        return clock.per(COUNT)

    def _produce(self) -> int:
        failures = 0

        def delivered(error: object, _: object) -> None:
            nonlocal failures
            failures += error is not None

        for one in self._records:
            self._confluent.produce(self._topic, one.value, one.key, headers=list(one.headers), on_delivery=delivered)
            self._confluent.poll(0)
        return failures + int(self._confluent.flush(30))


def batches(all_of_them: Sequence[Record], size: int) -> list[Sequence[Record]]:
    """In pieces of that size."""
    return [all_of_them[at : at + size] for at in range(0, len(all_of_them), size)]


def _aiokafka(servers: str) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        bootstrap_servers=servers,
        acks="all",
        enable_idempotence=True,
        linger_ms=_LINGER,
        max_batch_size=_AIOKAFKA_BATCH,
    )


def _confluent(servers: str) -> Producer:
    return Producer(
        {
            "bootstrap.servers": servers,
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": _LINGER,
            "partitioner": "murmur2_random",
            "log_level": 0,  # it outlives its broker by a moment, and would say so
        }
    )


@asynccontextmanager
async def a3(stage: Stage) -> AsyncIterator[Bench]:
    """Send."""
    servers = await stage.kafka()
    topic = await stage.topic()
    async with AsyncExitStack() as stack:
        transport = KafkaTransport(servers, "bench")
        stack.push_async_callback(transport.close)
        await warmed(transport, topic)
        producer = _aiokafka(servers)
        await producer.start()
        stack.push_async_callback(producer.stop)
        ways = Sending(transport, producer, _confluent(servers), topic)
        yield Bench(
            "records to 8 partitions, acks=all",
            {
                "kei: KafkaWire.send": ways.kei,
                "kei: KafkaWire.send, 500 at a time": ways.kei_in_batches,
                "aiokafka send": ways.aiokafka,
                "confluent produce": ways.confluent,
            },
            [
                Goal("A3", "records/s to aiokafka send", "kei: KafkaWire.send", "aiokafka send", 5),
                Goal("A3", "records/s to confluent produce", "kei: KafkaWire.send", "confluent produce", 1),
                Goal("A3", "500 at a time to aiokafka send", "kei: KafkaWire.send, 500 at a time", "aiokafka send"),
            ],
            slices=2,
            warm=4,
        )
