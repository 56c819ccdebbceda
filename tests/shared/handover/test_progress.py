"""A reader of Kafka that keeps nothing is noticed, and one with nothing to read is not."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest

from deploy.topics import create_topics
from shared.events import Record
from shared.wire.kafka import KafkaWire
from tests import make
from tests.shared.handover.rig import TOPIC, running
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(90)


class ClosedInbox:
    """Takes nothing until it is opened, and does not say why."""

    topics = frozenset({TOPIC})

    def __init__(self, consumer: str) -> None:
        self.consumer = consumer
        self.opened = asyncio.Event()
        self.kept = 0

    async def receive(self, records: Sequence[tuple[str, Record]]) -> None:
        await self.opened.wait()
        self.kept += len(records)


async def test_what_is_not_kept_is_noticed(kafka: str, consumer_name: str) -> None:
    await create_topics(kafka)
    inbox = ClosedInbox(consumer_name)
    wire = KafkaWire(kafka, "progress", look_every=0.1)
    wire.attach(inbox)
    await wire.send(TOPIC, [make.cluster_registered_event(cluster_id=uuid4()).record() for _ in range(3)])
    async with running(wire.run()):
        await eventually(lambda: wire.stalled() > 0.5, 40.0)
        assert wire.lag()[TOPIC] >= 3
        inbox.opened.set()
        await eventually(lambda: wire.stalled() == 0.0 and not wire.lag()[TOPIC], 20.0)
    assert inbox.kept >= 3
    await wire.close()
