"""Sessions and the pool behind them: what the server has closed is replaced before anybody notices."""

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.db import Database
from tests.support.waiting import eventually

_OTHERS = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'pooled'"


async def test_connections_that_the_server_closed_are_replaced(database_url: str) -> None:
    database = Database(database_url, name="pooled", pool_size=3)
    try:
        async with database.transaction() as first, database.transaction() as second:
            await first.execute(text("SELECT 1"))
            await second.execute(text("SELECT 1"))
        server = await asyncpg.connect(database_url)
        assert await server.fetchval(_OTHERS) == 2
        await eventually(lambda: _none_left(server))
        await server.close()
        for _ in range(4):
            async with database.transaction() as tx:
                assert await tx.scalar(text("SELECT 2")) == 2
            async with database.reading() as session:
                assert await session.scalar(text("SELECT 3")) == 3
    finally:
        await database.close()


async def _none_left(server: "asyncpg.Connection[asyncpg.Record]") -> bool:
    count: int = await server.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pooled'")
    return count == 0


async def test_a_block_that_raises_leaves_nothing_and_wakes_nobody(database_url: str) -> None:
    database = Database(database_url, name="pooled")
    woken: list[str] = []
    database.on_commit.append(lambda: woken.append("woken"))
    try:
        async with database.transaction() as tx:
            await tx.execute(text("CREATE TABLE kept (n int)"))
        with pytest.raises(DBAPIError):
            await _fail(database)
        async with database.reading() as session:
            assert await session.scalar(text("SELECT count(*) FROM kept")) == 0
    finally:
        await database.close()
    assert woken == []


async def _fail(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("INSERT INTO kept VALUES (1)"))
        await tx.execute(text("SELECT 1 / 0"))
