"""The wire over Kafka: idempotent batches built per partition on the way out, raw bytes into the inbox on the way in.

Inwards FastStream runs one batch subscriber per service. Its parser would decode every header as UTF-8, and its ack
policies lose or spin on failures; so it gets a parser that decodes nothing, a handler that does not fail (it waits
while the inbox's database is away), and offsets are committed by time once the inbox has the records. What is read
again is a repeat.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import groupby
from typing import Annotated, Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner
from faststream import AckPolicy, Context
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage
from sqlalchemy.exc import SQLAlchemyError

from shared.clock import jitter
from shared.events.envelope import Record
from shared.wire import Receiver, WireError

DEADLINE = 5.0
"""Seconds for a send to be acknowledged, and for anything to stop."""
START_DEADLINE = 30.0
COMMIT_EVERY = 0.2
_MAX_BATCH = 512 * 1024
_AWAY = (KafkaError, OSError, TimeoutError)

_log = structlog.get_logger(__name__)


class KafkaWire:
    """One service's access to a Kafka cluster.

    Args:
        servers: bootstrap servers, host:port.
        client: the service's name.
    """

    def __init__(self, servers: str, client: str) -> None:
        self._servers, self._client = servers, client
        self._receivers: dict[str, Receiver] = {}
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._partition = DefaultPartitioner()

    def attach(self, receiver: Receiver) -> None:
        """Read the receiver's topics as a member of the group named after its consumer."""
        self._receivers[receiver.consumer] = receiver

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """Send the records and wait until the cluster has them in all replicas that are in sync."""
        try:
            async with asyncio.timeout(DEADLINE):
                producer = await self._started_producer()
                futures = [
                    await producer.send_batch(batch, topic, partition=partition)
                    async for partition, batch in self._batches(producer, topic, records)
                ]
                await asyncio.gather(*futures)
        except _AWAY as error:
            await self._discard_producer()
            message = f"{len(records)} records for {topic}: {type(error).__name__} {error}"
            raise WireError(message) from error

    async def _batches(self, producer: AIOKafkaProducer, topic: str, records: Sequence[Record]) -> Any:  # noqa: ANN401
        available = sorted(await producer.partitions_for(topic))
        by_partition: dict[int, list[Record]] = defaultdict(list)
        for record in records:
            by_partition[self._partition(record.key, available, available)].append(record)
        for partition, chosen in by_partition.items():
            for batch in _full_batches(producer, chosen):
                yield partition, batch

    async def _started_producer(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._servers,
                    client_id=self._client,
                    acks="all",
                    enable_idempotence=True,
                    max_batch_size=_MAX_BATCH,
                    request_timeout_ms=int(DEADLINE * 1000),
                )
                try:
                    await producer.start()
                except BaseException:
                    await _stopped(producer)
                    raise
                self._producer = producer
            return self._producer

    async def _discard_producer(self) -> None:
        """A producer that failed once may hang in its next send; a new one is cheap."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stopped(producer)

    async def run(self) -> None:
        """Read for every receiver, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for receiver in self._receivers.values():
                group.create_task(self._read(receiver))
            await asyncio.Event().wait()

    async def _read(self, receiver: Receiver) -> None:
        while True:
            try:
                async with self._subscribed(receiver) as ingest:
                    _log.info("reading from Kafka", consumer=receiver.consumer, topics=sorted(receiver.topics))
                    await ingest.commit_offsets()
            except _AWAY as error:
                _log.warning("Kafka is away", consumer=receiver.consumer, reason=f"{type(error).__name__} {error}")
                await asyncio.sleep(jitter(1.0))

    @asynccontextmanager
    async def _subscribed(self, receiver: Receiver) -> Any:  # noqa: ANN401
        broker = KafkaBroker(self._servers, client_id=self._client, logger=None, graceful_timeout=DEADLINE)
        subscriber = broker.subscriber(
            *sorted(receiver.topics),
            batch=True,
            group_id=receiver.consumer,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            max_records=1000,
            batch_timeout_ms=10,
            parser=_undecoded,
            decoder=_no_decoding,
        )
        ingest = _Ingest(receiver)
        subscriber(ingest.keep)
        try:
            async with asyncio.timeout(START_DEADLINE):
                await broker.start()
            ingest.consumer = subscriber.consumer
            yield ingest
        finally:
            await ingest.commit_now()
            await _stopped(broker)

    async def close(self) -> None:
        """Stop the producer; what it still held was never acknowledged."""
        await self._discard_producer()


class _Ingest:
    """Records into the inbox, then their offsets to the broker."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._kept: dict[TopicPartition, int] = {}
        self.consumer: AIOKafkaConsumer | None = None

    async def keep(self, message: Annotated[KafkaMessage, Context("message")]) -> None:
        """Keep a batch, however long the inbox takes. Raising here would lose it."""
        batch: tuple[ConsumerRecord[bytes, bytes], ...] = message.raw_message
        records = [(one.topic, Record(one.key, tuple(one.headers), one.value)) for one in batch]
        failures = 0
        while True:
            try:
                await self._receiver.receive(records)
                break
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                failures += 1
                _log.warning("inbox does not take records", consumer=self._receiver.consumer, reason=str(error))
                await asyncio.sleep(jitter(min(0.1 * 2**failures, 5.0)))
        for (topic, partition), part in groupby(batch, key=lambda one: (one.topic, one.partition)):
            self._kept[TopicPartition(topic, partition)] = list(part)[-1].offset + 1

    async def commit_offsets(self) -> None:
        """Commit what was kept, at most each COMMIT_EVERY seconds, until cancelled."""
        while True:
            await asyncio.sleep(COMMIT_EVERY)
            await self.commit_now()

    async def commit_now(self) -> None:
        """Commit what was kept since the last time. Failing is no loss: the records come again."""
        if self.consumer is None:
            return
        mine = self.consumer.assignment()
        kept, self._kept = {part: offset for part, offset in self._kept.items() if part in mine}, {}
        if not kept:
            return
        try:
            async with asyncio.timeout(DEADLINE):
                await self.consumer.commit(kept)
        except _AWAY as error:
            _log.info("offsets not committed", consumer=self._receiver.consumer, reason=str(error))


def _full_batches(producer: AIOKafkaProducer, records: Sequence[Record]) -> Iterator[Any]:
    batch = producer.create_batch()
    for record in records:
        message = {"key": record.key, "value": record.value, "headers": list(record.headers), "timestamp": None}
        if batch.append(**message) is None:
            yield batch
            batch = producer.create_batch()
            batch.append(**message)
    yield batch


async def _undecoded(batch: tuple[ConsumerRecord[bytes, bytes], ...]) -> KafkaMessage:
    return KafkaMessage(raw_message=batch, body=b"", consumer=None)  # type: ignore[arg-type]  # unused when nothing is acked


async def _no_decoding(message: KafkaMessage) -> bytes:
    return bytes(message.body)


async def _stopped(client: KafkaBroker | AIOKafkaProducer) -> None:
    """Stop a client within the deadline: it can hang while the broker is away."""
    with suppress(*_AWAY):
        async with asyncio.timeout(DEADLINE):
            await client.stop()
