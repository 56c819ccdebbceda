"""A broker that dies, answers into the void or forgets; and members of its groups that come, go and stand still."""

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
from tests.faults.conftest import emptied
from tests.faults.harness import Node, Stage, stage
from tests.faults.proxy import Proxy, proxy
from tests.faults.report import FULL, count
from tests.support.kafka import Broker
from tests.support.waiting import eventually, passing

pytestmark = [pytest.mark.kafka, pytest.mark.long, pytest.mark.timeout(900)]
Own = Callable[..., Awaitable[Broker]]
Create = Callable[[], Awaitable[str]]

DELETED = "records were deleted before they were read"


async def test_f13_members_of_a_group_come_and_go_all_the_time(on_kafka: Stage, table: Path) -> None:
    rounds = count(4, 40)
    consumers = [(await on_kafka.pair())[-1]]
    async with on_kafka.writing() as writers, asyncio.TaskGroup() as leaving:
        for number in range(rounds):
            consumers.append(await on_kafka.node(relays=False))
            await passing(on_kafka.chance.uniform(0.2, 1.0))
            gone = consumers.pop(on_kafka.chance.randrange(len(consumers)))
            leaving.create_task(_leave(gone, dies=number % 5 == 4))
    result = await on_kafka.result("F13 members come and go", 2 * rounds, writers, time.monotonic())
    result.settle(table)


async def test_f15_a_consumer_stands_still_past_its_session_and_goes_on(on_kafka: Stage, table: Path) -> None:
    seconds = count(12, 45)  # a session is over after 10
    consumer = (await on_kafka.pair(blocks=seconds))[-1]
    async with on_kafka.writing() as writers:
        await eventually(on_kafka.effects)
        consumer.block()
        await passing(seconds)
        healed = time.monotonic()
        await passing(1.0)
    result = await on_kafka.result(f"F15 event loop blocked {seconds} s", 1, writers, healed)
    assert result.stall > seconds - 1, "it was not blocked"
    assert consumer.process.returncode is None
    result.settle(table)


@pytest.mark.parametrize("seconds", [12, 90] if FULL else [12])
async def test_f16_the_broker_is_killed_and_comes_back(
    own_kafka: Own, create: Create, table: Path, tmp_path: Path, seconds: int
) -> None:
    broker = await own_kafka()
    await create_topics(broker.address)
    async with stage(create, broker.address, tmp_path) as made:
        nodes = await made.pair(lease=15.0)  # the relay's patience depends on it
        async with made.writing() as writers:
            await eventually(made.effects)
            await broker.crash()
            before = len(writers.acked)
            await passing(seconds)
            acked, seen = len(writers.acked) - before, await made.effects()
            await broker.start()
            healed = time.monotonic()
            first = await _first_effect_after(made, seen) - healed
        result = await made.result(f"F16 broker down {seconds} s, first +{first:.1f} s", 1, writers, healed)
        assert [node.process.returncode for node in nodes] == [None, None]
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
        async with stage(create, door.address, tmp_path) as made:
            await made.pair()
            async with made.writing() as writers:
                await eventually(made.effects)
                for _ in range(count(1, 10)):
                    await _lose_answers(made, door)
                healed = time.monotonic()
                await passing(1.0)
            result = await made.result("F18 the broker's answer is lost", door.held, writers, healed)
            repeated = await _records_in(door.address) - len(await made.written())
    assert repeated > 0, "no answer to records was lost"
    result.settle(table)


async def test_f19_records_are_deleted_before_they_are_read(on_kafka: Stage, table: Path) -> None:
    assert on_kafka.kafka is not None
    _, consumer = await on_kafka.pair()
    writers = on_kafka.writers()
    await writers.write(300)
    await on_kafka.drained()
    assert await consumer.stop() == 0
    await writers.write(count(500, 10_000))
    await eventually(lambda: _all_sent(on_kafka), 60.0)
    deleted = len(await on_kafka.written()) - await on_kafka.effects()
    await emptied(on_kafka.kafka)
    await consumer.start()
    await eventually(lambda: DELETED in consumer.output(), 30.0)
    assert await on_kafka.effects() == len(writers.acked) - deleted, "nothing was lost without the remedy"
    healed = time.monotonic()
    await _replay(on_kafka, on_kafka.kafka)
    result = await on_kafka.result("F19 deleted before they were read", deleted, writers, healed)
    assert _told(consumer.output()) >= deleted  # what it read last it need not have told the broker
    result.settle(table)


async def _leave(node: Node, *, dies: bool) -> None:
    if dies:
        await node.kill()
    else:
        assert await node.stop() == 0, node.output()


async def _first_effect_after(made: Stage, seen: int) -> float:
    """The time at which there are more effects."""

    async def more() -> bool:
        return await made.effects() > seen

    await eventually(more, 60.0)
    return time.monotonic()


async def _lose_answers(made: Stage, door: Proxy) -> None:
    """Once until the client tries again, and once until the relay gives up and sends anew."""
    for seconds in (made.chance.uniform(0.1, 0.5), DEADLINE + 1):
        door.weather.down = False
        await passing(seconds)
        door.cut()
        door.weather.down = True
        await passing(1.0)


async def _records_in(servers: str) -> int:
    """How many there are in all topics, on a broker that has deleted none."""
    consumer = AIOKafkaConsumer(*topics(), bootstrap_servers=servers)
    await consumer.start()
    try:
        return sum((await consumer.end_offsets(consumer.assignment())).values())
    finally:
        await consumer.stop()


async def _all_sent(made: Stage) -> bool:
    async with made.source.reading() as session:
        return (await outbox.stats(session)).unsent == 0


async def _replay(made: Stage, servers: str) -> None:
    """What `kei events replay` does."""
    transport = KafkaTransport(servers, "faults")
    try:
        await outbox.replay(made.source, transport)
    finally:
        await transport.close()


def _told(said: str) -> int:
    """How many records were missed, by the log."""
    return sum(json.loads(line)["records"] for line in said.splitlines() if DELETED in line)
