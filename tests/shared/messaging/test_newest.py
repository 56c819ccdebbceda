"""The newest events that were handled: by their ids, of each topic, and at the same cost whatever there is."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from shared import inbox
from shared.inbox import Consumer
from shared.outbox.schema import first_id
from shared.transport.local import LocalTransport
from tests.shared.messaging.harness import TOPIC, Harness

NOW = datetime(2026, 6, 28, 9, tzinfo=UTC)
OTHER = "kei.trainings.v1"
_PLANT = text(
    "INSERT INTO inbox (consumer, event_id, partition_key, topic, headers, state)"
    " SELECT :consumer, id, id, :topic, '[]', :state FROM unnest(CAST(:ids AS uuid[])) AS id"
)


@pytest.fixture
async def harness(urls: tuple[str, str]) -> AsyncIterator[Harness]:
    harness = Harness(urls, LocalTransport)
    yield harness
    await harness.close()


def ids(count: int, begin: datetime) -> list[UUID]:
    """Ids made a second each after the other."""
    return [first_id(begin + timedelta(seconds=number)) for number in range(count)]


async def plant(harness: Harness, name: str, made: Sequence[UUID], *, topic: str = TOPIC, state: str = "done") -> None:
    async with harness.sink.transaction() as tx:
        await tx.execute(_PLANT, {"consumer": name, "topic": topic, "state": state, "ids": list(made)})


async def newest(harness: Harness, name: str) -> list[tuple[str, UUID]]:
    async with harness.sink.reading() as session:
        return [
            (handled.topic, handled.event_id) for handled in await inbox.newest_handled(session, Consumer(name), NOW)
        ]


async def test_of_each_topic_the_newest_the_tenth_and_the_hundredth(harness: Harness, consumer_name: str) -> None:
    many, few = ids(150, NOW - timedelta(hours=2)), ids(12, NOW - timedelta(hours=1))
    await plant(harness, consumer_name, many)
    await plant(harness, consumer_name, few, topic=OTHER)
    await plant(harness, "another", ids(3, NOW))
    assert await newest(harness, consumer_name) == [
        (TOPIC, many[-1]),
        (TOPIC, many[-10]),
        (TOPIC, many[-100]),
        (OTHER, few[-1]),
        (OTHER, few[-10]),
    ]


async def test_only_what_was_handled_counts_and_ids_of_no_time_do_not(harness: Harness, consumer_name: str) -> None:
    done, *others = ids(4, NOW - timedelta(hours=1))
    await plant(harness, consumer_name, [done])
    for id, state in zip(others, ("pending", "dead", "discarded"), strict=True):
        await plant(harness, consumer_name, [id], state=state)
    await plant(harness, consumer_name, [UUID(int=2**127 + 5), first_id(NOW + timedelta(days=2))])
    assert await newest(harness, consumer_name) == [(TOPIC, done)]


async def test_what_is_far_behind_others_is_not_looked_for(harness: Harness, consumer_name: str) -> None:
    await plant(harness, consumer_name, ids(1, NOW - timedelta(days=9)), topic=OTHER)
    many = ids(5000, NOW - timedelta(days=1))
    await plant(harness, consumer_name, many)
    assert {topic for topic, _ in await newest(harness, consumer_name)} == {TOPIC}
