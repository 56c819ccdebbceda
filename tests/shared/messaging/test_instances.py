"""Two instances of one service: they really share the work, and one takes over what the other leaves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import CoordinatorNotAvailableError

from deploy.kafka.topics import create_topics
from shared.events.envelope import Event
from shared.transport.kafka import KafkaTransport
from shared.transport.local import LocalTransport
from tests.shared.messaging.harness import Harness, Hook, effects_consumer, put
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(90)


async def test_two_members_split_the_partitions_and_one_takes_over_the_others(
    urls: tuple[str, str], kafka: str, consumer_name: str
) -> None:
    await create_topics(kafka)
    keys = [uuid4() for _ in range(30)]
    harness = Harness(urls, lambda: KafkaTransport(kafka, "instances"))
    first, second = harness.make_transport(), harness.make_transport()
    async with (
        _group(kafka, consumer_name) as group,
        harness.consuming(effects_consumer(consumer_name), first),
        AsyncExitStack() as leaving,
    ):
        await leaving.enter_async_context(harness.consuming(effects_consumer(consumer_name), second))
        assert sorted(await group.shares(members=2)) == [4, 4]
        async with harness.relaying(first):
            await asyncio.gather(*(put(harness.source, key, range(1, 4)) for key in keys))
            await harness.expect(consumer_name, dict.fromkeys(keys, 3), deadline=40.0)
            leaving_soon = asyncio.gather(*(put(harness.source, key, range(4, 7)) for key in keys))
            await leaving.aclose()
            await leaving_soon
            assert await group.shares(members=1) == [8]
            await harness.expect(consumer_name, dict.fromkeys(keys, 6), deadline=40.0)
    await harness.close()


class _Group:
    """What the broker knows of a consumer group."""

    def __init__(self, admin: AIOKafkaAdminClient, name: str) -> None:
        self._admin, self._name = admin, name

    async def shares(self, members: int) -> list[int]:
        """How many partitions each member reads, once the group has settled with so many members."""

        async def settled() -> list[dict[str, Any]] | None:
            try:
                answer = (await self._admin.describe_consumer_groups([self._name]))[0].to_object()
            except CoordinatorNotAvailableError:  # the broker's very first group
                return None
            group: dict[str, Any] = answer["groups"][0]
            return group["members"] if (group["state"], len(group["members"])) == ("Stable", members) else None

        return [
            len(ConsumerProtocolMemberAssignment.decode(member["member_assignment"]).partitions())
            for member in await eventually(settled, deadline=30.0) or []
        ]


@asynccontextmanager
async def _group(kafka: str, name: str) -> AsyncIterator[_Group]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        yield _Group(admin, name)
    finally:
        await admin.close()


async def test_two_workers_of_an_inbox_share_the_lanes(urls: tuple[str, str], consumer_name: str) -> None:
    """Each waits until the other has an event in hand: alone, neither would come to an end."""
    keys = [uuid4() for _ in range(30)]
    harness = Harness(urls, LocalTransport)
    transport = harness.make_transport()
    mine, theirs = asyncio.Event(), asyncio.Event()
    first = effects_consumer(consumer_name, _meeting(mine, theirs))
    second = effects_consumer(consumer_name, _meeting(theirs, mine))
    async with (
        harness.consuming(first, transport, batch=5),
        harness.consuming(second, transport, batch=5),
        harness.relaying(transport),
    ):
        await asyncio.gather(*(put(harness.source, key, range(1, 6)) for key in keys))
        await harness.expect(consumer_name, dict.fromkeys(keys, 5))
    assert mine.is_set()
    await harness.close()


def _meeting(here: asyncio.Event, there: asyncio.Event) -> Hook:
    async def meet(_: Event[Any]) -> None:
        here.set()
        await there.wait()

    return meet


async def test_a_failing_key_is_tried_as_often_as_it_should_by_two_workers(
    urls: tuple[str, str], consumer_name: str
) -> None:
    bad, good = uuid4(), [uuid4() for _ in range(10)]
    harness = Harness(urls, LocalTransport)
    transport = harness.make_transport()
    tried: list[int] = []

    async def refuse(event: Event[Any]) -> None:
        if event.key == bad:
            tried.append(event.version)
            raise ValueError("no")

    consumer = effects_consumer(consumer_name, refuse)
    async with (
        harness.consuming(consumer, transport, max_attempts=4),
        harness.consuming(consumer, transport, max_attempts=4),
        harness.relaying(transport),
    ):
        await put(harness.source, bad, [1, 2])
        await asyncio.gather(*(put(harness.source, key, range(1, 4)) for key in good))
        await harness.expect(consumer_name, dict.fromkeys(good, 3))
        await eventually(lambda: _both_dead(harness, consumer_name, bad))
    assert tried == sorted(tried), "the second version was handled before the first was given up"
    await harness.close()


async def _both_dead(harness: Harness, consumer: str, key: UUID) -> bool:
    return await harness.states(consumer, key) == [("dead", 4), ("dead", 4)]
