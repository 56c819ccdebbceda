"""Brings a service's database to its newest schema. Runs as a step before the services start, never inside them."""

import asyncio
import importlib
import re
from collections.abc import Callable
from pathlib import Path
from time import monotonic
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
from shared.clock import jitter
from shared.web.problems import sqlstate

SERVICES = ("members", "trainings", "matching", "notifications")
"""The services that have a database."""

MIGRATION_LOCK = 0x4B6569_4D
"""The advisory lock under which migrations run, one at a time."""

LOCK_TIMEOUT = 2.0
"""Seconds that a step waits for its table: whoever comes after it waits behind it, and requests wait for 5 at most."""
RETRY_TIMEOUT = 600.0
"""Seconds for which a step that gave way, or another migration, is waited for."""
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
    """The hand-over's tables are made by statements of `shared`, so they are in no MetaData."""
    return not (kind == "table" and _MESSAGING_TABLES.match(name or ""))


class DatabaseBusy(Exception):
    """The database was in use for longer than patience lasts; the text is a sentence for whoever migrates."""


async def upgrade(service: str, url: str, revision: str = "heads", *, schema: str | None = None) -> None:
    """Bring the database at `url` to the newest schema of `service`. Safe to run again, and twice at once.

    A migration that gave way is begun anew: what it does in an `autocommit_block` has to bear that, for instance by
    `DROP INDEX CONCURRENTLY IF EXISTS` before `CREATE INDEX CONCURRENTLY`.

    Args:
        service: whose migrations.
        url: of its database.
        revision: go no further than this.
        schema: PostgreSQL's word for the place of the tables, if it is not the usual one.

    Raises:
        Blocked: others held what it needs all the time.
        BadSettings: it is another service's database.
    """
    until = monotonic() + RETRY_TIMEOUT
    while not await _with_connection(url, lambda connection: _try_upgrade(service, connection, revision), schema):
        if monotonic() > until:
            raise DatabaseBusy(
                f"{service} was in use for {RETRY_TIMEOUT:g} s; end what reads or migrates it, and try again."
            )
        await asyncio.sleep(jitter(_RETRY_PAUSE))


def _try_upgrade(service: str, connection: Connection, revision: str) -> bool:
    """Whether it could be done now.

    The lock is tried, not waited for: an index that is built concurrently waits for everybody who waits.
    """
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT:g}s'"))
    mine = connection.scalar(text(f"SELECT pg_try_advisory_lock({MIGRATION_LOCK})"))
    connection.commit()
    if not mine:
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
    """Whether a later version has migrated it, which the one before bears: so one can go back by a version."""
    found = MigrationContext.configure(connection).get_current_revision()
    connection.commit()
    scripts = ScriptDirectory.from_config(_config(service, connection))
    if found is None or found in {script.revision for script in scripts.walk_revisions()}:
        return False
    if not found.startswith(f"{service}_"):
        raise SettingsError(f"The database that {service} was given is at {found}, which is none of its schemas.")
    return True


async def differences(service: str, url: str) -> list[Any]:
    """What the migrations make differently from the service's tables. Empty if they are in step."""

    def compare(connection: Connection) -> list[Any]:
        config = _config(service, connection)
        context = MigrationContext.configure(connection, opts={"include_name": _is_in_metadata})
        return list(compare_metadata(context, config.attributes["metadata"]))

    return await _with_connection(url, compare)


async def _with_connection(url: str, act: Callable[[Connection], T], schema: str | None = None) -> T:
    place = {"server_settings": {"search_path": schema}} if schema else {}
    address = make_url(url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(address, poolclass=NullPool, connect_args=place)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(act)
    finally:
        await engine.dispose()
