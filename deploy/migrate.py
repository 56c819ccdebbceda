"""Migration of a service's database to the newest schema: a step before the services start, never inside them."""

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from deploy.databases import SettingsError
from deploy.errors import UserError
from shared.background import poll_until
from shared.web.problems import sqlstate

MIGRATION_LOCK = 0x4B6569_4D
"""The advisory lock under which migrations run, one at a time."""

LOCK_TIMEOUT = 2.0
"""Seconds that a migration waits for a table. Later queries wait behind it, and requests wait for 5 seconds at most."""
RETRY_TIMEOUT = 600.0
"""Seconds for which a migration is repeated while the database is in use or another migration runs."""
_RETRY_PAUSE = 1.0
_LOCK_NOT_AVAILABLE = "55P03"

_MESSAGING_TABLES = re.compile(r"^(outbox.*|inbox|idempotency)$")
_ROOT = Path(__file__).parent.parent
T = TypeVar("T")


def _config(service: str, connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_ROOT / "deploy" / "alembic"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", str(_ROOT / "services" / service / "migrations"))
    config.attributes["connection"] = connection
    config.attributes["metadata"] = importlib.import_module(f"services.{service}.tables").metadata
    config.attributes["include_name"] = _is_in_metadata
    return config


def _is_in_metadata(name: str | None, kind: str, _: Any) -> bool:  # noqa: ANN401  Alembic's own mapping
    """The messaging tables are created by SQL in `shared`, so they are in no MetaData."""
    return not (kind == "table" and _MESSAGING_TABLES.match(name or ""))


class DatabaseBusy(UserError):
    """The database was in use for `RETRY_TIMEOUT` seconds; the text is a message for the operator."""


async def upgrade(service: str, url: str, revision: str = "heads", *, schema: str | None = None) -> None:
    """Migrate the database at `url` to the newest schema of `service`. Safe to repeat, and to run twice at once.

    A migration that waited too long for a table is started again, so statements in an `autocommit_block` must be
    repeatable: for example `DROP INDEX CONCURRENTLY IF EXISTS` before `CREATE INDEX CONCURRENTLY`.

    Args:
        service: owner of the migrations.
        url: of its database.
        revision: last revision to apply.
        schema: PostgreSQL schema of the tables, if it is not the default one.

    Raises:
        DatabaseBusy: other transactions held a needed lock all the time.
        SettingsError: it is another service's database.
    """

    async def attempt() -> bool:
        return await _with_connection(url, lambda connection: _try_upgrade(service, connection, revision), schema)

    if not await poll_until(RETRY_TIMEOUT, attempt, bool, pause=_RETRY_PAUSE):
        raise DatabaseBusy(
            f"{service} was in use for {RETRY_TIMEOUT:g} s; end what reads or migrates it, and try again."
        )


def _try_upgrade(service: str, connection: Connection, revision: str) -> bool:
    """Whether the migration could run now.

    Does not wait for the advisory lock: CREATE INDEX CONCURRENTLY waits for every waiting transaction.
    """
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT:g}s'"))
    acquired = connection.scalar(text(f"SELECT pg_try_advisory_lock({MIGRATION_LOCK})"))
    connection.commit()
    if not acquired:
        return False
    if _is_ahead(service, connection):
        return True
    try:
        command.upgrade(_config(service, connection), revision)
    except DBAPIError as error:
        if sqlstate(error) == _LOCK_NOT_AVAILABLE:
            return False
        raise
    connection.commit()
    return True


def _is_ahead(service: str, connection: Connection) -> bool:
    """Whether a later version has migrated the database: this version works on that schema, without migration."""
    current = MigrationContext.configure(connection).get_current_revision()
    connection.commit()
    scripts = ScriptDirectory.from_config(_config(service, connection))
    if current is None or current in {script.revision for script in scripts.walk_revisions()}:
        return False
    if not current.startswith(f"{service}_"):
        raise SettingsError(f"The database that {service} was given is at {current}, which is none of its schemas.")
    return True


async def differences(service: str, url: str) -> list[Any]:
    """Differences between the schema that the migrations create and the service's tables."""

    def compare(connection: Connection) -> list[Any]:
        config = _config(service, connection)
        context = MigrationContext.configure(connection, opts={"include_name": _is_in_metadata})
        return list(compare_metadata(context, config.attributes["metadata"]))

    return await _with_connection(url, compare)


async def _with_connection(url: str, work: Callable[[Connection], T], schema: str | None = None) -> T:
    search_path = {"server_settings": {"search_path": schema}} if schema else {}
    address = make_url(url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(address, poolclass=NullPool, connect_args=search_path)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()
