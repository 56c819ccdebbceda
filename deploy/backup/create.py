"""Making a backup: the cut, and then table by table into the file."""

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


async def back_up(path: Path, urls: Mapping[str, str], tell: Callable[[str], None]) -> Manifest:
    """Write the databases at `urls`, by service, into a new file, as they are at one moment.

    Needs some MiB of memory, however large they are.

    Raises:
        NotDone: nothing is left of the file.
    """
    with new_archive(path) as writer:
        async with snapshot(urls) as moment:
            services = {side.service: await _copy_database(side, writer, tell) for side in moment.sides}
        manifest = Manifest(
            format=FORMAT,
            version=version(),
            cut_at=moment.at,
            held_up=moment.held_up,
            services=services,
        )
        writer.close(manifest)
    return manifest


async def _copy_database(side: BackupSide, writer: ArchiveWriter, tell: Callable[[str], None]) -> DatabaseContent:
    tell(f"Copying {side.service}")
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
    """Sorted, so that the same rows have the same sum wherever they are."""
    columns = ", ".join(map(quoted, table.columns))
    order = f" ORDER BY {', '.join(table.key)}" if table.key else ""
    query = f"SELECT {columns} FROM {quoted(table.name)}{order}"  # noqa: S608  names from the database itself, quoted
    with writer.member(side.service, table.name) as member:
        try:
            told = await side.connection.copy_from_query(query, output=member.write)
        except CONNECTION_ERRORS as error:
            raise BackupError(f"{side.service}.{table.name} could not be read: {describe_error(error)}.") from error
    rows = int(told.split()[1])
    return TableContent(table=table.name, columns=table.columns, rows=rows, size=member.size, sha256=member.sha256)
