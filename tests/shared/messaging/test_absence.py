"""The other side is away for a while: what is put meanwhile is delivered when it is back, in order, once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.engine import make_url
from structlog.typing import EventDict

from deploy.kafka.topics import create_topics
from shared.transport.kafka import KafkaTransport
from tests.shared.messaging.harness import Harness, effects_consumer, put
from tests.support.connection import database_connection
from tests.support.kafka import Broker
from tests.support.postgres import Postgres
from tests.support.waiting import eventually


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_what_is_put_while_the_broker_is_away_is_delivered_when_it_is_back(
    urls: tuple[str, str], own_kafka: Callable[..., Awaitable[Broker]], consumer_name: str, logs: list[EventDict]
) -> None:
    broker = await own_kafka()
    await create_topics(broker.address)
    harness = Harness(urls, lambda: KafkaTransport(broker.address, "absence"))
    keys = [uuid4() for _ in range(10)]
    transport = harness.make_transport()
    async with (
        asyncio.timeout(None) as limit,
        harness.consuming(effects_consumer(consumer_name), transport),
        harness.relaying(transport),
    ):
        await asyncio.gather(*(put(harness.source, key, [1]) for key in keys))
        await harness.expect(consumer_name, dict.fromkeys(keys, 1))
        for number, away in enumerate([_crashed, _stopped, _paused]):
            first = 2 + 4 * number
            on_the_way = asyncio.gather(*(put(harness.source, key, [first, first + 1]) for key in keys))
            async with away(broker):
                await on_the_way
                await asyncio.gather(*(put(harness.source, key, [first + 2, first + 3]) for key in keys))
                await eventually(lambda: _refused(logs), deadline=30)
                assert (await harness.figures()).unsent > 0
            await harness.expect(consumer_name, dict.fromkeys(keys, first + 3), deadline=45)
            logs.clear()
        broker.pause()
        await put(harness.source, keys[0], [14])
        await eventually(lambda: _placed(harness, 131))
        limit.reschedule(asyncio.get_running_loop().time() + 20)  # for everything to stop with the broker away
    broker.resume()
    await eventually(lambda: len(asyncio.all_tasks()) == 1, deadline=20)  # nothing goes on behind our back
    await harness.close()


async def _placed(harness: Harness, count: int) -> bool:
    return await harness.positions() == list(range(1, count + 1))


def _refused(logs: list[EventDict]) -> bool:
    return any(entry["event"] == "transport send failed, retrying" for entry in logs)


@asynccontextmanager
async def _crashed(broker: Broker) -> AsyncIterator[None]:
    await broker.crash()
    yield
    await broker.start()


@asynccontextmanager
async def _stopped(broker: Broker) -> AsyncIterator[None]:
    await broker.stop()
    yield
    await broker.start()


@asynccontextmanager
async def _paused(broker: Broker) -> AsyncIterator[None]:
    broker.pause()
    yield
    broker.resume()


async def test_what_is_put_while_an_inbox_is_away_is_delivered_when_it_is_back(
    harness: Harness, postgres: Postgres, consumer_name: str, logs: list[EventDict]
) -> None:
    keys = [uuid4() for _ in range(10)]
    transport = harness.make_transport()
    async with harness.consuming(effects_consumer(consumer_name), transport), harness.relaying(transport):
        await asyncio.gather(*(put(harness.source, key, [1]) for key in keys))
        await harness.expect(consumer_name, dict.fromkeys(keys, 1))
        on_the_way = asyncio.gather(*(put(harness.source, key, [2, 3]) for key in keys))
        async with _unreachable(postgres, harness.urls[1]):
            await on_the_way
            await asyncio.gather(*(put(harness.source, key, [4, 5]) for key in keys))
            await eventually(lambda: _missed(logs))
        await harness.expect(consumer_name, dict.fromkeys(keys, 5))
    assert await harness.positions() == list(range(1, 51))


def _missed(logs: list[EventDict]) -> bool:
    """Whether both ingest and worker have reported the absence."""
    messages = {entry["event"] for entry in logs}
    return "inbox worker failed, retrying" in messages and not messages.isdisjoint(
        {"transport send failed, retrying", "storing records failed, retrying"}
    )


async def test_what_is_put_before_the_outbox_was_away_is_sent_when_it_is_back(
    harness: Harness, postgres: Postgres, consumer_name: str, logs: list[EventDict]
) -> None:
    keys = [uuid4() for _ in range(10)]
    transport = harness.make_transport()
    async with harness.consuming(effects_consumer(consumer_name), transport), harness.relaying(transport):
        await asyncio.gather(*(put(harness.source, key, [1, 2, 3]) for key in keys))
        async with _unreachable(postgres, harness.urls[0]):
            await eventually(lambda: any(entry["event"] == "relay lost its database, retrying" for entry in logs))
        await harness.expect(consumer_name, dict.fromkeys(keys, 3))
        await asyncio.gather(*(put(harness.source, key, [4]) for key in keys))
        await harness.expect(consumer_name, dict.fromkeys(keys, 4))
    assert await harness.positions() == list(range(1, 41))


@asynccontextmanager
async def _unreachable(postgres: Postgres, url: str) -> AsyncIterator[None]:
    """All connections to the database are ended, and it takes none until the end of the block."""
    name: Any = make_url(url).database
    async with database_connection(postgres.url) as connection:
        await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        yield
        await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
