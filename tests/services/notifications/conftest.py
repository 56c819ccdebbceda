"""notifications, running."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx2
import pytest
import structlog

from services.notifications import main
from shared.transport.local import LocalTransport
from tests.support import factories


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
async def url(service_database: Callable[[str], Awaitable[str]]) -> str:
    return await service_database("notifications")


@pytest.fixture
def transport() -> LocalTransport:
    return LocalTransport()


@pytest.fixture
async def client(url: str, transport: LocalTransport) -> AsyncIterator[httpx2.AsyncClient]:
    async with factories.running(main.build, url, transport=transport) as client:
        yield client
