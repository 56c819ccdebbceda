"""A stage for each fault, on both transports where the fault concerns both; the table of results lies with the run."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from deploy.kafka.topics import create_topics
from shared.events import topics
from tests.faults import report
from tests.faults.harness import Stage, stage
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

    async def one() -> str:
        urls.append(await postgres.create())
        return urls[-1]

    yield one
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
    for one in started:
        await one.end()


@pytest.fixture(scope="session")
def worker_kafka(run: Run) -> Iterator[str]:
    """A broker for the stages of one worker: their records would be a burden to each other."""
    broker = brokers.new_broker(run)
    broker.launch({})
    yield broker.address
    asyncio.run(broker.end())


async def emptied(servers: str) -> str:
    """Make the topics, or forget what earlier stages sent over them."""
    if not await create_topics(servers):
        await brokers.delete_records(servers, topics())
    return servers


@pytest.fixture(params=["local", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.long])])
async def transport(request: pytest.FixtureRequest) -> str | None:
    """Both transports: None for the local one, or the address of a broker."""
    return await emptied(request.getfixturevalue("worker_kafka")) if request.param == "kafka" else None


@pytest.fixture
async def on_kafka(worker_kafka: str, create: Callable[[], Awaitable[str]], tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage on Kafka alone."""
    async with stage(create, await emptied(worker_kafka), tmp_path) as made:
        yield made


@pytest.fixture
async def both(transport: str | None, create: Callable[[], Awaitable[str]], tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage, once on each transport."""
    async with stage(create, transport, tmp_path) as made:
        yield made
