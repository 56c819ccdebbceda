"""The databases keep days and times within the limits of shared/dates.py; migrations repair what is outside them."""

import importlib
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import Date, DateTime

from deploy.migrate import upgrade
from tests.support.connection import database_connection

_ID, _OTHER = UUID(int=1), UUID(int=2)
_CLUSTER = """
    INSERT INTO cluster (id, consortium_id, slug, name, country, ecosystems, languages, value_chain_stages, label,
                         label_valid_until, illustrative, mentor_capacity, learner_capacity, version)
    VALUES ($1, $1, 'a', 'A', 'HU', '{}', '{}', '{}', 'gold', 'infinity', '{}', 0, 1, 1)
"""
_ASSESSMENT = """
    INSERT INTO assessment (id, cluster_id, framework, kind, assessed_on, valid_until, scores, illustrative)
    VALUES (gen_random_uuid(), $1, 'f', $2, $3::text::date, $4::text::date, '{}', false)
"""


@pytest.mark.parametrize("service", ["matching", "members", "trainings"])
async def test_every_day_and_time_has_its_check(
    service: str, service_database: Callable[[str], Awaitable[str]]
) -> None:
    connection = await asyncpg.connect(await service_database(service))
    rows = await connection.fetch("SELECT conname FROM pg_constraint WHERE contype = 'c' AND convalidated")
    await connection.close()
    tables = importlib.import_module(f"services.{service}.tables").metadata.tables.values()
    limited = [column for table in tables for column in table.columns if isinstance(column.type, Date | DateTime)]
    assert limited
    wanted = {f"ck_{column.table.name}_{column.name}_limits" for column in limited}
    assert wanted - {row["conname"] for row in rows} == set()


async def test_stored_days_outside_the_limits_are_repaired(database_url: str) -> None:
    await upgrade("members", database_url, "members_0003")
    async with database_connection(database_url) as connection:
        await connection.execute(
            "INSERT INTO consortium (id, slug, name, programme, starts_on, ends_on, version)"
            " VALUES ($1, 'c', 'C', 'P', '-infinity', 'infinity', 1)",
            _ID,
        )
        await connection.execute(_CLUSTER, _ID)
        await connection.execute("INSERT INTO framework VALUES ('f', 'F', 5, '[]')")
        days = ("-infinity", "0001-01-01", "1899-12-31", "1900-01-02", "2020-01-01")
        for day in days:
            await connection.execute(_ASSESSMENT, _ID, "expert", day, "9999-12-31")
        await connection.execute(_ASSESSMENT, _ID, "self", "0001-01-01", "0001-01-01")
        await upgrade("members", database_url)
        assert await _texts(connection, "SELECT starts_on, ends_on FROM consortium") == [("1900-01-01", "2200-12-31")]
        assert await _texts(connection, "SELECT label_valid_until FROM cluster") == [("2200-12-31",)]
        query = "SELECT assessed_on, valid_until FROM assessment WHERE kind = $1 ORDER BY assessed_on"
        repaired = ("1900-01-01", "1900-01-02", "1900-01-03", "1900-01-04", "2020-01-01")
        assert await _texts(connection, query, "expert") == [(day, "2200-12-31") for day in repaired]
        assert await _texts(connection, query, "self") == [("1900-01-01", "1900-01-01")]
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(_ASSESSMENT, _ID, "peer", "2020-01-01", "infinity")


async def test_stored_times_outside_the_limits_are_repaired(database_url: str) -> None:
    await upgrade("matching", database_url, "matching_0008")
    async with database_connection(database_url) as connection:
        await connection.execute(
            "INSERT INTO pair (id, consortium_id, mentor_id, learner_id, score, terms, state, expires_at, events,"
            " version) VALUES ($1, $1, $1, $2, 0, '[]', 'proposed', '-infinity', 1, 1)",
            *(_ID, _OTHER),
        )
        await connection.execute("INSERT INTO level VALUES ($1, 'f', 'i', 2, 5, '-infinity', 1)", _ID)
        await upgrade("matching", database_url)
        assert await _texts(connection, "SELECT decided_at, expires_at FROM pair") == [
            ("None", "1900-01-01 00:00:00+00:00")
        ]
        assert await _texts(connection, "SELECT assessed_on FROM level") == [("1900-01-01",)]


async def _texts(
    connection: "asyncpg.Connection[asyncpg.Record]", query: str, *values: object
) -> list[tuple[str, ...]]:
    return [tuple(map(str, row)) for row in await connection.fetch(query, *values)]
