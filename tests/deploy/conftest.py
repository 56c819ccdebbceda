"""Databases with rows: created once, then copied."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.deploy import services_fixture
from tests.support.postgres import Postgres


@pytest.fixture(scope="session")
def model(postgres: Postgres) -> dict[str, str]:
    """Template databases; no test connects to them."""
    return asyncio.run(services_fixture.filled_databases(postgres.create_service))


@pytest.fixture
async def filled(model: dict[str, str], postgres: Postgres) -> AsyncIterator[Callable[[], Awaitable[dict[str, str]]]]:
    made: list[str] = []

    async def create() -> dict[str, str]:
        urls = {service: await postgres.create(url) for service, url in model.items()}
        made.extend(urls.values())
        return urls

    yield create
    for url in made:
        await postgres.drop(url)
