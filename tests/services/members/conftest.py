from collections.abc import Awaitable, Callable

import pytest


@pytest.fixture
async def url(service_database: Callable[[str], Awaitable[str]]) -> str:
    return await service_database("members")
