"""From Kafka into an inbox: records are kept first, their offsets committed by time. What is read again is a repeat."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from time import monotonic
from typing import Annotated

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError
from faststream import Context
from faststream.kafka.message import KafkaMessage
from sqlalchemy.exc import SQLAlchemyError

from shared.clock import jitter
from shared.events.envelope import Record
from shared.failpoints import failpoint
from shared.transport import Receiver
from shared.transport.kafka_connection import DENIED
from shared.transport.lost_records import CONNECTION_ERRORS, RESPONSE_TIMEOUT, LostRecordsDetector

COMMIT_SECONDS = 0.2
PROGRESS_CHECK_SECONDS = 5.0
MAX_RETRY_SECONDS = 5.0
_POSITION = 1.0

_log = structlog.get_logger(__name__)


class Ingest:
    """What one consumer group's member does with what it reads, and how far it is behind.

    Args:
        receiver: the inbox.
        gaps: is told what was read.
        look_every: seconds between two looks at how far the topics are.
        longest_wait: seconds between two tries of an inbox that takes nothing, at most.
    """

    def __init__(
        self,
        receiver: Receiver,
        gaps: LostRecordsDetector,
        *,
        look_every: float = PROGRESS_CHECK_SECONDS,
        longest_wait: float = MAX_RETRY_SECONDS,
    ) -> None:
        self._receiver, self._gaps = receiver, gaps
        self._look_every, self._longest_wait = look_every, longest_wait
        self._kept: dict[TopicPartition, int] = {}
        self._in_hand: dict[TopicPartition, int] = {}
        self._read: dict[TopicPartition, int] = {}
        self._waiting: dict[TopicPartition, float] = {}
        self.lag: Mapping[str, int] = {}

    def stalled(self) -> float:
        """Seconds for which a partition of this member has had something to read, and nothing of it was kept."""
        return max((monotonic() - since for since in self._waiting.values()), default=0.0)

    async def keep(self, message: Annotated[KafkaMessage, Context("message")]) -> None:
        """Keep a batch, however long the inbox takes. Raising here would lose it."""
        batch: tuple[ConsumerRecord[bytes, bytes], ...] = message.raw_message
        parts = {
            TopicPartition(*part): [one.offset for one in records]
            for part, records in groupby(batch, key=lambda one: (one.topic, one.partition))
        }
        self._in_hand = {part: offsets[0] for part, offsets in parts.items()}
        for part, offsets in parts.items():
            self._gaps.note(part, offsets)
        await self._receive([(one.topic, Record(one.key, tuple(one.headers), one.value)) for one in batch])
        self._in_hand = {}
        self._kept |= {part: offsets[-1] + 1 for part, offsets in parts.items()}

    async def _receive(self, records: Sequence[tuple[str, Record]]) -> None:
        failures, size = 0, len(records)
        while records:
            try:
                await self._receiver.receive(records[:size])
            except Exception as error:  # noqa: BLE001  whatever it is, FastStream would drop the batch and read on
                failures += 1
                size = max(1, size // 2)  # what does not get through at once may in parts
                _log.warning("inbox does not take records", consumer=self._receiver.consumer, reason=repr(error))
                if isinstance(error, SQLAlchemyError | OSError):
                    self._waiting = dict.fromkeys(self._waiting, monotonic())
                await asyncio.sleep(jitter(min(0.1 * 2 ** min(failures, 8), self._longest_wait)))
            else:
                records, failures = records[size:], 0
                if records:
                    self._waiting = dict.fromkeys(self._waiting, monotonic())

    async def run(self, consumer: AIOKafkaConsumer) -> None:
        """Commit offsets, and look how far the topics are, until cancelled.

        Raises:
            KafkaError: this member has given up, or lost its rights, and reads no more by itself.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._commit_offsets(consumer))
                group.create_task(self._look_ahead(consumer))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors

    async def _commit_offsets(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            await self.commit(consumer)

    async def commit(self, consumer: AIOKafkaConsumer) -> None:
        """Commit what was kept since the last time. Failing is no loss: the records come again.

        Raises:
            KafkaError: this member may not.
        """
        mine = consumer.assignment()
        kept, self._kept = {part: offset for part, offset in self._kept.items() if part in mine}, {}
        if not kept:
            return
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT):
                await consumer.commit(kept)
            failpoint("ingest.committed")
        except DENIED:
            raise
        except CONNECTION_ERRORS as error:
            _log.info("offsets not committed", consumer=self._receiver.consumer, reason=repr(error))

    async def _look_ahead(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            await self._look(consumer)
            await asyncio.sleep(self._look_every)

    async def _look(self, consumer: AIOKafkaConsumer) -> None:
        """Ask the broker, not the consumer: one that has silently stopped would not know of anything new."""
        mine = list(consumer.assignment())
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT):
                ends = await consumer.end_offsets(mine) if mine else {}
        except DENIED:  # a member stays without its rights when they are given back; a new one has them
            raise
        except CONNECTION_ERRORS as error:
            _log.warning("Kafka does not say how far it is", consumer=self._receiver.consumer, reason=repr(error))
            self._waiting = {}
            return
        # The broker answers: what the client cannot get over now, it never will, and tells only who asks.
        positions = await asyncio.gather(*(_position(consumer, part) for part in ends))
        self._note(ends, {part: self._in_hand.get(part, at) for part, at in zip(ends, positions, strict=True)})

    def _note(self, ends: Mapping[TopicPartition, int], read: dict[TopicPartition, int]) -> None:
        now = monotonic()
        lag = Counter({part.topic: 0 for part in ends})
        waiting = {}
        for part, at in read.items():
            if at < ends[part]:
                lag[part.topic] += ends[part] - max(at, 0)
                moved = at != self._read.get(part)
                waiting[part] = now if moved else self._waiting.get(part, now)
        self.lag, self._read, self._waiting = lag, read, waiting


async def _position(consumer: AIOKafkaConsumer, part: TopicPartition) -> int:
    """Where the consumer reads on; -1 while it does not know, or no longer reads there."""
    try:
        async with asyncio.timeout(_POSITION):
            position: int = await consumer.position(part)
    except (TimeoutError, IllegalStateError):
        return -1
    return position
