"""Every interleaving of a rebalance with reads, commits and deletions: no false alarm and no missed loss."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from shared.transport.kafka_assignment import KafkaAssignment
from shared.transport.lost_records import PartitionReading
from tests.shared.messaging.harness import running
from tests.shared.messaging.lost_records_model import Member as ModelMember
from tests.shared.messaging.lost_records_model import ModelError, World, explore
from tests.support.waiting import eventually, passing


def world(committed: int | None, kind: type[PartitionReading] = PartitionReading, **bounds: Any) -> World:
    """Two members that have not started, of a group that has read up to its committed offset."""
    read = frozenset(range(committed or 0))
    return World((ModelMember(kind()), ModelMember(kind())), committed, read=read, **bounds)


def missed(world: World) -> set[int]:
    """Lost records behind which the group has committed, and which no member has reported."""
    return {offset for offset in world.lost() - world.counted() if offset < (world.committed or 0)}


def no_alarm_is_false(world: World) -> str:
    if max(world.reported) > 1:
        return f"offsets reported twice, {world.reported},"
    false = world.counted() - world.lost()
    return f"false alarm for {false}" if false else ""


def exact(world: World) -> str:
    return no_alarm_is_false(world) or nothing_is_missed(world)


def nothing_is_missed(world: World) -> str:
    return f"missed {missed(world)}" if missed(world) else ""


def silent(world: World) -> str:
    return f"false alarm for {world.counted()}" if world.counted() else ""


@pytest.mark.parametrize("committed", [0, 1])
def test_in_every_interleaving_each_lost_record_is_reported_once_and_no_other(committed: int) -> None:
    assert explore(world(committed), exact) > 10_000


def test_in_a_group_that_is_new_each_record_lost_since_its_start_is_reported_once() -> None:
    assert explore(world(None), exact) > 10_000


def test_deaths_lost_answers_and_late_commits_are_no_loss() -> None:
    assert explore(world(2, deletions=0, failures=2), silent) > 10_000


def test_after_deaths_lost_answers_and_late_commits_no_loss_is_missed() -> None:
    assert explore(world(2, deletions=1, rebalances=1, failures=1), nothing_is_missed) > 1_000


class Trusting(PartitionReading):
    """Takes the start of the log for the next record."""

    def started(self, position: int, log_start: int | None) -> Sequence[range]:
        return super().started(position if log_start is None else max(position, log_start), log_start)


class Hurried(PartitionReading):
    """Reports a loss without committing behind it."""

    def started(self, position: int, log_start: int | None) -> Sequence[range]:
        lost = super().started(position, log_start)
        self._stored = 0
        return lost


@pytest.mark.parametrize("kind", [Trusting, Hurried])
def test_the_exploration_finds_a_wrong_detector(kind: type[PartitionReading]) -> None:
    with pytest.raises(ModelError):
        explore(world(0, kind), exact)


def test_the_exploration_finds_that_a_revocation_without_a_commit_is_not_exact() -> None:
    with pytest.raises(ModelError):
        explore(world(0, failures=1), exact)


PART = TopicPartition("t", 0)


class Consumer:
    """What the broker answers to a member."""

    def __init__(self, committed: int, log_start: int = 0) -> None:
        self.committed, self.log_start, self.away = committed, log_start, False
        self.paused: set[TopicPartition] = set()
        self.meanwhile: Callable[[], None] = lambda: None

    def pause(self, *parts: TopicPartition) -> None:
        self.paused.update(parts)

    def resume(self, *parts: TopicPartition) -> None:
        self.paused.difference_update(parts)

    async def position(self, _part: TopicPartition) -> int:
        return self.committed

    async def beginning_offsets(self, parts: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        if self.away:
            raise KafkaConnectionError
        self.meanwhile()
        return dict.fromkeys(parts, self.log_start)

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.committed = offsets[PART]


class Member:
    """A member of a group that is assigned a partition, reads in it, and loses it."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer, self.lost = consumer, Counter[str]()
        self.assignment = KafkaAssignment("c", lambda: consumer, self.lost)

    async def assigned(self) -> None:
        await self.assignment.on_partitions_revoked([PART])
        await self.starts()

    async def starts(self) -> None:
        await self.assignment.on_partitions_assigned([PART])
        assert self.consumer.paused == {PART}
        async with running(self.assignment.start_partitions()):
            await eventually(lambda: not self.consumer.paused)

    def reads(self, first: int, behind: int) -> None:
        self.assignment.read({PART: range(first, behind)})

    def stores(self, first: int, behind: int) -> None:
        self.assignment.stored({PART: range(first, behind)})


async def test_what_others_have_read_in_between_is_no_gap_even_if_the_group_answers_late() -> None:
    member = Member(Consumer(0))
    await member.assigned()
    member.reads(0, 5)
    member.stores(0, 5)
    await member.assignment.on_partitions_revoked([PART])
    assert member.consumer.committed == 5
    member.consumer.committed = 11
    await member.starts()
    member.reads(11, 13)
    member.reads(13, 15)
    assert not member.lost


async def test_a_batch_that_was_in_hand_when_the_partition_was_lost_is_no_gap() -> None:
    member = Member(Consumer(0))
    await member.assigned()
    member.reads(0, 5)
    member.stores(0, 5)
    await member.assignment.on_partitions_revoked([PART])
    member.reads(5, 9)
    member.consumer.committed = 21
    member.consumer.meanwhile = lambda: member.stores(5, 9)
    await member.starts()
    await member.assignment.commit()
    member.reads(21, 25)
    assert not member.lost
    assert member.consumer.committed == 21, "others have read further"


async def test_a_batch_in_hand_is_stored_and_committed_before_its_partition_is_given_back() -> None:
    member = Member(Consumer(0))
    await member.assigned()
    member.reads(0, 5)
    giving_back = asyncio.create_task(member.assignment.on_partitions_revoked([PART]))
    await passing(0.01)
    assert not giving_back.done()
    member.stores(0, 5)
    await giving_back
    assert member.consumer.committed == 5


async def test_what_was_read_and_never_committed_and_then_deleted_is_no_gap() -> None:
    member = Member(Consumer(0))
    await member.assigned()
    member.reads(0, 9)
    member.stores(0, 9)
    await member.assigned()
    member.consumer.committed, member.consumer.log_start = 4, 9
    await member.starts()
    member.reads(9, 10)
    assert not member.lost


async def test_a_gap_is_found_before_the_first_record_is_read_and_committed() -> None:
    member = Member(Consumer(3, log_start=5))
    await member.assigned()
    assert member.lost == {"t": 2}
    await member.assignment.commit()
    assert member.consumer.committed == 5
    member.reads(5, 9)
    assert member.lost == {"t": 2}


async def test_a_gap_while_reading_is_found_behind_a_broker_that_did_not_answer() -> None:
    member = Member(Consumer(3))
    member.consumer.away = True
    await member.assigned()
    assert not member.lost, "it is not known where the log starts"
    member.reads(7, 8)
    assert member.lost == {"t": 4}
    member.reads(10, 12)
    assert member.lost == {"t": 6}
