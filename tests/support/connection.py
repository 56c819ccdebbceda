"""A connection to PostgreSQL for a block of a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@asynccontextmanager
async def database_connection(url: str, *, timeout: float = 60.0) -> AsyncIterator[Connection]:
    """A connection, made within `timeout` seconds and closed at the end of the block."""
    connection = await asyncpg.connect(url, timeout=timeout)
    try:
        yield connection
    finally:
        await connection.close()
