"""Records that Kafka deleted before they were read: the reader goes on behind them, and here that is noticed."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

AWAY = (KafkaError, OSError, TimeoutError)
"""What the broker's absence looks like."""
ANSWER = 5.0
"""Seconds for the broker to answer."""

_log = structlog.get_logger(__name__)


class Gaps(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """What one consumer group's member should read next in each partition, and whether that is what comes.

    Only in a partition that the group has read before: a new consumer begins with what there is.

    Args:
        consumer: the group.
        client: its member's connection; None before there is one.
        skipped: counts what was never read, by topic.
    """

    def __init__(self, consumer: str, client: Callable[[], AIOKafkaConsumer | None], skipped: Counter[str]) -> None:
        self._consumer, self._client, self._skipped = consumer, client, skipped
        self._next: dict[TopicPartition, int] = {}

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """What was read in these stays read, also if the group has yet to be told."""

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Begin where the group has committed, or this member has read, unless the log begins behind that."""
        client = self._client()
        if client is None or not assigned:
            return
        try:
            async with asyncio.timeout(ANSWER):
                begins = await client.beginning_offsets(list(assigned))
                committed = {part: await client.committed(part) for part in assigned}
        except AWAY as error:
            _log.warning("Kafka does not say what was read", consumer=self._consumer, reason=repr(error))
            for part in assigned:
                self._next.pop(part, None)
            return
        for part, at in committed.items():
            if at is not None:
                self._expect(part, max(at, self._next.get(part, 0)), begins[part])

    def note(self, part: TopicPartition, offsets: Sequence[int]) -> None:
        """These have been read, in this order."""
        self._expect(part, self._next.get(part, offsets[0]), offsets[-1] + 1 - len(offsets))
        self._next[part] = offsets[-1] + 1

    def _expect(self, part: TopicPartition, expected: int, found: int) -> None:
        self._next[part] = max(expected, found)
        if (missed := found - expected) > 0:
            self._skipped[part.topic] += missed
            _log.error(
                "records were deleted before they were read",
                consumer=self._consumer,
                topic=part.topic,
                partition=part.partition,
                offset=expected,
                records=missed,
                remedy="kei events replay",
            )
