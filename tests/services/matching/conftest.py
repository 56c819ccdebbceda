"""matching, running."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx2
import pytest
import structlog

from services.matching import main
from shared.transport.local import LocalTransport
from tests.services.matching.actions import Matching
from tests.support import factories


@pytest.fixture(autouse=True)
def said() -> Iterator[list[structlog.typing.EventDict]]:
    """What the log says; it goes nowhere else."""
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
async def url(service_database: Callable[[str], Awaitable[str]]) -> str:
    return await service_database("matching")


@pytest.fixture
def transport() -> LocalTransport:
    return LocalTransport()


@pytest.fixture
async def client(url: str, transport: LocalTransport) -> AsyncIterator[httpx2.AsyncClient]:
    async with factories.running(main.build, url, transport=transport) as client:
        yield client


@pytest.fixture
def matching(client: httpx2.AsyncClient, url: str, transport: LocalTransport) -> Matching:
    return Matching(client, url, transport)
