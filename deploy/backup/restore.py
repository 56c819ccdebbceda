"""Restoring: each database is filled beside what is there, brought to the newest schema, and takes its place.

Nothing of what is there changes until all that is restored is complete; then the old tables go and the new ones are
moved to their place, in one transaction of each database, and these are committed one right after the other.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from time import monotonic

from sqlalchemy.exc import SQLAlchemyError

from deploy.backup import catalogue
from deploy.backup.archive import Archive, BackupError, DatabaseContent, TableContent
from deploy.backup.catalogue import RELAY_TABLE, VERSION_TABLE, Connection, quoted
from deploy.backup.snapshot import CONNECTION_ERRORS, describe_error, open_connection, own_revision
from deploy.migrate import DatabaseBusy, upgrade
from shared.version import revisions

STAGING_SCHEMA = "kei_restore"
"""The schema in which a database is filled; what a killed restore left of it is removed by the next."""
_DISCONNECT_TIMEOUT = 2.0
"""Seconds in which connections that were closed just now are gone."""

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
"""The relay sends the whole log again: who knows an event ignores it, and a new broker gets everything."""

Tell = Callable[[str], None]
Agree = Callable[[Sequence[str]], bool]
"""Asks whether what these services hold now shall be removed."""


class _Target:
    """A database that is restored."""

    def __init__(self, service: str, url: str, connection: Connection, held: DatabaseContent) -> None:
        self.service, self._url, self.connection, self._held = service, url, connection, held
        self.filled = False
        self._place = ""

    async def look(self) -> None:
        """See what is there.

        Raises:
            NotDone: somebody uses it, or it is another's.
        """
        await self._alone()
        if await catalogue.tables(self.connection):
            await own_revision(self.service, self.connection)
        self.filled = await self._has_rows()
        self._place = await self.connection.fetchval("SELECT current_schema()")

    async def load(self, archive: Archive, tell: Tell) -> None:
        """Make it anew, beside what is there."""
        tell(f"Filling {self.service}")
        await self.clear()
        await self.connection.execute(f"CREATE SCHEMA {STAGING_SCHEMA}")
        await upgrade(self.service, self._url, self._held.revision, schema=STAGING_SCHEMA)
        async with self.connection.transaction():
            await self.connection.execute(f"SET LOCAL search_path = {STAGING_SCHEMA}")
            await self._fill(archive, tell)
        await upgrade(self.service, self._url, schema=STAGING_SCHEMA)
        await self.connection.execute(_REPLAY_ALL)
        names = [
            f"{STAGING_SCHEMA}.{quoted(row[0])}" for row in await self.connection.fetch(_RELATIONS, STAGING_SCHEMA)
        ]
        await self.connection.execute(f"ANALYZE {', '.join(names)}")

    async def take_over(self, *, replace: bool) -> None:
        """Let the new tables take the place of the old ones, in the transaction that is open.

        Raises:
            NotDone: somebody has come meanwhile.
        """
        run = self.connection.execute
        await run("SET LOCAL lock_timeout = '5s'")
        if old := [quoted(one.name) for one in await catalogue.tables(self.connection)]:
            await run(f"LOCK TABLE {', '.join(old)} IN ACCESS EXCLUSIVE MODE")
        await self._alone()
        if not replace and await self._has_rows():
            raise BackupError(f"Somebody has written to {self.service} meanwhile.")
        if old:
            await run(f"DROP TABLE {', '.join(old)}")
        for row in await self.connection.fetch(_RELATIONS, STAGING_SCHEMA):
            await run(f"ALTER TABLE {STAGING_SCHEMA}.{quoted(row[0])} SET SCHEMA {quoted(self._place)}")
        await run(f"DROP SCHEMA {STAGING_SCHEMA}")

    async def clear(self) -> None:
        """Remove what is beside."""
        await self.connection.execute(f"DROP SCHEMA IF EXISTS {STAGING_SCHEMA} CASCADE")

    async def _alone(self) -> None:
        until = monotonic() + _DISCONNECT_TIMEOUT
        while others := [row[0] for row in await self.connection.fetch(_OTHER_CONNECTIONS)]:
            if monotonic() > until:
                names = ", ".join(sorted(others))
                raise BackupError(f"The database of {self.service} is in use by {names}: stop the services first.")
            await asyncio.sleep(0.1)

    async def _has_rows(self) -> bool:
        names = [
            one.name for one in await catalogue.tables(self.connection) if one.name not in {VERSION_TABLE, RELAY_TABLE}
        ]
        queries = [f"EXISTS (SELECT FROM {quoted(name)})" for name in names]
        return bool(queries) and await self.connection.fetchval(f"SELECT {' OR '.join(queries)}")

    async def _fill(self, archive: Archive, tell: Tell) -> None:
        run = self.connection.execute
        known = {one.name for one in await catalogue.tables(self.connection)}
        for rows in self._held.tables:
            if rows.table not in known:
                tell(f"{self.service}.{rows.table} is left out: it is no table of Kei's")
        tables = [rows for rows in self._held.tables if rows.table in known]
        for month in self._held.months:
            bounds = f"FROM ('{month.first}') TO ('{month.end}')"
            await run(f"CREATE TABLE {quoted(month.name)} PARTITION OF outbox FOR VALUES {bounds}")
        await run(f"TRUNCATE {', '.join(quoted(rows.table) for rows in tables)}")
        for rows in tables:
            await self._copy(archive, rows)
        for one in self._held.sequences:
            if one.table in known:
                await self.connection.fetch(_SET_SEQUENCE, one.table, one.column, one.last)

    async def _copy(self, archive: Archive, rows: TableContent) -> None:
        async def source() -> AsyncIterator[bytes]:
            for chunk in archive.chunks(self.service, rows.table):
                yield chunk

        try:
            await self.connection.copy_to_table(rows.table, source=source(), columns=rows.columns)
        except CONNECTION_ERRORS as error:
            raise BackupError(f"{self.service}.{rows.table} could not be written: {describe_error(error)}.") from error


async def restore(archive: Archive, urls: Mapping[str, str], *, replace: bool, agree: Agree, tell: Tell) -> None:
    """Put what an archive holds into the databases at `urls`, by service.

    Args:
        archive: what to restore, of which everything has been read already.
        urls: of databases that nobody uses; empty ones, unless `replace`.
        replace: whether they may hold rows, which are removed if `agree` says so.
        agree: asked once, about all services that hold rows.
        tell: shows what is being done.

    Raises:
        NotDone: nothing was changed, unless the text says so.
    """
    for service in urls:
        _check_revision(service, archive)
    async with AsyncExitStack() as stack:
        targets = []
        for service, url in urls.items():
            connection = await stack.enter_async_context(open_connection(service, url))
            targets.append(_Target(service, url, connection, archive.manifest.services[service]))
        for target in targets:
            await _with_service_name(target, target.look())
        _refuse_rows([target.service for target in targets if target.filled], agree if replace else None)
        try:
            for target in targets:
                await _with_service_name(target, target.load(archive, tell))
            await _swap_all(targets, replace=replace)
        finally:
            with suppress(*CONNECTION_ERRORS):
                for target in targets:
                    await target.clear()


def _check_revision(service: str, archive: Archive) -> None:
    held = archive.manifest.services.get(service)
    if held is None:
        raise BackupError(f"{archive.path} holds nothing of {service}.")
    if held.revision not in revisions(service):
        message = f"{archive.path} has {service} at {held.revision}, which this version does not know."
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
                await _with_service_name(target, target.take_over(replace=replace))
    except CONNECTION_ERRORS as error:
        message = f"A database failed when the restored tables took their place: {describe_error(error)}."
        raise BackupError(
            f"{message} Some services may be restored and others not: do it again with --replace."
        ) from error


async def _with_service_name(target: _Target, work: Awaitable[None]) -> None:
    try:
        await work
    except (*CONNECTION_ERRORS, SQLAlchemyError, DatabaseBusy) as error:
        raise BackupError(f"{target.service} could not be restored: {describe_error(error)}.") from error
