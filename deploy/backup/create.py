"""Creation of a backup: a snapshot of all databases, then a copy of each table."""

from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.backup import catalogue
from deploy.backup.archive import (
    FORMAT,
    ArchiveWriter,
    BackupError,
    DatabaseContent,
    Manifest,
    TableContent,
    new_archive,
)
from deploy.backup.catalogue import Table, quoted
from deploy.backup.snapshot import CONNECTION_ERRORS, BackupSide, describe_error, snapshot
from shared.version import version


async def back_up(path: Path, urls: Mapping[str, str], show: Callable[[str], None]) -> Manifest:
    """Write a consistent snapshot of the databases at `urls`, by service, into a new file.

    Needs a few MiB of memory for databases of any size.

    Raises:
        BackupError: no file is left.
    """
    with new_archive(path) as writer:
        async with snapshot(urls) as taken:
            services = {side.service: await _copy_database(side, writer, show) for side in taken.sides}
        manifest = Manifest(
            format=FORMAT,
            version=version(),
            cut_at=taken.at,
            held_up=taken.held_up,
            services=services,
        )
        writer.close(manifest)
    return manifest


async def _copy_database(side: BackupSide, writer: ArchiveWriter, show: Callable[[str], None]) -> DatabaseContent:
    show(f"Copying {side.service}")
    try:
        return DatabaseContent(
            revision=side.revision,
            assigned=side.assigned,
            sent=side.sent,
            tables=[await _copy_table(side, table, writer) for table in side.tables],
            sequences=await catalogue.sequences(side.connection),
            months=await catalogue.log_partitions(side.connection),
        )
    except CONNECTION_ERRORS as error:
        raise BackupError(f"The database of {side.service} failed: {describe_error(error)}.") from error


async def _copy_table(side: BackupSide, table: Table, writer: ArchiveWriter) -> TableContent:
    """Copy the rows in the order of their key, so that equal rows have equal sums."""
    columns = ", ".join(map(quoted, table.columns))
    order = f" ORDER BY {', '.join(table.key)}" if table.key else ""
    query = f"SELECT {columns} FROM {quoted(table.name)}{order}"  # noqa: S608  names from the database itself, quoted
    with writer.member(side.service, table.name) as member:
        try:
            status = await side.connection.copy_from_query(query, output=member.write)
        except CONNECTION_ERRORS as error:
            raise BackupError(f"{side.service}.{table.name} could not be read: {describe_error(error)}.") from error
    rows = int(status.split()[1])
    return TableContent(table=table.name, columns=table.columns, rows=rows, size=member.size, sha256=member.sha256)
