"""The partitions that a consumer group has assigned to this member: where it starts, what it commits, what is lost."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError

from shared.failpoints import failpoint
from shared.transport.kafka_connection import CONNECTION_ERRORS, DENIED, RESPONSE_TIMEOUT
from shared.transport.lost_records import PartitionReading

COMMIT_SECONDS = 0.2

_log = structlog.get_logger(__name__)


class KafkaAssignment(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Connects a consumer of aiokafka with one `PartitionReading` for each partition.

    Fetching is paused from the assignment until the start of each partition is known, so that the position of the
    consumer is still the offset at which it started. What is stored is committed before a partition is given back, and
    nothing after that until the next start: a late commit would be taken for one of the next owner.

    Args:
        group: the consumer group.
        client: the connection of this member; None before there is one.
        lost: counts the lost records by topic.
    """

    def __init__(self, group: str, client: Callable[[], AIOKafkaConsumer | None], lost: Counter[str]) -> None:
        self._group, self._client, self._lost = group, client, lost
        self._readings: defaultdict[TopicPartition, PartitionReading] = defaultdict(PartitionReading)
        self._committing = asyncio.Lock()
        self._assigned: set[TopicPartition] = set()
        self._changed = asyncio.Event()
        self._batch_stored = asyncio.Event()
        self._batch_stored.set()

    async def on_partitions_assigned(
        self, assigned: Collection[TopicPartition]
    ) -> None:  # FastStream: else in a thread
        """Pause before the first fetch: aiokafka calls this before it has asked for the committed offsets."""
        client = self._client()
        if client is None:
            return
        client.pause(*assigned)
        for part in assigned:
            self._readings[part].assigned()
        self._assigned = set(assigned)
        self._changed.set()

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Store and commit what this member has read, within a time limit, before others read on."""
        self._changed.clear()
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT):
                await self._batch_stored.wait()
                await self.commit()
        except CONNECTION_ERRORS as error:
            _log.info("offsets not committed before a rebalance", consumer=self._group, reason=repr(error))
        finally:
            self._assigned = set()
            for part in revoked:
                self._readings[part].revoked()

    async def release(self) -> None:
        """Read no more, then store and commit what this member has read: it is about to leave its group."""
        if client := self._client():
            client.pause(*client.assignment())
            await self.on_partitions_revoked(client.assignment())

    def read(self, offsets: Mapping[TopicPartition, Sequence[int]]) -> None:
        """A batch has been read: offsets by partition, in their order."""
        self._batch_stored.clear()
        for part, part_offsets in offsets.items():
            self._count(part, self._readings[part].read(part_offsets))

    def stored(self, offsets: Mapping[TopicPartition, Sequence[int]]) -> None:
        """The batch is stored."""
        for part, part_offsets in offsets.items():
            self._readings[part].stored(part_offsets[-1] + 1)
        self._batch_stored.set()

    async def start_partitions(self) -> None:
        """Start each assigned partition once its position is known, until cancelled.

        Raises:
            KafkaError: this member has given up, or lost its rights.
        """
        while True:
            await self._changed.wait()
            self._changed.clear()
            client, assigned = self._client(), self._assigned
            try:
                async with asyncio.TaskGroup() as starts:
                    for part in assigned:
                        starts.create_task(self._start(client, part, assigned))
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from errors

    async def _start(self, client: AIOKafkaConsumer, part: TopicPartition, assigned: set[TopicPartition]) -> None:
        with suppress(IllegalStateError):  # revoked meanwhile
            position: int = await client.position(part)
            log_start = await self._log_start(client, part)
            if assigned is not self._assigned:
                return
            self._count(part, self._readings[part].started(position, log_start))
            client.resume(part)

    async def _log_start(self, client: AIOKafkaConsumer, part: TopicPartition) -> int | None:
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT):
                starts: dict[TopicPartition, int] = await client.beginning_offsets([part])
        except DENIED:
            raise
        except CONNECTION_ERRORS as error:
            _log.warning("start of the log unknown", consumer=self._group, partition=str(part), reason=repr(error))
            return None
        return starts[part]

    async def commit_regularly(self) -> None:
        """Commit what is stored, until cancelled.

        Raises:
            KafkaError: this member may not.
        """
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            await self.commit()

    async def commit(self) -> None:
        """Commit what was stored since the last time. What fails is committed the next time.

        Raises:
            KafkaError: this member may not.
        """
        async with self._committing:
            due = {part: self._readings[part].due for part in self._assigned}
            offsets = {part: offset for part, offset in due.items() if offset is not None}
            client = self._client()
            if client is None or not offsets:
                return
            try:
                async with asyncio.timeout(RESPONSE_TIMEOUT):
                    await client.commit(offsets)
                failpoint("ingest.committed")
            except DENIED:
                raise
            except CONNECTION_ERRORS as error:
                _log.info("offsets not committed", consumer=self._group, reason=repr(error))
            else:
                for part, offset in offsets.items():
                    self._readings[part].committed(offset)

    def _count(self, part: TopicPartition, lost: Sequence[range]) -> None:
        for gap in lost:
            self._lost[part.topic] += len(gap)
            _log.error(
                "records were deleted before they were read",
                consumer=self._group,
                topic=part.topic,
                partition=part.partition,
                offset=gap.start,
                records=len(gap),
                remedy="kei events replay",
            )
