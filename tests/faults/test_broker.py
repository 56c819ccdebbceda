"""A broker that crashes, loses responses or deletes records; and group members that join, leave and stall."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from deploy.kafka.topics import create_topics
from shared import outbox
from shared.events import topics
from shared.transport.kafka import DEADLINE, KafkaTransport
from tests.faults.conftest import with_empty_topics
from tests.faults.harness import FaultHarness, WorkerProcess, fault_harness
from tests.faults.proxy import Proxy, proxy
from tests.faults.report import FULL, count
from tests.support.kafka import Broker
from tests.support.waiting import eventually, passing

pytestmark = [pytest.mark.kafka, pytest.mark.long, pytest.mark.timeout(900)]
Own = Callable[..., Awaitable[Broker]]
Create = Callable[[], Awaitable[str]]

DELETED = "records were deleted before they were read"


async def test_f13_members_of_a_group_come_and_go_all_the_time(kafka_harness: FaultHarness, table: Path) -> None:
    rounds = count(4, 40)
    consumers = [(await kafka_harness.start_pair())[-1]]
    async with kafka_harness.writing() as writers, asyncio.TaskGroup() as leaving:
        for number in range(rounds):
            consumers.append(await kafka_harness.start_process(relays=False))
            await passing(kafka_harness.rng.uniform(0.2, 1.0))
            stopped = consumers.pop(kafka_harness.rng.randrange(len(consumers)))
            leaving.create_task(_leave(stopped, dies=number % 5 == 4))
    result = await kafka_harness.result("F13 members come and go", 2 * rounds, writers, time.monotonic())
    result.settle(table)


async def test_f15_a_consumer_stands_still_past_its_session_and_goes_on(
    kafka_harness: FaultHarness, table: Path
) -> None:
    seconds = count(12, 45)  # a session is over after 10
    consumer = (await kafka_harness.start_pair(blocks=seconds))[-1]
    async with kafka_harness.writing() as writers:
        await eventually(kafka_harness.effects)
        consumer.block()
        await passing(seconds)
        healed = time.monotonic()
        await passing(1.0)
    result = await kafka_harness.result(f"F15 event loop blocked {seconds} s", 1, writers, healed)
    assert result.stall > seconds - 1, "it was not blocked"
    assert consumer.process.returncode is None
    result.settle(table)


@pytest.mark.parametrize("seconds", [12, 90] if FULL else [12])
async def test_f16_the_broker_is_killed_and_comes_back(
    own_kafka: Own, create: Create, table: Path, tmp_path: Path, seconds: int
) -> None:
    broker = await own_kafka()
    await create_topics(broker.address)
    async with fault_harness(create, broker.address, tmp_path) as harness:
        workers = await harness.start_pair(lease=15.0)  # the relay's patience depends on it
        async with harness.writing() as writers:
            await eventually(harness.effects)
            await broker.crash()
            before = len(writers.acked)
            await passing(seconds)
            acked, seen = len(writers.acked) - before, await harness.effects()
            await broker.start()
            healed = time.monotonic()
            first = await _first_effect_after(harness, seen) - healed
        result = await harness.result(f"F16 broker down {seconds} s, first +{first:.1f} s", 1, writers, healed)
        assert [worker.process.returncode for worker in workers] == [None, None]
    assert acked > 10 * seconds, "writers waited for the broker"
    assert writers.refused == 0
    result.settle(table)


async def test_f18_the_broker_takes_records_and_its_answer_is_lost(
    own_kafka: Own, create: Create, table: Path, tmp_path: Path
) -> None:
    broker: Broker | None = None

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        assert broker is not None
        host, port = broker.address.split(":")
        return await asyncio.open_connection(host, int(port))

    async with proxy(connect) as door:
        broker = await own_kafka(advertised=door.address)
        await create_topics(door.address)
        async with fault_harness(create, door.address, tmp_path) as harness:
            await harness.start_pair()
            async with harness.writing() as writers:
                await eventually(harness.effects)
                for _ in range(count(1, 10)):
                    await _lose_answers(harness, door)
                healed = time.monotonic()
                await passing(1.0)
            result = await harness.result("F18 the broker's answer is lost", door.held, writers, healed)
            repeated = await _records_in(door.address) - len(await harness.written())
    assert repeated > 0, "no answer to records was lost"
    result.settle(table)


async def test_f19_records_are_deleted_before_they_are_read(kafka_harness: FaultHarness, table: Path) -> None:
    assert kafka_harness.kafka is not None
    _, consumer = await kafka_harness.start_pair()
    writers = kafka_harness.writers()
    await writers.write(300)
    await kafka_harness.wait_until_drained()
    assert await consumer.stop() == 0
    await writers.write(count(500, 10_000))
    await eventually(lambda: _all_sent(kafka_harness), 60.0)
    deleted = len(await kafka_harness.written()) - await kafka_harness.effects()
    await with_empty_topics(kafka_harness.kafka)
    await consumer.start()
    await eventually(lambda: DELETED in consumer.output(), 30.0)
    assert await kafka_harness.effects() == len(writers.acked) - deleted, "nothing was lost without the remedy"
    healed = time.monotonic()
    await _replay(kafka_harness, kafka_harness.kafka)
    result = await kafka_harness.result("F19 deleted before they were read", deleted, writers, healed)
    assert _reported_losses(consumer.output()) >= deleted  # what it read last it need not have told the broker
    result.settle(table)


async def _leave(worker: WorkerProcess, *, dies: bool) -> None:
    if dies:
        await worker.kill()
    else:
        assert await worker.stop() == 0, worker.output()


async def _first_effect_after(harness: FaultHarness, seen: int) -> float:
    """The time of the next effect."""

    async def more() -> bool:
        return await harness.effects() > seen

    await eventually(more, 60.0)
    return time.monotonic()


async def _lose_answers(harness: FaultHarness, door: Proxy) -> None:
    """Lose responses: once until the client retries, and once until the relay gives up and sends again."""
    for seconds in (harness.rng.uniform(0.1, 0.5), DEADLINE + 1):
        door.network.down = False
        await passing(seconds)
        door.cut()
        door.network.down = True
        await passing(1.0)


async def _records_in(servers: str) -> int:
    """The number of records in all topics, on a broker that has deleted none."""
    consumer = AIOKafkaConsumer(*topics(), bootstrap_servers=servers)
    await consumer.start()
    try:
        return sum((await consumer.end_offsets(consumer.assignment())).values())
    finally:
        await consumer.stop()


async def _all_sent(harness: FaultHarness) -> bool:
    async with harness.source.reading() as session:
        return (await outbox.stats(session)).unsent == 0


async def _replay(harness: FaultHarness, servers: str) -> None:
    """Replay all events, as `kei events replay` does."""
    transport = KafkaTransport(servers, "faults")
    try:
        await outbox.replay(harness.source, transport)
    finally:
        await transport.close()


def _reported_losses(output: str) -> int:
    """The number of lost records that the log reports."""
    return sum(json.loads(line)["records"] for line in output.splitlines() if DELETED in line)
