"""The migrations of a service create the tables that its code declares."""

from collections.abc import Awaitable, Callable

import pytest

from deploy.migrate import differences


@pytest.mark.parametrize("service", ["matching", "members", "notifications", "trainings"])
async def test_migrations_and_tables_are_in_step(
    service: str, service_database: Callable[[str], Awaitable[str]]
) -> None:
    assert await differences(service, await service_database(service)) == []
