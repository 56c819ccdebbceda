"""Check of a service's database before the service starts."""

import asyncio
from urllib.parse import urlsplit

import asyncpg
import structlog

from deploy.databases import SERVICES
from deploy.errors import UserError
from shared.background import retry_until
from shared.version import revisions

RETRY_TIMEOUT = 60.0
"""Seconds to wait for a database that cannot be reached."""
_QUERY_TIMEOUT = 5.0
_CONNECTION_ERRORS = (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError)

_log = structlog.get_logger(__name__)


class SchemaError(UserError):
    """The service cannot work with its database; the text is a message for the operator."""


async def check_schema(service: str, url: str, *, timeout: float = RETRY_TIMEOUT) -> None:
    """Wait for the database of `service`, and check its schema.

    A newer schema is accepted: migrations only add, so the previous version works on it.

    Raises:
        SchemaError: the database cannot be reached, refuses, is another service's, or has no schema or an old one.
    """
    revision = await _revision_when_reachable(service, url, timeout)
    known = revisions(service)
    if revision is None:
        raise SchemaError(f"The database of {service} has no schema yet. Run: kei migrate {service}")
    if revision == known[0]:
        return
    if revision in known:
        raise SchemaError(
            f"The database of {service} is at {revision}, behind {known[0]}, which this version needs."
            f" Run: kei migrate {service}"
        )
    owner = revision.rpartition("_")[0]
    if owner != service and owner in SERVICES:
        raise SchemaError(f"The database that {service} was given is that of {owner}.")
    _log.warning("the database is ahead of this version", found=revision, newest_known=known[0])


async def _revision_when_reachable(service: str, url: str, timeout: float) -> str | None:
    address = urlsplit(url)
    place = f"{address.hostname}:{address.port or 5432}"

    async def read() -> str | None:
        try:
            async with asyncio.timeout(_QUERY_TIMEOUT):
                return await _read_revision(url)
        except _CONNECTION_ERRORS as error:
            _log.warning("waiting for PostgreSQL", place=place, reason=str(error) or type(error).__name__)
            raise

    try:
        return await retry_until(timeout, read, _CONNECTION_ERRORS, pause=1.0)
    except _CONNECTION_ERRORS as error:
        reason = str(error) or type(error).__name__
        raise SchemaError(f"PostgreSQL at {place} is not reached by {service}: {reason}.") from error
    except asyncpg.PostgresError as error:
        raise SchemaError(f"PostgreSQL at {place} refuses {service}: {error}.") from error


async def _read_revision(url: str) -> str | None:
    connection = await asyncpg.connect(url)
    try:
        if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            return None
        revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
        return revision
    finally:
        await connection.close()
