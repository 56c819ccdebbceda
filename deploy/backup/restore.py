"""Restore of a backup: fill a staging schema in each database, migrate it, then exchange it with the present tables.

The present tables do not change until all staging schemas are complete. Then they are replaced in one transaction per
database; these transactions are committed one after another.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress

from sqlalchemy.exc import SQLAlchemyError

from deploy.backup import catalogue
from deploy.backup.archive import Archive, BackupError, DatabaseContent, TableContent
from deploy.backup.catalogue import RELAY_TABLE, VERSION_TABLE, Connection, quoted
from deploy.backup.snapshot import CONNECTION_ERRORS, describe_error, open_connection, own_revision
from deploy.migrate import DatabaseBusy, upgrade
from shared.background import poll_until
from shared.version import revisions

STAGING_SCHEMA = "kei_restore"
"""The staging schema; a restore removes one that a killed restore has left."""
_DISCONNECT_TIMEOUT = 2.0
"""Seconds until connections that were just closed have ended."""

_OTHER_CONNECTIONS = """
    SELECT DISTINCT coalesce(nullif(application_name, ''), usename, 'somebody')
    FROM pg_stat_clear_snapshot(), pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND coalesce(backend_type, 'client backend') = 'client backend'
"""
_RELATIONS = "SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p')"
_SET_SEQUENCE = "SELECT setval(pg_get_serial_sequence(quote_ident($1), $2), $3)"
_REPLAY_ALL = f"""
    UPDATE {STAGING_SCHEMA}.{RELAY_TABLE} SET sent = 0, epoch = epoch + 1, holder = '', heartbeat_at = clock_timestamp()
