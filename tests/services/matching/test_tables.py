"""The migrations make what the tables say."""

from collections.abc import Awaitable, Callable

from deploy.migrate import differences


async def test_migrations_and_tables_are_in_step(service_database: Callable[[str], Awaitable[str]]) -> None:
    assert await differences("matching", await service_database("matching")) == []
