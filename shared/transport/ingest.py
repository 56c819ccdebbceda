"""From Kafka into an inbox: records are stored first and their offsets committed later, so some are read twice."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from time import monotonic
from typing import Annotated, TypeAlias

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError
from faststream import Context
from faststream.kafka.message import KafkaMessage
from sqlalchemy.exc import SQLAlchemyError

from shared.clock import jitter
from shared.events.envelope import Record
from shared.transport import Receiver
from shared.transport.kafka_assignment import KafkaAssignment
from shared.transport.kafka_connection import CONNECTION_ERRORS, DENIED, RESPONSE_TIMEOUT

PROGRESS_CHECK_SECONDS = 5.0
MAX_RETRY_SECONDS = 5.0
_POSITION_TIMEOUT = 1.0

Batch: TypeAlias = tuple[ConsumerRecord[bytes, bytes], ...]

_log = structlog.get_logger(__name__)


class Ingest:
    """Stores what one member of a consumer group reads, and measures its lag.

    Args:
        receiver: the inbox.
        assignment: the partitions of this member.
        progress_check: seconds between two measurements of the lag.
        max_retry: the longest pause in seconds before a failed batch is stored again.
    """

    def __init__(
        self,
        receiver: Receiver,
        assignment: KafkaAssignment,
        *,
        progress_check: float = PROGRESS_CHECK_SECONDS,
        max_retry: float = MAX_RETRY_SECONDS,
    ) -> None:
        self._receiver, self._assignment = receiver, assignment
        self._progress_check, self._max_retry = progress_check, max_retry
        self._unstored: dict[TopicPartition, int] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._stalled_since: dict[TopicPartition, float] = {}
        self.lag: Mapping[str, int] = {}

    def stalled(self) -> float:
        """Seconds for which a partition of this member has had records to read, and none of them was stored."""
        return max((monotonic() - since for since in self._stalled_since.values()), default=0.0)

    async def read(self, batch: Batch) -> KafkaMessage:
        """Take a batch over from the consumer: FastStream's parser, called before anything else can happen.

        Nothing is decoded: FastStream would decode each header as UTF-8.
        """
        offsets = _offsets(batch)
        self._unstored = {part: part_offsets[0] for part, part_offsets in offsets.items()}
        self._assignment.read(offsets)
        return KafkaMessage(raw_message=batch, body=b"", consumer=None)  # type: ignore[arg-type]  # unused: nothing is acked

    async def store(self, message: Annotated[KafkaMessage, Context("message")]) -> None:
        """Store a batch, with retries without limit: an exception would make FastStream drop it."""
        batch: Batch = message.raw_message
        await self._receive(
            [(record.topic, Record(record.key, tuple(record.headers), record.value)) for record in batch]
        )
        self._unstored = {}
        self._assignment.stored(_offsets(batch))

    async def _receive(self, records: Sequence[tuple[str, Record]]) -> None:
        failures, size = 0, len(records)
        while records:
            try:
                await self._receiver.receive(records[:size])
            except Exception as error:  # noqa: BLE001  whatever it is, FastStream would drop the batch and read on
                failures += 1
                size = max(1, size // 2)  # what does not get through at once may in parts
                _log.warning("storing records failed, retrying", consumer=self._receiver.consumer, reason=repr(error))
                if isinstance(error, SQLAlchemyError | OSError):
                    self._restart_stall_clocks()
                await asyncio.sleep(jitter(min(0.1 * 2 ** min(failures, 8), self._max_retry)))
            else:
                records, failures = records[size:], 0
                if records:
                    self._restart_stall_clocks()

    def _restart_stall_clocks(self) -> None:
        self._stalled_since = dict.fromkeys(self._stalled_since, monotonic())

    async def run(self, consumer: AIOKafkaConsumer) -> None:
        """Start partitions, commit offsets and measure the lag, until cancelled.

        Raises:
            KafkaError: this member has given up, or lost its rights, and reads no more by itself.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._assignment.start_partitions())
                group.create_task(self._assignment.commit_regularly())
                group.create_task(self._check_progress_regularly(consumer))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors

    async def _check_progress_regularly(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            await self._check_progress(consumer)
            await asyncio.sleep(self._progress_check)

    async def _check_progress(self, consumer: AIOKafkaConsumer) -> None:
        """Ask the broker, not the consumer: a consumer that has silently stopped does not know of new records."""
        assigned = list(consumer.assignment())
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT):
                ends = await consumer.end_offsets(assigned) if assigned else {}
        except DENIED:  # a member does not recover when its rights are given back; a new one does
            raise
        except CONNECTION_ERRORS as error:
            _log.warning("ends of the topics unknown", consumer=self._receiver.consumer, reason=repr(error))
            self._stalled_since = {}
            return
        # The broker answers. An error from which the client does not recover is raised by `position` only.
        positions = await asyncio.gather(*(_position(consumer, part) for part in ends))
        self._update(ends, {part: self._unstored.get(part, at) for part, at in zip(ends, positions, strict=True)})

    def _update(self, ends: Mapping[TopicPartition, int], positions: dict[TopicPartition, int]) -> None:
        now = monotonic()
        lag = Counter({part.topic: 0 for part in ends})
        stalled_since = {}
        for part, position in positions.items():
            if position < ends[part]:
                lag[part.topic] += ends[part] - max(position, 0)
                moved = position != self._positions.get(part)
                stalled_since[part] = now if moved else self._stalled_since.get(part, now)
        self.lag, self._positions, self._stalled_since = lag, positions, stalled_since


def _offsets(batch: Batch) -> dict[TopicPartition, list[int]]:
    by_partition = groupby(batch, key=lambda record: (record.topic, record.partition))
    return {TopicPartition(*part): [record.offset for record in records] for part, records in by_partition}


async def _position(consumer: AIOKafkaConsumer, part: TopicPartition) -> int:
    """The next offset to fetch; -1 while it is unknown or the partition is revoked."""
    try:
        async with asyncio.timeout(_POSITION_TIMEOUT):
            position: int = await consumer.position(part)
    except (TimeoutError, IllegalStateError):
        return -1
    return position