"""  # noqa: S608  only constants are put in
"""The relay sends the whole log again: consumers ignore known events, and a new broker gets all of them."""

ShowStep = Callable[[str], None]
Agree = Callable[[Sequence[str]], bool]
"""Asks whether the present rows of these services may be removed."""


class _Target:
    """A database to restore into."""

    def __init__(self, service: str, url: str, connection: Connection, content: DatabaseContent) -> None:
        self.service, self._url, self.connection, self._content = service, url, connection, content
        self.has_rows = False
        self._schema = ""

    async def inspect(self) -> None:
        """Read the present content.

        Raises:
            BackupError: another connection uses the database, or it is another service's.
        """
        await self._require_unused()
        if await catalogue.tables(self.connection):
            await own_revision(self.service, self.connection)
        self.has_rows = await self._has_rows()
        self._schema = await self.connection.fetchval("SELECT current_schema()")

    async def load(self, archive: Archive, show: ShowStep) -> None:
        """Fill the staging schema."""
        show(f"Filling {self.service}")
        await self.drop_staging()
        await self.connection.execute(f"CREATE SCHEMA {STAGING_SCHEMA}")
        await upgrade(self.service, self._url, self._content.revision, schema=STAGING_SCHEMA)
        async with self.connection.transaction():
            await self.connection.execute(f"SET LOCAL search_path = {STAGING_SCHEMA}")
            await self._fill(archive, show)
        await upgrade(self.service, self._url, schema=STAGING_SCHEMA)
        await self.connection.execute(_REPLAY_ALL)
        names = [
            f"{STAGING_SCHEMA}.{quoted(row[0])}" for row in await self.connection.fetch(_RELATIONS, STAGING_SCHEMA)
        ]
        await self.connection.execute(f"ANALYZE {', '.join(names)}")

    async def replace_tables(self, *, replace: bool) -> None:
        """Replace the present tables by the staged ones, in the open transaction.

        Raises:
            BackupError: another connection uses the database now.
        """
        execute = self.connection.execute
        await execute("SET LOCAL lock_timeout = '5s'")
        if old := [quoted(table.name) for table in await catalogue.tables(self.connection)]:
            await execute(f"LOCK TABLE {', '.join(old)} IN ACCESS EXCLUSIVE MODE")
        await self._require_unused()
        if not replace and await self._has_rows():
            raise BackupError(f"Rows were written to {self.service} meanwhile.")
        if old:
            await execute(f"DROP TABLE {', '.join(old)}")
        for row in await self.connection.fetch(_RELATIONS, STAGING_SCHEMA):
            await execute(f"ALTER TABLE {STAGING_SCHEMA}.{quoted(row[0])} SET SCHEMA {quoted(self._schema)}")
        await execute(f"DROP SCHEMA {STAGING_SCHEMA}")

    async def drop_staging(self) -> None:
        """Remove the staging schema."""
        await self.connection.execute(f"DROP SCHEMA IF EXISTS {STAGING_SCHEMA} CASCADE")

    async def _require_unused(self) -> None:
        async def others() -> list[str]:
            return sorted(row[0] for row in await self.connection.fetch(_OTHER_CONNECTIONS))

        if names := await poll_until(_DISCONNECT_TIMEOUT, others, lambda names: not names, pause=0.1):
            raise BackupError(
                f"The database of {self.service} is in use by {', '.join(names)}: stop the services first."
            )

    async def _has_rows(self) -> bool:
        names = [
            table.name
            for table in await catalogue.tables(self.connection)
            if table.name not in {VERSION_TABLE, RELAY_TABLE}
        ]
        queries = [f"EXISTS (SELECT FROM {quoted(name)})" for name in names]
        return bool(queries) and await self.connection.fetchval(f"SELECT {' OR '.join(queries)}")

    async def _fill(self, archive: Archive, show: ShowStep) -> None:
        execute = self.connection.execute
        known = {table.name for table in await catalogue.tables(self.connection)}
        for rows in self._content.tables:
            if rows.table not in known:
                show(f"{self.service}.{rows.table} is skipped: it is not a table of Kei")
        tables = [rows for rows in self._content.tables if rows.table in known]
        for partition in self._content.months:
            bounds = f"FROM ('{partition.first}') TO ('{partition.end}')"
            await execute(f"CREATE TABLE {quoted(partition.name)} PARTITION OF outbox FOR VALUES {bounds}")
        await execute(f"TRUNCATE {', '.join(quoted(rows.table) for rows in tables)}")
        for rows in tables:
            await self._copy(archive, rows)
        for sequence in self._content.sequences:
            if sequence.table in known:
                await self.connection.fetch(_SET_SEQUENCE, sequence.table, sequence.column, sequence.last)

    async def _copy(self, archive: Archive, rows: TableContent) -> None:
        async def source() -> AsyncIterator[bytes]:
            for chunk in archive.chunks(self.service, rows.table):
                yield chunk

        try:
            await self.connection.copy_to_table(rows.table, source=source(), columns=rows.columns)
        except CONNECTION_ERRORS as error:
            raise BackupError(f"{self.service}.{rows.table} could not be written: {describe_error(error)}.") from error


async def restore(archive: Archive, urls: Mapping[str, str], *, replace: bool, agree: Agree, show: ShowStep) -> None:
    """Restore an archive into the databases at `urls`, by service.

    Args:
        archive: a verified backup.
        urls: databases without other connections; empty, unless `replace`.
        replace: whether present rows are removed, if `agree` returns true.
        agree: called once, with all services that have rows.
        show: shows the current step.

    Raises:
        BackupError: nothing was changed, unless the text says so.
    """
    for service in urls:
        _check_revision(service, archive)
    async with AsyncExitStack() as stack:
        targets = []
        for service, url in urls.items():
            connection = await stack.enter_async_context(open_connection(service, url))
            targets.append(_Target(service, url, connection, archive.manifest.services[service]))
        for target in targets:
            await _with_service_name(target, target.inspect())
        _refuse_rows([target.service for target in targets if target.has_rows], agree if replace else None)
        try:
            for target in targets:
                await _with_service_name(target, target.load(archive, show))
            await _swap_all(targets, replace=replace)
        finally:
            with suppress(*CONNECTION_ERRORS):
                for target in targets:
                    await target.drop_staging()


def _check_revision(service: str, archive: Archive) -> None:
    content = archive.manifest.services.get(service)
    if content is None:
        raise BackupError(f"{archive.path} does not contain {service}.")
    if content.revision not in revisions(service):
        message = f"{archive.path} has {service} at {content.revision}, which this version does not know."
        raise BackupError(
            f"{message} Restore it with the version that made it ({archive.manifest.version}) or a newer one."
        )


def _refuse_rows(filled: Sequence[str], agree: Agree | None) -> None:
    if filled and agree is None:
        raise BackupError(f"There are rows in {', '.join(filled)}. Restore into empty databases, or use --replace.")
    if filled and agree is not None and not agree(filled):
        raise BackupError("Nothing was changed.")


async def _swap_all(targets: Sequence[_Target], *, replace: bool) -> None:
    try:
        async with AsyncExitStack() as stack:
            for target in targets:
                await stack.enter_async_context(target.connection.transaction())
                await _with_service_name(target, target.replace_tables(replace=replace))
    except CONNECTION_ERRORS as error:
        message = f"A database failed while its tables were replaced: {describe_error(error)}."
        raise BackupError(
            f"{message} Some services may be restored and others not: do it again with --replace."
        ) from error


async def _with_service_name(target: _Target, work: Awaitable[None]) -> None:
    try:
        await work
    except (*CONNECTION_ERRORS, SQLAlchemyError, DatabaseBusy) as error:
        raise BackupError(f"{target.service} could not be restored: {describe_error(error)}.") from error
