"""Whether a service's database is the right one and far enough; asked before the service starts."""

import asyncio
from time import monotonic
from urllib.parse import urlsplit

import asyncpg
import structlog

from deploy.migrate import SERVICES
from shared.clock import jitter
from shared.version import revisions

RETRY_TIMEOUT = 60.0
"""Seconds for which a database that cannot be reached is waited for."""
_QUERY_TIMEOUT = 5.0
_CONNECTION_ERRORS = (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError)

_log = structlog.get_logger(__name__)


class SchemaError(Exception):
    """The service cannot work with its database; the text is a sentence for whoever deploys."""


async def check_schema(service: str, url: str, *, patience: float = RETRY_TIMEOUT) -> None:
    """Return when the database of `service` is there and its schema is one that this code works with.

    A schema that is ahead is one: migrations first add, so that the version before goes on working.

    Raises:
        WrongDatabase: it is not reached, refuses, is another's, has no schema, or one that is behind.
    """
    found = await _revision_when_reachable(service, url, patience)
    known = revisions(service)
    if found is None:
        raise SchemaError(f"The database of {service} has no schema yet. Run: kei migrate {service}")
    if found == known[0]:
        return
    if found in known:
        raise SchemaError(
            f"The database of {service} is at {found}, behind {known[0]}, which this version needs."
            f" Run: kei migrate {service}"
        )
    owner = found.rpartition("_")[0]
    if owner != service and owner in SERVICES:
        raise SchemaError(f"The database that {service} was given is that of {owner}.")
    _log.warning("the database is ahead of this version", found=found, newest_known=known[0])


async def _revision_when_reachable(service: str, url: str, patience: float) -> str | None:
    where = urlsplit(url)
    place = f"{where.hostname}:{where.port or 5432}"
    until = monotonic() + patience
    while True:
        try:
            async with asyncio.timeout(_QUERY_TIMEOUT):
                return await _read_revision(url)
        except _CONNECTION_ERRORS as error:
            reason = str(error) or type(error).__name__
            if monotonic() > until:
                raise SchemaError(f"PostgreSQL at {place} is not reached by {service}: {reason}.") from error
            _log.warning("waiting for PostgreSQL", place=place, reason=reason)
            await asyncio.sleep(jitter(1.0))
        except asyncpg.PostgresError as error:
            raise SchemaError(f"PostgreSQL at {place} refuses {service}: {error}.") from error


async def _read_revision(url: str) -> str | None:
    connection = await asyncpg.connect(url)
    try:
        if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            return None
        found: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
        return found
    finally:
        await connection.close()
