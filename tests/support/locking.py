"""Another transaction that holds what a test wants others to wait for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.support.connection import Connection, database_connection
from tests.support.waiting import eventually

_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@asynccontextmanager
async def open_transaction(url: str) -> AsyncIterator[Connection]:
    """Another transaction; it ends well at the end of the block."""
    async with database_connection(url) as connection, connection.transaction():
        yield connection


async def wait_until_blocked(url: str, count: int) -> None:
    """Wait until that many transactions wait for a lock."""
    connection = await asyncpg.connect(url)

    async def reached() -> bool:
        return bool(await connection.fetchval(_WAITING) == count)

    try:
        await eventually(reached, deadline=4)
    finally:
        await connection.close()
