from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
import structlog

from deploy.kafka.topics import create_topics
from shared.transport import Transport
from shared.transport.kafka import KafkaTransport
from shared.transport.local import LocalTransport
from tests.shared.messaging.harness import Harness, prepare
from tests.support.postgres import Postgres


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[structlog.typing.EventDict]]:
    """What is logged."""
    with structlog.testing.capture_logs() as captured:
        yield captured


@pytest.fixture(params=["local", pytest.param("kafka", marks=pytest.mark.kafka)])
async def make_transport(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[], Transport]]:
    """Both transports. The local one is shared by all parties, as in the one process it is for."""
    made: list[Transport] = []
    if request.param == "local":
        made.append(LocalTransport())
        yield lambda: made[0]
    else:
        servers: str = request.getfixturevalue("kafka")
        await create_topics(servers)

        def make() -> Transport:
            made.append(KafkaTransport(servers, "conformance"))
            return made[-1]

        yield make
    for transport in made:
        await transport.close()


@pytest.fixture
async def urls(postgres: Postgres) -> AsyncIterator[tuple[str, str]]:
    """The databases of a producing and of a consuming service."""
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(2):
            made.append(await postgres.create())
            stack.push_async_callback(postgres.drop, made[-1])
            await prepare(made[-1])
        yield made[0], made[1]


@pytest.fixture
async def harness(urls: tuple[str, str], make_transport: Callable[[], Transport]) -> AsyncIterator[Harness]:
    harness = Harness(urls, make_transport)
    yield harness
    await harness.close()


@pytest.fixture
def consumer_name() -> str:
    """A group of its own: the topic is shared by all tests."""
    return f"c{uuid4().hex[:12]}"
