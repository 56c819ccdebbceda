from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.services.console.seed import seed
from tests.services.console.world import World, world


@pytest.fixture
async def story(service_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[World]:
    """Everything running, with the seeded consortium."""
    async with world(service_database) as running:
        await seed(running)
        yield running
