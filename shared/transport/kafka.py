"""Transport over Kafka: sends idempotent batches per partition, and receives raw bytes into the inbox.

Inwards FastStream runs one batch subscriber per service. Its parser would decode every header as UTF-8, and its ack
policies lose or spin on failures; so it gets a parser that decodes nothing, a handler that does not fail (it waits
while the inbox's database is away), and offsets are committed by time once the inbox has the records.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.partitioner import murmur2
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage

from shared.background import every
from shared.events.envelope import Record
from shared.transport import Receiver, TransportError
from shared.transport.ingest import MAX_RETRY_SECONDS, PROGRESS_CHECK_SECONDS, Ingest
from shared.transport.kafka_assignment import KafkaAssignment
from shared.transport.kafka_connection import CONNECTION_ERRORS, KafkaConnectionSettings

DEADLINE = 5.0
"""Seconds for the acknowledgement of a send, and for each stop."""
START_DEADLINE = 30.0
_GRACE = 2.0
"""Seconds to finish the current batch at the end: below DEADLINE, so that the member can still leave its group."""
_MAX_BATCH = 512 * 1024

_log = structlog.get_logger(__name__)


class KafkaTransport:
    """The Kafka client of one service.

    Args:
        servers: bootstrap servers (host:port), or settings with a user.
        client: the service's name.
        progress_check: seconds between two queries of the end offsets.
        max_retry: maximum seconds between two attempts to store records in the inbox.
    """

    def __init__(
        self,
        servers: str | KafkaConnectionSettings,
        client: str,
        *,
        progress_check: float = PROGRESS_CHECK_SECONDS,
        max_retry: float = MAX_RETRY_SECONDS,
    ) -> None:
        self._connection, self._client = KafkaConnectionSettings.to(servers), client
        self._progress_check, self._max_retry = progress_check, max_retry
        self._receivers: dict[str, Receiver] = {}
        self._reading: dict[str, Ingest] = {}
        self._lost: Counter[str] = Counter()
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._stopping: set[asyncio.Task[None]] = set()

    def attach(self, receiver: Receiver) -> None:
        """Read the receiver's topics as a member of the group named after its consumer."""
        self._receivers[receiver.consumer] = receiver

    def stalled(self) -> float:
        """Maximum over its partitions of the seconds for which records were available and none was read."""
        return max((ingest.stalled() for ingest in self._reading.values()), default=0.0)

    def lag(self) -> Mapping[str, int]:
        """Number of unread records in the partitions of this process, by topic."""
        return sum((Counter(ingest.lag) for ingest in self._reading.values()), Counter())

    def lost(self) -> Mapping[str, int]:
        """Number of records that the cluster deleted before this process read them, by topic."""
        return self._lost

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """Send the records and wait for the acknowledgement of all in-sync replicas."""
        try:
            async with asyncio.timeout(DEADLINE):
                producer = await self._started_producer()
                futures = [
                    await producer.send_batch(batch, topic, partition=partition)
                    async for partition, batch in self._batches(producer, topic, records)
                ]
                await asyncio.gather(*futures)
        except CONNECTION_ERRORS as error:
            self._discard_producer()
            message = f"{len(records)} records for {topic}: {self._connection.describe(error, f'write to {topic}')}"
            raise TransportError(message) from error

    async def _batches(self, producer: AIOKafkaProducer, topic: str, records: Sequence[Record]) -> Any:  # noqa: ANN401
        partitions = sorted(await producer.partitions_for(topic))
        by_partition: dict[int, list[Record]] = defaultdict(list)
        for record in records:
            by_partition[partitions[_partition_hash(record.key or b"") % len(partitions)]].append(record)
        for partition, records_of_partition in by_partition.items():
            for batch in _full_batches(producer, records_of_partition):
                yield partition, batch

    async def _started_producer(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **self._connection.options(),
                    client_id=self._client,
                    acks="all",
                    enable_idempotence=True,
                    max_batch_size=_MAX_BATCH,
                    request_timeout_ms=int(DEADLINE * 1000),
                )
                try:
                    await producer.start()
                except BaseException:
                    self._stop(producer)
                    raise
                self._producer = producer
            return self._producer

    def _discard_producer(self) -> None:
        """Replace a producer after a failure: its next send might hang, and a new one is cheap."""
        producer, self._producer = self._producer, None
        if producer is not None:
            self._stop(producer)

    async def run(self) -> None:
        """Read for every receiver, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for receiver in self._receivers.values():
                group.create_task(self._read(receiver))
            await asyncio.Event().wait()

    async def _read(self, receiver: Receiver) -> None:
        await every(1.0, partial(self._read_until_failed, receiver), job="reading from Kafka")

    async def _read_until_failed(self, receiver: Receiver) -> None:
        try:
            await self._subscribe(receiver)
        except CONNECTION_ERRORS as error:
            topics = ", ".join(sorted(receiver.topics))
            reason = self._connection.describe(error, f"read {topics} as group {receiver.consumer}")
            _log.warning("reading from Kafka failed, retrying", consumer=receiver.consumer, reason=reason)

    def _broker(self) -> KafkaBroker:
        # Errors in FastStream's own loop appear in its log only.
        return KafkaBroker(
            self._connection.servers,
            client_id=self._client,
            security=self._connection.security(),
            logger=logging.getLogger(__name__),
            log_level=logging.DEBUG,
            graceful_timeout=_GRACE,
            consumer_only=True,  # else it would create topics, with one partition and a week's retention
        )

    async def _subscribe(self, receiver: Receiver) -> None:
        """Read for a receiver until cancelled, as one member of its group.

        Raises:
            KafkaError, TimeoutError, OSError: the broker is absent at the start, or the member has failed or lost its
                rights.
        """
        broker = self._broker()
        assignment = KafkaAssignment(receiver.consumer, lambda: subscriber.consumer, self._lost)
        ingest = Ingest(receiver, assignment, progress_check=self._progress_check, max_retry=self._max_retry)
        subscriber = broker.subscriber(
            *sorted(receiver.topics),
            batch=True,
            group_id=receiver.consumer,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            max_records=1000,
            batch_timeout_ms=10,
            parser=ingest.read,
            decoder=_no_decoding,
            listener=assignment,
        )
        subscriber(ingest.store)
        consumer: AIOKafkaConsumer | None = None
        try:
            async with asyncio.timeout(START_DEADLINE):
                await broker.start()
            consumer = subscriber.consumer
            self._reading[receiver.consumer] = ingest
            _log.info("reading from Kafka", consumer=receiver.consumer, topics=sorted(receiver.topics))
            await ingest.run(consumer)
        finally:
            self._reading.pop(receiver.consumer, None)
            if consumer is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_GRACE):
                        await assignment.release()
            await asyncio.wait([self._stop(broker)], timeout=DEADLINE)

    def _stop(self, client: KafkaBroker | AIOKafkaProducer) -> "asyncio.Task[None]":
        """Stop a client in the background. During an outage the stop can hang, and ends when the broker is back.

        A cancelled stop would never end: a producer goes on sending, a member keeps its partitions.
        """
        stopping = asyncio.create_task(_stop_quietly(client))
        self._stopping.add(stopping)
        stopping.add_done_callback(self._stopping.discard)
        return stopping

    async def close(self) -> None:
        """Stop the producer. Its pending records were never acknowledged."""
        self._discard_producer()
        if self._stopping:
            await asyncio.wait(self._stopping, timeout=DEADLINE)


@lru_cache(65_536)
def _partition_hash(key: bytes) -> int:
    """As Kafka's own clients choose partitions. Cached: it costs more than the rest of sending a record."""
    return int(murmur2(key)) & 0x7FFFFFFF


def _full_batches(producer: AIOKafkaProducer, records: Sequence[Record]) -> Iterator[Any]:
    batch = producer.create_batch()
    for record in records:
        message = {"key": record.key, "value": record.value, "headers": list(record.headers), "timestamp": None}
        if batch.append(**message) is None:
            yield batch
            batch = producer.create_batch()
            batch.append(**message)
    yield batch


async def _no_decoding(message: KafkaMessage) -> bytes:
    return bytes(message.body)


async def _stop_quietly(client: KafkaBroker | AIOKafkaProducer) -> None:
    with suppress(*CONNECTION_ERRORS):
        await client.stop()
