"""A reader of Kafka that keeps nothing is noticed, one that cannot is not blamed, and neither loses anything."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.util import calc_crc32c
from fastapi import FastAPI
from sqlalchemy import text

from deploy.kafka.topics import create_topics
from shared import runtime
from shared.db import Database
from shared.events import Record
from shared.transport.kafka import KafkaTransport
from tests.shared.messaging.harness import TOPIC, effects_consumer, running
from tests.support import factories
from tests.support.kafka import Broker
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(90)


class ClosedInbox:
    """Takes nothing until it is opened, and does not say why; raises the errors before."""

    def __init__(self, consumer: str, *errors: Exception) -> None:
        self.consumer, self.topics = consumer, frozenset({TOPIC})
        self.errors = list(errors)
        self.opened = asyncio.Event()
        self.received: set[bytes | None] = set()

    async def receive(self, records: Sequence[tuple[str, Record]]) -> None:
        if self.errors:
            raise self.errors.pop()
        await self.opened.wait()
        self.received |= {record.key for _, record in records}


def some_records() -> list[Record]:
    return [factories.cluster_registered_event(cluster_id=uuid4()).record() for _ in range(3)]


def keys_of(records: Sequence[Record]) -> set[bytes | None]:
    return {record.key for record in records}


async def test_what_is_not_kept_is_noticed(kafka: str, consumer_name: str) -> None:
    await create_topics(kafka)
    inbox = ClosedInbox(consumer_name)
    transport = KafkaTransport(kafka, "progress", progress_check=0.1)
    transport.attach(inbox)
    records = some_records()
    await transport.send(TOPIC, records)
    async with running(transport.run()):
        await eventually(lambda: transport.stalled() > 0.5, 40.0)
        assert transport.lag()[TOPIC] >= 3
        inbox.opened.set()
        await eventually(lambda: transport.stalled() == 0.0 and not transport.lag()[TOPIC], 20.0)
    assert keys_of(records) <= inbox.received
    await transport.close()


async def test_the_brokers_absence_is_not_counted(
    own_kafka: Callable[..., Awaitable[Broker]], consumer_name: str
) -> None:
    broker = await own_kafka()
    await create_topics(broker.address)
    inbox = ClosedInbox(consumer_name)
    transport = KafkaTransport(broker.address, "progress", progress_check=0.1)
    transport.attach(inbox)
    records = some_records()
    await transport.send(TOPIC, records)
    async with running(transport.run()):
        await eventually(lambda: transport.stalled() > 0.5, 40.0)
        broker.pause()
        await eventually(lambda: transport.stalled() == 0.0, 20.0)
        broker.resume()
        await eventually(lambda: transport.stalled() > 0.5, 40.0)
        inbox.opened.set()
        await eventually(lambda: transport.stalled() == 0.0, 20.0)
    assert keys_of(records) <= inbox.received
    await transport.close()


async def test_an_inbox_that_says_it_cannot_is_not_counted(kafka: str, consumer_name: str) -> None:
    """Its database is away: a restart of the process would not bring it back."""
    await create_topics(kafka)
    inbox = ClosedInbox(consumer_name, *[OSError("away")] * 100)
    inbox.opened.set()
    transport = KafkaTransport(kafka, "progress", progress_check=0.05, max_retry=0.02)
    transport.attach(inbox)
    records = some_records()
    await transport.send(TOPIC, records)
    longest = 0.0
    async with running(transport.run()):

        def received() -> bool:
            nonlocal longest
            longest = max(longest, transport.stalled())
            return keys_of(records) <= inbox.received

        await eventually(received, 40.0)
    assert longest < 1.0
    await transport.close()


@pytest.mark.parametrize(
    "errors", [[ValueError("odd")], [OSError("away")] * 1100], ids=["whatever it is", "however often"]
)
async def test_records_are_kept_whatever_an_inbox_raises(
    kafka: str, consumer_name: str, errors: list[Exception]
) -> None:
    await create_topics(kafka)
    inbox = ClosedInbox(consumer_name, *errors)
    inbox.opened.set()
    transport = KafkaTransport(kafka, "progress", max_retry=0.0005)
    transport.attach(inbox)
    records = some_records()
    await transport.send(TOPIC, records)
    async with running(transport.run()):
        await eventually(lambda: keys_of(records) <= inbox.received, 40.0)
    assert not inbox.errors
    await transport.close()


async def test_a_record_that_stops_the_client_is_noticed_and_told(
    kafka: str, topic: Callable[..., Awaitable[str]], consumer_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The one kind there is: a header whose name is no UTF-8. None of Kei's own clients can write it."""
    inbox = ClosedInbox(consumer_name)
    inbox.topics = frozenset({await topic()})
    inbox.opened.set()
    await _send_mangled(kafka, *inbox.topics)
    transport = KafkaTransport(kafka, "progress", progress_check=0.1)
    transport.attach(inbox)
    async with running(transport.run()):
        await eventually(lambda: transport.stalled() > 0.5, 40.0)
    assert "UnicodeDecodeError" in caplog.text
    await transport.close()


async def _send_mangled(kafka: str, topic: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    batch = _Mangled(16384, 0)
    batch.append(key=b"k", value=b"{}", headers=[("name", b"")], timestamp=None)
    await (await producer.send_batch(batch, topic, partition=0))
    await producer.stop()


class _Mangled(BatchBuilder):  # type: ignore[misc]  # the client has no types
    def _build(self) -> bytes:
        made = bytearray(super()._build().replace(b"name", b"\xff\xfe\xff\xfe"))
        made[17:21] = calc_crc32c(bytes(made[21:])).to_bytes(4, "big")
        return bytes(made)


async def test_a_service_whose_ingest_stands_still_is_not_alive(
    kafka: str, service_database: Callable[[str], Awaitable[str]], consumer_name: str
) -> None:
    def build(*settings: Any, **options: Any) -> FastAPI:
        service = runtime.Service("members", "Members", [], effects_consumer(consumer_name))
        return runtime.build(service, *settings, **options, stalled_after=2.0)

    await create_topics(kafka)
    url = await service_database("members")
    holder = Database(url, name="holder")
    transport = KafkaTransport(kafka, "progress", progress_check=0.1)
    async with factories.running(build, url, transport=transport) as client:

        async def status_is(status: int, words: str) -> bool:
            reply = await client.get("/livez")
            return reply.status_code == status and words in reply.text

        async with holder.transaction() as tx:
            await tx.execute(text("LOCK TABLE inbox IN SHARE MODE"))
            await transport.send(TOPIC, some_records())
            await eventually(lambda: status_is(503, "ingest"), 30.0)
            assert transport.lag()[TOPIC] >= 3
        await eventually(lambda: status_is(200, "alive"), 20.0)
        metrics = (await client.get("/metrics")).text
    assert f'kei_consumer_lag_records{{topic="{TOPIC}"}} ' in metrics
    await holder.close()
