"""What the tests stand on: fresh databases, real brokers that may crash, and waiting with a deadline."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.kafka import Broker
from tests.support.postgres import Postgres
from tests.support.run import Run, ServerError
from tests.support.waiting import eventually


@pytest.mark.parametrize("turn", ["first", "second"])
async def test_each_test_has_an_empty_database(database_url: str, turn: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE TABLE turns (name text)")
    await connection.execute("INSERT INTO turns VALUES ($1)", turn)
    assert await connection.fetchval("SELECT count(*) FROM turns") == 1
    await connection.close()


async def test_a_database_can_be_a_copy_of_another(postgres: Postgres) -> None:
    original = await postgres.create()
    connection = await asyncpg.connect(original)
    await connection.execute("CREATE TABLE things AS SELECT 1 AS one")
    await connection.close()
    copy = await postgres.create(template=original)
    connection = await asyncpg.connect(copy)
    assert await connection.fetchval("SELECT one FROM things") == 1
    await postgres.drop(copy)  # whoever is still connected
    await postgres.drop(original)
    connection.terminate()


async def test_topics_of_a_test_are_its_own(kafka: str, topic: Callable[..., Awaitable[str]]) -> None:
    first, second = await topic(), await topic(partitions=3)
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        assert await producer.partitions_for(first) == {0}
        assert await producer.partitions_for(second) == {0, 1, 2}
    finally:
        await producer.stop()


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_a_broker_keeps_its_address_and_its_records(own_kafka: Callable[..., Awaitable[Broker]]) -> None:
    broker = await own_kafka()
    address = broker.address
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic("records", 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=address, enable_idempotence=True, retry_backoff_ms=50)
    await producer.start()
    await producer.send_and_wait("records", b"before the crash")
    await broker.crash()
    await broker.start()
    await producer.send_and_wait("records", b"after the crash")
    await broker.stop()
    await broker.start()
    broker.pause()
    broker.resume()
    await producer.send_and_wait("records", b"after the stop")
    await producer.stop()
    assert broker.address == address
    assert await _records(address) == [b"before the crash", b"after the crash", b"after the stop"]


async def _records(address: str) -> list[bytes]:
    consumer = AIOKafkaConsumer("records", bootstrap_servers=address, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return [(await consumer.getone()).value for _ in range(3)]
    finally:
        await consumer.stop()


def test_a_server_that_did_not_start_is_not_tried_again(run: Run) -> None:
    tries: list[str] = []

    def fail() -> dict[str, str]:
        tries.append("try")
        message = "no room"
        raise OSError(message)

    for _ in range(2):
        with pytest.raises(ServerError, match="OSError: no room"):
            run.once("failing", fail)
    assert tries == ["try"]


async def test_waiting_returns_the_first_true_value() -> None:
    values = iter([0, 0, 7])
    assert await eventually(lambda: next(values)) == 7


async def test_waiting_in_vain_tells_the_last_value() -> None:
    async def never() -> list[int]:
        return []

    with pytest.raises(AssertionError, match=r"not true within 0.1 s; last value: \[\]"):
        await eventually(never, deadline=0.1)
