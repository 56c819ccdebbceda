"""Records that Kafka deleted before they were read: the reader goes on behind them, and here that is noticed."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

CONNECTION_ERRORS = (KafkaError, OSError, TimeoutError)
"""What the broker's absence looks like."""
RESPONSE_TIMEOUT = 5.0
"""Seconds for the broker to answer."""

_log = structlog.get_logger(__name__)


class LostRecordsDetector(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """What one consumer group's member should read next in each partition, and whether that is what comes.

    Only in a partition that the group has read before: a new consumer begins with what there is.

    Args:
        consumer: the group.
        client: its member's connection; None before there is one.
        skipped: counts what was never read, by topic.
    """

    def __init__(self, consumer: str, client: Callable[[], AIOKafkaConsumer | None], skipped: Counter[str]) -> None:
        self._consumer, self._client, self._skipped = consumer, client, skipped
        self._read: dict[TopicPartition, int] = {}
        self._first: dict[TopicPartition, int] = {}
        self._next: dict[TopicPartition, int | None] = {}

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Others may read on in these. What was read stays read, also if the group has yet to be told."""
        for part in revoked:
            self._next.pop(part, None)
            self._first.pop(part, None)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Begin where the group has committed, or this member has read, unless the log begins behind that.

        aiokafka begins to read meanwhile: what it has read before the group's answer is here tells where the log began.
        """
        client = self._client()
        if client is None or not assigned:
            return
        read = {part: self._read.get(part, 0) for part in assigned}
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT):
                begins = await client.beginning_offsets(list(assigned))
                committed = {part: await client.committed(part) for part in assigned}
                missed = [part for part, at in committed.items() if self._begin(part, at, read[part], begins[part])]
                if missed:  # or it would be told again by whoever is assigned next
                    await client.commit({part: begins[part] for part in missed})
        except CONNECTION_ERRORS as error:
            _log.warning("Kafka does not say what was read", consumer=self._consumer, reason=repr(error))
            for part in assigned:
                self._next.setdefault(part, None)

    def note(self, part: TopicPartition, offsets: Sequence[int]) -> None:
        """These have been read, in this order."""
        if part in self._next:
            self._compare(part, self._next[part], offsets[-1] + 1 - len(offsets))
            self._next[part] = max(self._next[part] or 0, offsets[-1] + 1)
        else:
            self._first.setdefault(part, offsets[0])
        self._read[part] = max(self._read.get(part, 0), offsets[-1] + 1)

    def _begin(self, part: TopicPartition, committed: int | None, read: int, begins: int) -> bool:
        """Expect what comes next; whether something was missed before that."""
        expected = None if committed is None else max(committed, read)
        found = self._first.get(part, begins)
        self._next[part] = max(expected or 0, found, self._read.get(part, 0))
        return self._compare(part, expected, found)

    def _compare(self, part: TopicPartition, expected: int | None, found: int) -> bool:
        if expected is None or found <= expected:
            return False
        self._skipped[part.topic] += found - expected
        _log.error(
            "records were deleted before they were read",
            consumer=self._consumer,
            topic=part.topic,
            partition=part.partition,
            offset=expected,
            records=found - expected,
            remedy="kei events replay",
        )
        return True
