"""members, running, with something in it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
import structlog

from services.members import main
from tests.contracts.actions import OPERATOR, Members
from tests.support import factories


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
async def members(service_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Members]:
    url = await service_database("members")
    async with factories.running(main.build, url) as client:
        made = await client.post("/consortia", json=factories.consortium(), headers=OPERATOR)
        consortium = made.json()["id"]
        made = await client.post("/clusters", json=factories.cluster(consortium), headers=OPERATOR)
        assert made.status_code == 201, made.text
        yield Members(client, url, consortium, made.json()["id"])
