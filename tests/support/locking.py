"""Another transaction that holds what a test wants others to wait for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg

from tests.support.waiting import eventually

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@asynccontextmanager
async def open_transaction(url: str) -> AsyncIterator[Connection]:
    """Another transaction; it ends well at the end of the block."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()


async def wait_until_blocked(url: str, count: int) -> None:
    """Wait until that many transactions wait for a lock."""
    connection = await asyncpg.connect(url)

    async def reached() -> bool:
        return bool(await connection.fetchval(_WAITING) == count)

    try:
        await eventually(reached, deadline=4)
    finally:
        await connection.close()
