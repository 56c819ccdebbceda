"""Records that the broker deletes before a group has read them are told and counted."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import uuid4

import pytest

from shared.events import Record
from shared.wire.kafka import KafkaWire
from tests.shared.handover.rig import running
from tests.support.kafka import forget_records
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(90)
Create = Callable[..., Awaitable[str]]


class Kept:
    """An inbox in memory."""

    def __init__(self, consumer: str, topic: str) -> None:
        self.consumer, self.topics = consumer, frozenset({topic})
        self.values: list[bytes] = []

    async def receive(self, records: Sequence[tuple[str, Record]]) -> None:
        self.values += [record.value or b"" for _, record in records]


def reading(kafka: str, inbox: Kept) -> KafkaWire:
    wire = KafkaWire(kafka, "gaps")
    wire.attach(inbox)
    return wire


async def send(kafka: str, topic: str, *values: bytes) -> None:
    """All under one key, so to one partition."""
    wire = KafkaWire(kafka, "gaps")
    await wire.send(topic, [Record(b"key", (), value) for value in values])
    await wire.close()


async def test_what_was_deleted_while_nobody_read_is_told(kafka: str, topic: Create, consumer_name: str) -> None:
    name = await topic()
    inbox = Kept(consumer_name, name)
    await send(kafka, name, b"1", b"2")
    wire = reading(kafka, inbox)
    async with running(wire.run()):
        await eventually(lambda: inbox.values == [b"1", b"2"], 40.0)
    await wire.close()
    assert not wire.skipped()
    await send(kafka, name, b"3", b"4", b"5")
    await forget_records(kafka, [name])
    wire = reading(kafka, inbox)
    async with running(wire.run()):
        await eventually(lambda: wire.skipped() == {name: 3}, 40.0)
        await send(kafka, name, b"6")
        await eventually(lambda: inbox.values == [b"1", b"2", b"6"], 40.0)
    await wire.close()
    assert wire.skipped() == {name: 3}, "told once"


async def test_a_group_that_is_new_begins_with_what_there_is(kafka: str, topic: Create) -> None:
    name = await topic()
    await send(kafka, name, b"1", b"2")
    await forget_records(kafka, [name])
    inbox = Kept(f"c{uuid4().hex}", name)
    wire = reading(kafka, inbox)
    async with running(wire.run()):
        await send(kafka, name, b"3")
        await eventually(lambda: inbox.values == [b"3"], 40.0)
    await wire.close()
    assert not wire.skipped()
