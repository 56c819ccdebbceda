"""A fault harness per test, on both transports where the fault concerns both; results go to a table of the run."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from deploy.kafka.topics import create_topics
from shared.events import topics
from tests.faults import report
from tests.faults.harness import FaultHarness, fault_harness
from tests.support import kafka as brokers
from tests.support.own_postgres import OwnPostgres
from tests.support.postgres import Postgres
from tests.support.run import Run


@pytest.fixture
def table(run: Run) -> Path:
    return report.table(run)


@pytest.fixture
async def create(postgres: Postgres) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    urls: list[str] = []

    async def create_database() -> str:
        urls.append(await postgres.create())
        return urls[-1]

    yield create_database
    for url in urls:
        await postgres.drop(url)


@pytest.fixture
async def own_postgres(run: Run) -> AsyncIterator[Callable[..., Awaitable[OwnPostgres]]]:
    started: list[OwnPostgres] = []

    async def create(folder: Path | None = None, **settings: str) -> OwnPostgres:
        started.append(OwnPostgres(run, folder or run.new_folder() / "postgres", settings))
        await started[-1].start()
        return started[-1]

    yield create
    for server in started:
        await server.end()


@pytest.fixture(scope="session")
def worker_kafka(run: Run) -> Iterator[str]:
    """A broker for the harnesses of one pytest worker; a shared one would be slowed by the records of others."""
    broker = brokers.new_broker(run)
    broker.launch({})
    yield broker.address
    asyncio.run(broker.end())


async def with_empty_topics(servers: str) -> str:
    """Create the topics, or delete the records that earlier tests have sent."""
    if not await create_topics(servers):
        await brokers.delete_records(servers, topics())
    return servers


@pytest.fixture(params=["local", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.long])])
async def transport(request: pytest.FixtureRequest) -> str | None:
    """Both transports: None for the local one, or the address of a broker."""
    return await with_empty_topics(request.getfixturevalue("worker_kafka")) if request.param == "kafka" else None


@pytest.fixture
async def kafka_harness(
    worker_kafka: str, create: Callable[[], Awaitable[str]], tmp_path: Path
) -> AsyncIterator[FaultHarness]:
    """A harness on Kafka only."""
    async with fault_harness(create, await with_empty_topics(worker_kafka), tmp_path) as harness:
        yield harness


@pytest.fixture
async def harness(
    transport: str | None, create: Callable[[], Awaitable[str]], tmp_path: Path
) -> AsyncIterator[FaultHarness]:
    """A harness, once on each transport."""
    async with fault_harness(create, transport, tmp_path) as harness:
        yield harness
