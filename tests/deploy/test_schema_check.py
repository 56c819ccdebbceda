from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import pytest

from deploy.databases import SettingsError
from deploy.migrate import upgrade
from deploy.schema_check import SchemaError, check_schema
from shared.version import revisions
from tests.support.connection import database_connection
from tests.support.kafka_local import free_ports

Create = Callable[[str], Awaitable[str]]


async def _at(url: str, revision: str | None) -> None:
    """Have the database say that it is at a revision, or at none."""
    async with database_connection(url) as connection:
        await connection.execute("DELETE FROM alembic_version")
        if revision is not None:
            await connection.execute("INSERT INTO alembic_version VALUES ($1)", revision)


async def _refusal(service: str, url: str) -> str:
    with pytest.raises(SchemaError) as refusal:
        await check_schema(service, url, timeout=0.1)
    return str(refusal.value)


async def test_the_right_database_at_the_newest_schema_is_taken(service_database: Create) -> None:
    await check_schema("members", await service_database("members"))


async def test_a_schema_that_is_ahead_is_taken_so_that_the_version_before_works_on(service_database: Create) -> None:
    url = await service_database("members")
    await _at(url, "members_9999")
    await check_schema("members", url)


async def test_a_database_without_a_schema_is_refused_with_what_to_do(
    service_database: Create, database_url: str
) -> None:
    no_schema = "The database of members has no schema yet. Run: kei migrate members"
    assert await _refusal("members", database_url) == no_schema
    url = await service_database("members")
    await _at(url, None)
    assert await _refusal("members", url) == no_schema


async def test_a_schema_that_is_behind_is_refused(service_database: Create, monkeypatch: pytest.MonkeyPatch) -> None:
    known = revisions("members")
    monkeypatch.setattr("deploy.schema_check.revisions", lambda _: ("members_later", *known))
    message = await _refusal("members", await service_database("members"))
    assert message.startswith(f"The database of members is at {known[0]}, behind members_later")


async def test_the_database_of_another_service_is_refused(service_database: Create) -> None:
    message = await _refusal("members", await service_database("trainings"))
    assert message == "The database that members was given is that of trainings."


async def test_a_server_that_is_away_is_waited_for_and_then_told() -> None:
    (port,) = free_ports(1)
    message = await _refusal("members", f"postgresql://members@127.0.0.1:{port}/members")
    assert message.startswith(f"PostgreSQL at 127.0.0.1:{port} is not reached by members")


async def test_a_database_that_is_not_there_is_told(database_url: str) -> None:
    other = urlsplit(database_url)._replace(path="/nowhere").geturl()
    assert 'database "nowhere" does not exist' in await _refusal("members", other)


async def test_a_version_before_leaves_a_schema_that_is_ahead_as_it_is(service_database: Create) -> None:
    url = await service_database("members")
    await _at(url, "members_9999")
    await upgrade("members", url)
    async with database_connection(url) as connection:
        assert await connection.fetchval("SELECT version_num FROM alembic_version") == "members_9999"


async def test_the_database_of_another_service_is_not_migrated(service_database: Create) -> None:
    with pytest.raises(SettingsError, match="members was given is at trainings_"):
        await upgrade("members", await service_database("trainings"))
