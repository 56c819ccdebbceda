"""trainings, running, with some clusters known to it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from uuid import UUID, uuid4

import httpx2
import pytest
import structlog

from services.trainings import main
from shared.transport.local import LocalTransport
from tests.support import factories
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
async def url(service_database: Callable[[str], Awaitable[str]]) -> str:
    return await service_database("trainings")


@pytest.fixture
def transport() -> LocalTransport:
    return LocalTransport()


@pytest.fixture
async def client(url: str, transport: LocalTransport) -> AsyncIterator[httpx2.AsyncClient]:
    async with factories.running(main.build, url, transport=transport) as client:
        yield client


@pytest.fixture
async def clusters(client: httpx2.AsyncClient, url: str, transport: LocalTransport) -> list[UUID]:
    """Four clusters of one consortium; the first hosts."""
    assert not client.is_closed  # it runs, and handles what is delivered
    ids = [uuid4() for _ in range(4)]
    await factories.deliver(
        transport, *(factories.cluster_registered_event(cluster_id=id, name=f"Cluster {n}") for n, id in enumerate(ids))
    )

    async def known() -> bool:
        return len(await factories.rows(url, "SELECT FROM cluster")) == len(ids)

    await eventually(known)
    return ids
