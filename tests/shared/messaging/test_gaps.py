"""Records that the broker deletes before a group has read them are told and counted."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError

from shared.events import Record
from shared.transport.kafka import KafkaTransport
from shared.transport.lost_records import LostRecordsDetector
from tests.shared.messaging.harness import running
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


def reading(kafka: str, inbox: Kept) -> KafkaTransport:
    transport = KafkaTransport(kafka, "gaps")
    transport.attach(inbox)
    return transport


async def send(kafka: str, topic: str, *values: bytes) -> None:
    """All under one key, so to one partition."""
    transport = KafkaTransport(kafka, "gaps")
    await transport.send(topic, [Record(b"key", (), value) for value in values])
    await transport.close()


async def test_what_was_deleted_while_nobody_read_is_told(kafka: str, topic: Create, consumer_name: str) -> None:
    name = await topic()
    inbox = Kept(consumer_name, name)
    await send(kafka, name, b"1", b"2")
    transport = reading(kafka, inbox)
    async with running(transport.run()):
        await eventually(lambda: inbox.values == [b"1", b"2"], 40.0)
    await transport.close()
    assert not transport.skipped()
    await send(kafka, name, b"3", b"4", b"5")
    await forget_records(kafka, [name])
    transport = reading(kafka, inbox)
    async with running(transport.run()):
        await eventually(lambda: transport.skipped() == {name: 3}, 40.0)
        await eventually(lambda: _committed(kafka, consumer_name, name, 5), 40.0)
    await transport.close()
    transport = reading(kafka, inbox)
    async with running(transport.run()):
        await send(kafka, name, b"6")
        await eventually(lambda: inbox.values == [b"1", b"2", b"6"], 40.0)
    await transport.close()
    assert not transport.skipped(), "told once"


async def _committed(kafka: str, group: str, topic: str, offset: int) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    return any(part.topic == topic and at.offset == offset for part, at in offsets.items())


async def test_a_group_that_is_new_begins_with_what_there_is(kafka: str, topic: Create) -> None:
    name = await topic()
    await send(kafka, name, b"1", b"2")
    await forget_records(kafka, [name])
    inbox = Kept(f"c{uuid4().hex}", name)
    transport = reading(kafka, inbox)
    async with running(transport.run()):
        await send(kafka, name, b"3")
        await eventually(lambda: inbox.values == [b"3"], 40.0)
    await transport.close()
    assert not transport.skipped()


PART = TopicPartition("t", 0)


class Group:
    """What the broker says to a member, and what happens while it is asked."""

    def __init__(self, committed: int | None, begins: int = 0) -> None:
        self.at, self.begins, self.away = committed, begins, False
        self.meanwhile: Callable[[], None] = lambda: None

    async def beginning_offsets(self, parts: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        if self.away:
            raise KafkaConnectionError
        self.meanwhile()
        return dict.fromkeys(parts, self.begins)

    async def committed(self, _part: TopicPartition) -> int | None:
        return self.at

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.at = offsets[PART]


class Member:
    """A member of a group that is given a partition, reads in it, and loses it."""

    def __init__(self, group: Group) -> None:
        self.group, self.skipped = group, Counter[str]()
        self.gaps = LostRecordsDetector("c", lambda: group, self.skipped)

    async def assigned(self) -> None:
        self.gaps.on_partitions_revoked([PART])
        await self.gaps.on_partitions_assigned([PART])

    def reads(self, first: int, behind: int) -> None:
        self.gaps.note(PART, range(first, behind))


async def test_what_others_have_read_in_between_is_no_gap_even_if_the_group_answers_late() -> None:
    member = Member(Group(0))
    await member.assigned()
    member.reads(0, 5)
    member.group.at = 11
    member.group.meanwhile = lambda: member.reads(11, 13)
    await member.assigned()
    member.reads(13, 15)
    assert not member.skipped


async def test_a_batch_that_was_in_hand_when_the_partition_was_lost_is_no_gap() -> None:
    member = Member(Group(0))
    await member.assigned()
    member.reads(0, 5)
    member.group.at = 21
    member.group.meanwhile = lambda: member.reads(5, 9)
    await member.assigned()
    member.reads(21, 25)
    assert not member.skipped


async def test_what_was_read_and_never_committed_and_then_deleted_is_no_gap() -> None:
    member = Member(Group(0))
    await member.assigned()
    member.reads(0, 9)
    member.group.at, member.group.begins = 4, 9
    await member.assigned()
    member.reads(9, 10)
    assert not member.skipped


async def test_a_gap_is_found_at_once_if_the_log_was_read_before_the_group_has_answered() -> None:
    member = Member(Group(3, begins=5))
    member.group.meanwhile = lambda: member.reads(5, 8)
    await member.assigned()
    member.reads(8, 9)
    assert member.skipped == {"t": 2}


async def test_a_gap_while_reading_is_found_behind_a_broker_that_did_not_answer() -> None:
    member = Member(Group(3))
    member.group.away = True
    await member.assigned()
    member.reads(7, 8)
    assert not member.skipped, "it is not known what should have come"
    member.reads(10, 12)
    assert member.skipped == {"t": 2}
