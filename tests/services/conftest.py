"""The service under test: the one that the folder of the test is named after, running, with its own database."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx2
import pytest
import structlog

from shared.transport.local import LocalTransport
from tests.support import factories, services


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[structlog.typing.EventDict]]:
    """The log's entries; nothing is printed."""
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
def service(request: pytest.FixtureRequest) -> str:
    return request.path.parent.name


@pytest.fixture
def build(service: str) -> factories.Build:
    return services.build(service)


@pytest.fixture
async def url(service: str, service_database: Callable[[str], Awaitable[str]]) -> str:
    """The URL of the service's database."""
    return await service_database(service)


@pytest.fixture
def transport() -> LocalTransport:
    return LocalTransport()


@pytest.fixture
async def client(build: factories.Build, url: str, transport: LocalTransport) -> AsyncIterator[httpx2.AsyncClient]:
    async with factories.running(build, url, transport=transport) as client:
        yield client
