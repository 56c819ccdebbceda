"""Sending events to Kafka: keyed, idempotent, acknowledged by all in-sync replicas."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer

from bench.harness import Bench, Goal, Metrics, watch
from bench.servers import Servers
from bench.world import records, warm_up
from shared.events.envelope import Record
from shared.transport.kafka import KafkaTransport

COUNT = 20_000
BATCH = 500
"""Batch size of the relay."""
_LINGER_MS = 5
_AIOKAFKA_BATCH = 256 * 1024


class KafkaSendVariants:
    """Variants of sending the same records."""

    def __init__(self, transport: KafkaTransport, producer: AIOKafkaProducer, confluent: Producer, topic: str) -> None:
        self._transport, self._producer, self._confluent, self._topic = transport, producer, confluent, topic
        self._records = records(COUNT)

    async def kei(self) -> Metrics:
        """`KafkaTransport.send`, all records in one call, as the peers do."""
        with watch() as clock:
            await self._transport.send(self._topic, self._records)
        return clock.per(COUNT)

    async def kei_in_batches(self) -> Metrics:
        """As in the relay: each batch is acknowledged before the next one is sent."""
        with watch() as clock:
            for batch in batches(self._records, BATCH):
                await self._transport.send(self._topic, batch)
        return clock.per(COUNT)

    async def aiokafka(self) -> Metrics:
        """Each record by `send`, all awaited at the end."""
        with watch() as clock:
            futures = [
                await self._producer.send(self._topic, record.value, key=record.key, headers=list(record.headers))
                for record in self._records
            ]
            await asyncio.gather(*futures)
        return clock.per(COUNT)

    async def confluent(self) -> Metrics:
        """Each record by `produce` with a callback, flushed at the end."""
        with watch() as clock:
            failures_count = await asyncio.to_thread(self._produce)
        if failures_count:
            message = f"{failures_count} records were not delivered"
            raise RuntimeError(message)
        return clock.per(COUNT)

    def _produce(self) -> int:
        failures = 0

        def delivered(error: object, _: object) -> None:
            nonlocal failures
            failures += error is not None

        for record in self._records:
            self._confluent.produce(
                self._topic, record.value, record.key, headers=list(record.headers), on_delivery=delivered
            )
            self._confluent.poll(0)
        return failures + int(self._confluent.flush(30))


def batches(items: Sequence[Record], size: int) -> list[Sequence[Record]]:
    """Batches of that size."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def _aiokafka(bootstrap_servers: str) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers,
        acks="all",
        enable_idempotence=True,
        linger_ms=_LINGER_MS,
        max_batch_size=_AIOKAFKA_BATCH,
    )


def _confluent(bootstrap_servers: str) -> Producer:
    return Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": _LINGER_MS,
            "partitioner": "murmur2_random",
            "log_level": 0,  # it outlives the broker by a moment and would log that
        }
    )


@asynccontextmanager
async def kafka_send_bench(servers: Servers) -> AsyncIterator[Bench]:
    """Sends to Kafka."""
    bootstrap_servers = await servers.kafka_address()
    topic = await servers.create_topic()
    async with AsyncExitStack() as stack:
        transport = KafkaTransport(bootstrap_servers, "bench")
        stack.push_async_callback(transport.close)
        await warm_up(transport, topic)
        producer = _aiokafka(bootstrap_servers)
        await producer.start()
        stack.push_async_callback(producer.stop)
        variants = KafkaSendVariants(transport, producer, _confluent(bootstrap_servers), topic)
        yield Bench(
            "records to 8 partitions, acks=all",
            {
                "kei: KafkaTransport.send": variants.kei,
                "kei: KafkaTransport.send, 500 at a time": variants.kei_in_batches,
                "aiokafka send": variants.aiokafka,
                "confluent produce": variants.confluent,
            },
            [
                Goal("kafka-send", "records/s to aiokafka send", "kei: KafkaTransport.send", "aiokafka send", 5),
                Goal(
                    "kafka-send", "records/s to confluent produce", "kei: KafkaTransport.send", "confluent produce", 1
                ),
                Goal(
                    "kafka-send",
                    "500 at a time to aiokafka send",
                    "kei: KafkaTransport.send, 500 at a time",
                    "aiokafka send",
                ),
            ],
            slices=2,
            warm=4,
        )
