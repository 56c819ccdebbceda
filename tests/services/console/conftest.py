from collections.abc import AsyncIterator

import pytest

from tests.services.console.seed import seeded_world
from tests.services.console.world import World
from tests.support.postgres import Postgres
from tests.support.run import Run


@pytest.fixture
async def story(run: Run, postgres: Postgres) -> AsyncIterator[World]:
    """Everything running, with the seeded consortium."""
    async with seeded_world(run, postgres) as running:
        yield running
